//! The REST interface. Every route is on this page; handlers are short sentences: validated input, one call, a value back.

mod app;
mod audit;
mod bodies;
mod dataset;
mod documents;
mod extract;
mod freshness;
mod health;
mod labels;
mod listing;
mod patients;
mod pictures;
mod problem;
mod scans;
mod server;
mod slices;
mod splits;

use axum::Router;
use axum::http::{HeaderName, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};

use crate::render::PictureKind;

pub use app::App;
pub use server::serve;

use problem::Problem;

/// Every route of the service.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/v1/audit", get(audit::list))
        .route("/v1/dataset", get(dataset::show))
        .route("/v1/labels", get(labels::list))
        .route("/v1/splits", get(splits::show))
        .route("/v1/patients", get(patients::list))
        .route("/v1/patients/{id}", get(patients::show))
        .route("/v1/scans", get(scans::list))
        .route("/v1/scans/{id}", get(scans::show))
        .route("/v1/scans/{id}/metadata", get(scans::metadata))
        .route("/v1/scans/{id}/gradings", get(scans::gradings))
        .route("/v1/scans/{id}/slices", get(slices::list))
        .route("/v1/scans/{id}/slices/{k}", get(slices::show))
        .route("/v1/scans/{id}/slices/{k}/image.png", pictures::slice(PictureKind::ImagePng))
        .route("/v1/scans/{id}/slices/{k}/image.npy", pictures::slice(PictureKind::ImageNpy))
        .route("/v1/scans/{id}/slices/{k}/mask.png", pictures::slice(PictureKind::MaskPng))
        .route("/v1/scans/{id}/slices/{k}/mask.npy", pictures::slice(PictureKind::MaskNpy))
        .route("/v1/scans/{id}/slices/{k}/overlay.png", pictures::slice(PictureKind::OverlayPng))
        .route("/v1/scans/{id}/montage.png", pictures::montage())
        .fallback(nothing_here)
        .method_not_allowed_fallback(only_get)
        .layer(cors())
        .layer(CatchPanicLayer::custom(|panic: Box<dyn std::any::Any + Send>| broken(&*panic)))
        .with_state(app)
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::not_found(
        "unknown_path",
        format!("there is nothing at {}; /v1/dataset links to what there is", uri.path()),
    )
}

async fn only_get() -> Response {
    let detail = "this address answers GET and HEAD only";
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    ([(header::ALLOW, "GET, HEAD")], problem).into_response()
}

/// A defect, answered as one, so that the connection and everybody else's go on.
fn broken(panic: &(dyn std::any::Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("no message"), "a handler panicked");
    let detail = "the server could not answer this request; its log says why";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail).into_response()
}

/// Browsers may read everything from anywhere: the data are public, and nothing changes by asking.
fn cors() -> CorsLayer {
    let exposed = [
        header::ETAG,
        header::LINK,
        header::RETRY_AFTER,
        HeaderName::from_static("cache-status"),
        HeaderName::from_static("server-timing"),
        HeaderName::from_static("x-sagittal-slope"),
        HeaderName::from_static("x-sagittal-intercept"),
        HeaderName::from_static("x-sagittal-spacing-mm"),
    ];
    CorsLayer::new().allow_origin(Any).allow_methods([Method::GET, Method::HEAD]).expose_headers(exposed)
}
