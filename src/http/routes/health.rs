use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::responses::caching::Caching;
use crate::http::responses::problem::{Code, Problem};
use crate::http::state::App;

/// Whether the process answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct AliveBody {
    status: &'static str,
}

/// What is served.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct ReadyBody {
    status: &'static str,
    /// Scans whose voxels are imported.
    scans: usize,
    /// Of the index.
    revision: u64,
}

/// `GET /healthz`: the process answers.
pub(in crate::http) async fn alive() -> Response {
    Caching::NO_STORE.attach(axum::Json(AliveBody { status: "ok" }))
}

/// `GET /readyz`: the index answers too, the voxels are within reach, and the server is not about to stop.
pub(in crate::http) async fn ready(State(app): State<App>) -> Result<Response, Problem> {
    if app.is_stopping() {
        return Err(Problem::new(Code::NotReady, "the server is stopping"));
    }
    app.renderer().check_index().await.map_err(|error| unready(&error, Problem::index_state(&error)))?;
    let is_there = app.renderer().store_is_there().await;
    if !is_there.map_err(|error| unready(&error, "the data folder cannot be read"))? {
        return Err(Problem::new(Code::NotReady, "the data folder does not hold the scans any more"));
    }
    let catalogue = app.renderer().catalogue();
    let body = ReadyBody { status: "ready", scans: catalogue.len(), revision: catalogue.revision };
    Ok(Caching::NO_STORE.attach(axum::Json(body)))
}

fn unready(error: &(dyn std::error::Error + 'static), detail: &str) -> Problem {
    tracing::warn!(error, "not ready");
    Problem::new(Code::NotReady, detail)
}
