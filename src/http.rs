//! The REST API. [`routes`] lists every route; [`service`] puts the middleware around them.

mod extract;
mod limits;
mod middleware;
mod openapi;
mod responses;
mod routes;
mod server;
mod state;
mod viewer;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{Uri, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::FutureExt;
use tower::layer::layer_fn;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

pub use limits::Limits;
pub use middleware::cors::AllowedOrigins;
pub use responses::byte_range::ByteRange;
pub use server::slow_reader::ReadRate;
pub use server::{Connections, Stop, serve};
pub use state::App;

use middleware::{compression, cors, revisions};
use responses::problem::{Code, Problem};
use routes::route::Route;
use routes::{croissant, exports, hub, pages, python, zarr};

/// The REST API as a [`tower::Service`].
pub type Service = BoxCloneSyncService<Request, Response, Infallible>;

/// The routes with the middleware around them. The middleware is one type: as layers of the router, each would be boxed and
/// cloned for every request.
pub fn service(app: App) -> Service {
    let shared = Arc::new((checked(app.clone()), app));
    BoxCloneSyncService::new(service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            let (checked, app) = &*shared;
            Ok(middleware::handle(app, request, checked).await)
        }
    }))
}

/// The routes for requests that pass the checks of the middleware.
fn checked(app: App) -> impl middleware::Responder {
    let routes = routes(&app);
    let allowed_origins = app.allowed_origins().clone();
    // Around the routes, not on them: the middleware changes URLs before a route is chosen. CORS around it, so that pages
    // elsewhere may read why they were refused, and may ask whether they may send a token before they do.
    let dispatched = service_fn(move |request| middleware::dispatch(app.clone(), request, routes.clone()).map(Ok));
    let compressed = compression::around(dispatched);
    let (cors, resource_policy) = (cors::layer(&allowed_origins), allowed_origins.resource_policy());
    cors.layer(compressed).map_response(move |mut response: Response| {
        response.headers_mut().extend([resource_policy.clone()]);
        response
    })
}

fn routes(app: &App) -> Router {
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
    router(of_data)
        .route("/v1/scans/{id}/{*file}", get(zarr::file))
        .merge(apart)
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer(layer_fn(middleware::around_route))
        .with_state(app.clone())
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
