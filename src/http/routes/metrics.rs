//! `GET /metrics`: what the service does, for Prometheus.

use axum::extract::State;
use axum::http::header;
use axum::response::Response;

use crate::http::responses::caching::Caching;
use crate::http::responses::problem::Problem;
use crate::http::state::App;

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /metrics`
pub(in crate::http) async fn show(State(app): State<App>) -> Result<Response, Problem> {
    let snapshot = app.renderer().snapshot().await?;
    app.metrics().set_data(snapshot.catalogue.revision, &snapshot.index.counts().await?);
    if let Some(authenticator) = app.authenticator() {
        app.metrics().set_tokens(authenticator.token_file());
    }
    let text = app.metrics().text().map_err(|error| Problem::internal(&error))?;
    Ok(Caching::NO_STORE.attach(([(header::CONTENT_TYPE, MEDIA_TYPE)], text)))
}
