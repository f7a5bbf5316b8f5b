//! The REST interface. Every route is on this page; handlers are short sentences: validated input, one call, a value back.

mod app;
mod audit;
mod bodies;
mod byte_range;
mod caching;
mod compression;
mod croissant;
mod dataset;
mod disposition;
mod documents;
mod door;
mod exports;
mod extract;
mod freshness;
mod guard;
mod head_timer;
mod health;
mod host;
mod labels;
mod limits;
mod lingering;
mod links;
mod listing;
mod locks;
mod metrics;
mod openapi;
mod origins;
mod pages;
mod patches;
mod patients;
mod pictures;
mod preconditions;
mod problem;
mod provenance;
mod python;
mod ranges;
mod request_id;
mod revisions;
mod revocable;
mod route;
mod scans;
mod server;
mod shared_stream;
mod signable;
mod slices;
mod slow_reader;
mod splits;
mod stats;
mod tables;
mod trace_context;
mod training;
mod viewer;
mod volumes;
mod zarr;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, Method, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;

use crate::query::Table;
use crate::render::{PairQuery, PictureKind};

pub use app::App;
pub use byte_range::ByteRange;
pub use limits::Limits;
pub use origins::AllowedOrigins;
pub use server::{Connections, Stop, serve};
pub use slow_reader::ReadRate;

use audit::AuditBody;
use bodies::{LabelBody, ScanDetail};
use dataset::DatasetBody;
use exports::ExportBody;
use guard::SignedBody;
use health::{AliveBody, ReadyBody};
use listing::Listing;
use openapi::AnyObject;
use patients::PatientDetail;
use problem::{Code, Problem};
use route::Route;
use slices::SliceBody;
use splits::SplitsBody;
use stats::StatsBody;
use training::Batch;

/// Every route of the service, in the order of the documentation.
fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::json::<DatasetBody, _>(
            "/v1/dataset",
            dataset::show,
            (DATA, "get_dataset", "What the data set is, and how much of it is here"),
        ),
        Route::json::<Listing<LabelBody>, _>(
            "/v1/labels",
            labels::list,
            (DATA, "list_labels", "The label scheme of the masks"),
        ),
        Route::json::<SplitsBody, _>(
            "/v1/splits",
            splits::show,
            (DATA, "get_splits", "Who is in which split, always by patient"),
        )
        .taking(&splits::PARAMETERS),
        Route::json::<StatsBody, _>(
            "/v1/stats",
            stats::show,
            (DATA, "get_stats", "Counts, cross tables and distributions"),
        )
        .taking(&stats::all_parameters()),
        Route::json::<AuditBody, _>("/v1/audit", audit::list, (DATA, "list_audit", "What is odd in the data"))
            .taking(&audit::PARAMETERS),
        Route::json::<PatientDetail, _>(
            "/v1/patients/{id}",
            patients::show,
            (DATA, "get_patient", "A patient with scans and gradings"),
        ),
        Route::json::<ScanDetail, _>("/v1/scans/{id}", scans::show, (DATA, "get_scan", "Everything about one scan")),
        Route::json::<AnyObject, _>(
            "/v1/scans/{id}/metadata",
            scans::metadata,
            (DATA, "get_metadata", "A scan's row of the overview"),
        )
        .taking(&scans::FORMAT),
        Route::json::<AnyObject, _>(
            "/v1/scans/{id}/gradings",
            scans::gradings,
            (DATA, "get_scan_gradings", "The gradings of a scan's patient"),
        )
        .taking(&scans::FORMAT),
        Route::json::<Listing<SliceBody>, _>(
            "/v1/scans/{id}/slices",
            slices::list,
            (DATA, "list_scan_slices", "A scan's slices with the labels in them"),
        )
        .taking(&slices::PARAMETERS),
        Route::json::<SliceBody, _>(
            "/v1/scans/{id}/slices/{k}",
            slices::show,
            (DATA, "get_slice", "One slice with the labels in it"),
        )
        .taking(&slices::PARAMETERS),
    ];
    routes.extend(Route::table(Table::Scans, "Scans"));
    routes.extend(Route::table(Table::Slices, "Slices across scans"));
    routes.extend(Route::table(Table::Discs, "Discs across scans, with their gradings"));
    routes.extend(Route::table(Table::Gradings, "Gradings, one row per patient and disc"));
    routes.extend(Route::table(Table::Patients, "Patients"));
    routes.extend([
        Route::picture(PictureKind::ImagePng, "A slice as PNG"),
        Route::picture(PictureKind::ImageNpy, "A slice as NumPy array"),
        Route::picture(PictureKind::MaskPng, "A slice's mask as PNG"),
        Route::picture(PictureKind::MaskNpy, "A slice's mask as NumPy array"),
        Route::picture(PictureKind::OverlayPng, "A slice with its labels in colour"),
        Route::picture(PictureKind::MontagePng, "Three depths of a scan, plain and with labels"),
    ]);
    routes.extend(
        [Route::volumes(PictureKind::ImageNpy, "A whole scan"), Route::volumes(PictureKind::MaskNpy, "A whole mask")]
            .into_iter()
            .flatten(),
    );
    routes.extend([
        Route::bytes(
            "/v1/scans/{id}/slices/{k}/pair.npz",
            training::pair(),
            (TRAINING, "get_pair", "An image and its mask, with spacing and affine, in one file"),
            "application/octet-stream",
        )
        .taking(&PairQuery::parameters())
        .with_ranges(),
        Route::bytes(
            "/v1/batch",
            training::batch(),
            (TRAINING, "post_batch", "Many slices, in the asked order, in one file"),
            "application/octet-stream",
        )
        .taking(&training::batch_parameters())
        .posting::<Batch>(),
        Route::bytes(
            "/v1/stream.tar",
            training::stream(),
            (TRAINING, "get_stream", "Samples for WebDataset: a shuffled, shared, resumable stream"),
            "application/x-tar",
        )
        .taking(&training::stream_parameters())
        .with_ranges(),
        Route::json::<Listing<ExportBody>, _>(
            "/v1/exports",
            exports::list,
            (TRAINING, "list_exports", "Files that were exported for others' loaders"),
        )
        .apart_from_data(),
        Route::patch(false, "A disc cut out of its slice, as PNG"),
        Route::patch(true, "A disc cut out of its slice, or of all its slices, as NumPy array"),
        Route::json::<SignedBody, _>(
            "/v1/signed",
            guard::sign,
            (SERVICE, "get_signed_address", "Create a time-limited signed URL"),
        )
        .taking(&guard::PARAMETERS)
        .requiring("address")
        .apart_from_data(),
        Route::json::<AliveBody, _>("/healthz", health::alive, (SERVICE, "get_health", "Whether the process answers"))
            .apart_from_data(),
        Route::json::<ReadyBody, _>(
            "/readyz",
            health::ready,
            (SERVICE, "get_readiness", "Whether the index answers too"),
        )
        .apart_from_data(),
        Route::bytes(
            "/",
            get(viewer::page),
            (SERVICE, "get_viewer", "Scans, masks and gradings to look at, for people"),
            "text/html",
        )
        .apart_from_data(),
        Route::bytes("/docs", get(pages::docs), (SERVICE, "get_docs", "This description, for people"), "text/html")
            .apart_from_data(),
        Route::bytes(
            "/metrics",
            get(metrics::show),
            (SERVICE, "get_metrics", "What the service does, in numbers, for Prometheus"),
            "application/openmetrics-text",
        )
        .apart_from_data(),
        Route::bytes(
            "/problems",
            get(pages::problems),
            (SERVICE, "list_problems", "The kinds of problem there are"),
            "text/html",
        )
        .apart_from_data(),
        Route::bytes(
            "/problems/{code}",
            get(pages::problem),
            (SERVICE, "get_problem", "One kind of problem"),
            "text/html",
        )
        .apart_from_data(),
    ]);
    routes
}

/// How long browsers need not ask again what pages elsewhere may ask for; Chromium's longest.
const PREFLIGHT_AGE: Duration = Duration::from_secs(7200);

const DATA: &str = "data set";
const SERVICE: &str = "service";
const TRAINING: &str = "training";

/// The service.
pub fn router(app: App) -> Router {
    let routes = routes();
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
        .route("/docs/start.js", get(pages::docs_start))
        .route("/docs/swagger-ui.css", get(pages::docs_style))
        .route("/docs/swagger-ui-bundle.js", get(pages::docs_script))
        .route_layer(middleware::from_fn(revisions::refuse_pinned));
    let routed = router(of_data)
        .route("/v1/scans/{id}/{*file}", get(zarr::file))
        .merge(apart)
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer(CatchPanicLayer::custom(|panic: Box<dyn std::any::Any + Send>| broken(&*panic)))
        .layer(middleware::from_fn(metrics::note_template))
        .layer(middleware::from_fn(disposition::name_file))
        .with_state(app.clone());
    // Around the routes, not on them: the door changes addresses before a route is chosen. Around the door, so that pages
    // elsewhere may read why they were refused, and may ask whether they may send a token before they do.
    let (cors, resource_policy) = (cors(app.allowed_origins()), app.allowed_origins().resource_policy());
    let door = middleware::from_fn_with_state(app, door::enter);
    Router::new()
        .fallback_service(routed)
        .layer(door)
        .layer(compression::layer())
        .layer(middleware::from_fn(compression::adapt))
        .layer(cors)
        .layer(middleware::map_response(move |mut response: Response| {
            response.headers_mut().extend([resource_policy.clone()]);
            std::future::ready(response)
        }))
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::new(Code::UnknownPath, format!("there is nothing at {}; /v1/dataset links to what there is", uri.path()))
}

async fn other_method(uri: Uri) -> Response {
    let methods = if uri.path() == "/v1/batch" { "POST" } else { "GET, HEAD" };
    let problem = Problem::new(Code::MethodNotAllowed, format!("this address answers {methods} only"));
    ([(header::ALLOW, methods)], problem).into_response()
}

/// A defect, answered as one, so that the connection and everybody else's go on.
fn broken(panic: &(dyn std::any::Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("no message"), "a handler panicked");
    let detail = "the server could not answer this request; its log says why";
    Problem::new(Code::InternalError, detail).into_response()
}

/// What pages of other origins may send and read. A batch is requested by POST, because its list is too long for a URL.
fn cors(allowed: &AllowedOrigins) -> CorsLayer {
    let exposed = [
        header::ACCEPT_RANGES,
        header::CONTENT_DISPOSITION,
        header::CONTENT_ENCODING,
        header::CONTENT_RANGE,
        header::ETAG,
        header::LAST_MODIFIED,
        header::LINK,
        header::RETRY_AFTER,
        HeaderName::from_static("cache-status"),
        HeaderName::from_static("repr-digest"),
        HeaderName::from_static("server-timing"),
        HeaderName::from_static("x-request-id"),
        provenance::SCAN,
        provenance::SLICES,
        provenance::AFFINE,
        training::SAMPLES,
        HeaderName::from_static("x-sagittal-slope"),
        HeaderName::from_static("x-sagittal-intercept"),
        HeaderName::from_static("x-sagittal-spacing-mm"),
    ];
    let taken = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_NONE_MATCH,
        header::IF_RANGE,
        header::IF_UNMODIFIED_SINCE,
        header::RANGE,
        HeaderName::from_static("traceparent"),
        HeaderName::from_static("want-repr-digest"),
        HeaderName::from_static("x-request-id"),
    ];
    CorsLayer::new()
        .allow_origin(allowed.cors())
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers(taken)
        .expose_headers(exposed)
        .max_age(PREFLIGHT_AGE)
}
