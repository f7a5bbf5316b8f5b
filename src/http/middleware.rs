//! The middleware around the routes. [`handle`] is outermost: a request gets an id and joins its sender's trace, and its response is
//! counted and logged. If it is for an image that was sent before, the response is known. [`dispatch`] is inside compression and
//! CORS: the URL's length and the host are checked; the request is authenticated; the revision is taken off its path; its time
//! begins. The response ends when the token is revoked, and gets its cache headers.
//!
//! tower-http has layers for time limits, body limits and traces. They are not used, because they answer without a problem
//! document (`TimeoutLayer`, `RequestBodyLimitLayer`), and because one line has status, route and time of a response
//! (`TraceLayer` has three, and no route). Its layer for panics boxes the body of every response; `catch_unwind` does not.

pub(super) mod auth;
pub(super) mod compression;
pub(super) mod cors;
pub(super) mod host;
pub(super) mod metrics;
pub(super) mod request_id;
pub(super) mod revisions;
pub(super) mod revocable;
pub(super) mod trace_context;
mod url;

use std::any::Any;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use futures_util::FutureExt;
use tower::{Service, ServiceExt, service_fn};
use tracing::Instrument;
use tracing::field::Empty;

use super::responses::preconditions::Preconditions;
use super::responses::problem::{Code, Problem};
use super::responses::provenance;
use super::responses::{caching, disposition};
use super::server::peer::Peer;
use super::state::App;
use super::state::pinned::Pinned;
use crate::auth::Principal;
use crate::worker_pool::Client;
use metrics::Template;
use url::{Refused, address};

/// Answers that take longer are worth a line in the log.
const SLOW_SECONDS: f64 = 1.0;

/// A service inside [`handle`]: it makes the responses that are not repeated.
pub(super) trait Responder:
    Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> Responder for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

/// Around everything.
pub(super) async fn handle(app: &App, request: Request, checked: &impl Responder) -> Response {
    let name = request_id::of(request.headers());
    let path = request.uri().path();
    let (id, method) = (name.to_str().unwrap_or_default(), request.method().as_str());
    let span = tracing::info_span!("request", id, method, path, status = Empty);
    trace_context::join(&span, request.headers());
    request_id::CURRENT.scope(name, respond(app, request, checked).instrument(span)).await
}

/// Around each route: its files get their names, its responses its template, and a panic becomes a response, so that the
/// connection and everyone else's go on.
pub(super) fn around_route(
    route: Route,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync {
    service_fn(move |request: Request| {
        let (name, template) = (disposition::file_name(request.uri().path()), Template::of(&request));
        let responded = AssertUnwindSafe(route.clone().oneshot(request)).catch_unwind();
        async move {
            let response = responded.await.unwrap_or_else(|panic| Ok(panicked(&*panic)))?;
            let mut response = disposition::named(response, name);
            response.extensions_mut().insert(template);
            Ok(response)
        }
    })
}

/// The response of a handler with a defect.
fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("no message"), "a handler panicked");
    let detail = "the server could not answer this request; its log says why";
    Problem::new(Code::InternalError, detail).into_response()
}

async fn respond(app: &App, request: Request, checked: &impl Responder) -> Response {
    let (start, method) = (Instant::now(), request.method().clone());
    let _in_flight = app.metrics().in_flight();
    let mut response = repeated_or_new(app, request, checked).await;
    let headers = response.headers_mut();
    if let Ok(name) = request_id::CURRENT.try_with(HeaderValue::clone) {
        headers.insert(request_id::HEADER, name);
    }
    headers.insert(provenance::VERSION, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    if app.is_stopping() {
        // The client's next request goes to a server that stays.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let (seconds, status) = (start.elapsed().as_secs_f64(), response.status());
    let template = response.extensions_mut().remove::<Template>().unwrap_or_default();
    app.metrics().answered(&template, &method, status, seconds);
    tracing::Span::current().record("status", status.as_u16());
    let (status, milliseconds) = (status.as_u16(), (seconds * 1e3).round());
    match status {
        500.. => tracing::warn!(status, milliseconds, "answered"),
        _ if seconds > SLOW_SECONDS => tracing::info!(status, milliseconds, "answered slowly"),
        _ => tracing::debug!(status, milliseconds, "answered"),
    }
    response
}

/// The response with a cached image that was sent for this URL before, or a new response.
async fn repeated_or_new(app: &App, request: Request, checked: &impl Responder) -> Response {
    let url = is_repeatable(app, &request).then(|| request.uri().clone());
    if let Some(url) = &url
        && let Some(response) = app.image_responses().repeated(app.renderer(), address(url), client(&request))
    {
        return response;
    }
    // Boxed, so that the future of a request that is not new, which is moved several times, is small.
    let Ok(response) = Box::pin(checked.clone().oneshot(request)).await;
    if let Some(url) = url {
        app.image_responses().keep(address(&url), &response);
    }
    response
}

/// Whether nothing but its URL determines the response, if it is one with an image.
fn is_repeatable(app: &App, request: &Request) -> bool {
    let (headers, is_open) = (request.headers(), app.authenticator().is_none());
    let is_plain = Preconditions::of(headers) == Preconditions::default() && !headers.contains_key(header::ORIGIN);
    is_open && is_plain && request.method() == Method::GET && host::check(request).is_ok()
}

/// The response to a new request, with what it says to caches.
pub(super) async fn dispatch(app: App, request: Request, routes: Router) -> Response {
    let (conditions, is_private) = (Preconditions::of(request.headers()), app.authenticator().is_some());
    let (response, has_revision) = route(&app, request, routes).await;
    caching::finish(&conditions, response, is_private, has_revision)
}

/// What the service answers, or what keeps it from it, and whether the URL names a revision.
async fn route(app: &App, mut request: Request, routes: Router) -> (Response, bool) {
    let (pinned, principal) = match prepare(app, &mut request).await {
        Ok(prepared) => prepared,
        Err(response) => return (*response, false),
    };
    if request.method() == Method::HEAD {
        // A digest would have the whole file made.
        request.headers_mut().remove("want-repr-digest");
    }
    let client = client(&request);
    let limit = app.limits().response_time;
    let responded = client.scope(tokio::time::timeout(limit, routes.oneshot(request))).await;
    let response = responded.map_or_else(|_| too_slow(limit), |Ok(response)| response);
    let has_revision = pinned.is_some();
    let response = match pinned {
        Some(pinned) => pinned.checked(app.renderer(), response),
        None => response,
    };
    (auth::while_accepted(app, principal, response), has_revision)
}

fn too_slow(limit: Duration) -> Response {
    let detail = format!("the answer did not begin within {} s; ask again, or ask for less", limit.as_secs_f64());
    Problem::new(Code::ResponseTooSlow, detail).into_response()
}

async fn prepare(app: &App, request: &mut Request) -> Result<(Option<Pinned>, Option<Principal>), Refused> {
    check_url_length(app, request)?;
    host::check(request)?;
    let principal = auth::authenticate(app, request)?;
    Ok((revisions::pin(app, request).await?, principal))
}

/// The client of a request: the principal of its token, or else the machine that it came from.
fn client(request: &Request) -> Client {
    let peer = request.extensions().get::<Peer>();
    let principal = request.extensions().get::<Principal>();
    let mut hash = DefaultHasher::new();
    match principal {
        Some(principal) => principal.hash(&mut hash),
        None => peer.map(|peer| peer.address).hash(&mut hash),
    }
    Client { principal: hash.finish(), connection: peer.map_or(0, |peer| peer.connection) }
}

fn check_url_length(app: &App, request: &Request) -> Result<(), Refused> {
    let (len, most) = (address(request.uri()).len(), app.limits().url_bytes);
    if len <= most {
        return Ok(());
    }
    let detail = format!("the URL has {len} bytes; at most {most} are read");
    Err(Problem::new(Code::UrlTooLong, detail).into())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::layer::layer_fn;

    use super::*;

    async fn respond(path: &'static str) -> Response {
        let routes = Router::new()
            .route("/v1/scans/{id}/image.png", get(async || "pixels"))
            .route("/v1/scans/{id}/broken.png", get(async || -> &'static str { panic!("a defect") }))
            .layer(layer_fn(around_route));
        routes.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_response_has_the_name_of_its_file_and_the_template_of_its_route() {
        let response = respond("/v1/scans/1_t1/image.png").await;
        assert_eq!(response.headers()[header::CONTENT_DISPOSITION], "inline; filename=\"1_t1_image.png\"");
        assert_eq!(response.extensions().get::<Template>().unwrap().route(), "/v1/scans/{id}/image.png");
    }

    #[tokio::test]
    async fn a_handler_that_panics_is_a_response_of_its_route() {
        let response = respond("/v1/scans/1_t1/broken.png").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert!(!response.headers().contains_key(header::CONTENT_DISPOSITION));
        assert_eq!(response.extensions().get::<Template>().unwrap().route(), "/v1/scans/{id}/broken.png");
    }
}
