use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::app::App;
use super::problem::Problem;

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], axum::Json(json!({ "status": "ok" }))).into_response()
}

/// `GET /readyz`: the index answers too, and it is the one whose catalogue is in memory.
pub(super) async fn ready(State(app): State<App>) -> Result<Response, Problem> {
    let unready = |error: crate::index::IndexError| {
        tracing::warn!(%error, "not ready");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", "the index cannot be read")
    };
    let revision = app.index().revision().await.map_err(unready)?;
    let catalogue = app.pictures().catalogue();
    let body = json!({ "status": "ready", "scans": catalogue.len(), "revision": revision });
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(body)).into_response())
}
