//! The REST API. [`routes`] lists every route; [`router`] puts the middleware around them.

mod extract;
mod limits;
mod middleware;
mod openapi;
mod responses;
mod routes;
mod server;
mod state;
mod viewer;

use std::sync::Arc;

use axum::Router;
use axum::http::{Uri, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;

pub use limits::Limits;
pub use middleware::cors::AllowedOrigins;
pub use responses::byte_range::ByteRange;
pub use server::slow_reader::ReadRate;
pub use server::{Connections, Stop, serve};
pub use state::App;

use middleware::{compression, cors, metrics, revisions};
use responses::disposition;
use responses::problem::{Code, Problem};
use routes::route::Route;
use routes::{croissant, exports, hub, pages, python, zarr};

/// The service.
pub fn router(app: App) -> Router {
    let routes = routes::table();
    let document: Arc<str> = openapi::document(&routes).to_string().into();
    let (of_data, apart): (Vec<_>, Vec<_>) = routes.into_iter().partition(|route| route.is_of_data);
    let router = |routes: Vec<Route>| {
        routes.into_iter().fold(Router::new(), |router, route| router.route(&route.path, route.handler))
    };
    let apart = router(apart)
        .route("/v1/exports/{*path}", get(exports::show))
        .route("/croissant.json", get(croissant::show))
        .route("/openapi.json", get(async move |headers| openapi::answer(&document, &headers)))
        .route("/viewer/{file}", get(viewer::part))
        .route("/python/simple/", get(python::packages))
        .route("/python/simple/sagittal/", get(python::package))
        .route("/python/simple/sagittal/{file}", get(python::file))
        .merge(hub::routes())
        .route("/docs/start.js", get(pages::docs_start))
        .route("/docs/swagger-ui.css", get(pages::docs_style))
        .route("/docs/swagger-ui-bundle.js", get(pages::docs_script))
        .route_layer(from_fn(revisions::refuse_pinned));
    let routed = router(of_data)
        .route("/v1/scans/{id}/{*file}", get(zarr::file))
        .merge(apart)
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer(CatchPanicLayer::custom(|panic: Box<dyn std::any::Any + Send>| broken(&*panic)))
        .layer(from_fn(metrics::note_template))
        .layer(from_fn(disposition::name_file))
        .with_state(app.clone());
    // Around the routes, not on them: the middleware changes URLs before a route is chosen. Around it, so that pages
    // elsewhere may read why they were refused, and may ask whether they may send a token before they do.
    let (cors, resource_policy) = (cors::layer(app.allowed_origins()), app.allowed_origins().resource_policy());
    let handled = from_fn_with_state(app, middleware::handle);
    Router::new()
        .fallback_service(routed)
        .layer(handled)
        .layer(compression::layer())
        .layer(from_fn(compression::adapt))
        .layer(cors)
        .layer(map_response(move |mut response: Response| {
            response.headers_mut().extend([resource_policy.clone()]);
            std::future::ready(response)
        }))
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::new(Code::UnknownPath, format!("there is nothing at {}; /v1/dataset links to what there is", uri.path()))
}

async fn other_method(uri: Uri) -> Response {
    let is_posted = uri.path() == "/v1/batch" || uri.path().contains("/paths-info/");
    let methods = if is_posted { "POST" } else { "GET, HEAD" };
    let problem = Problem::new(Code::MethodNotAllowed, format!("this URL supports {methods} only"));
    ([(header::ALLOW, methods)], problem).into_response()
}

/// A defect, answered as one, so that the connection and everyone else's go on.
fn broken(panic: &(dyn std::any::Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("no message"), "a handler panicked");
    let detail = "the server could not answer this request; its log says why";
    Problem::new(Code::InternalError, detail).into_response()
}
