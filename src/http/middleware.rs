//! The middleware around every route. A request gets an id and joins its sender's trace; its URL's length and its host are
//! checked; it is authenticated; the revision is taken off its path; its time begins. The response ends when the token is revoked,
//! gets its cache headers and its request id, and is counted and logged.
//!
//! tower-http has layers for time limits, body limits and traces. They are not used, because they answer without a problem
//! document (`TimeoutLayer`, `RequestBodyLimitLayer`), and because one line has status, route and time of a response
//! (`TraceLayer` has three, and no route).

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

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;
use tracing::field::Empty;

use super::responses::caching;
use super::responses::preconditions::Preconditions;
use super::responses::problem::{Code, Problem};
use super::responses::provenance;
use super::server::peer::Peer;
use super::state::App;
use super::state::pinned::Pinned;
use crate::auth::Principal;
use crate::worker_pool::Client;
use metrics::Template;
use url::{Refused, address};

/// Answers that take longer are worth a line in the log.
const SLOW_SECONDS: f64 = 1.0;

/// Around the whole service.
pub(super) async fn handle(State(app): State<App>, request: Request, next: Next) -> Response {
    let name = request_id::of(request.headers());
    let path = request.uri().path();
    let (id, method) = (name.to_str().unwrap_or_default(), request.method().as_str());
    let span = tracing::info_span!("request", id, method, path, status = Empty);
    trace_context::join(&span, request.headers());
    request_id::CURRENT.scope(name, respond(app, request, next).instrument(span)).await
}

async fn respond(app: App, request: Request, next: Next) -> Response {
    let (start, method) = (Instant::now(), request.method().clone());
    let _in_flight = app.metrics().in_flight();
    let (conditions, is_private) = (Preconditions::of(request.headers()), app.authenticator().is_some());
    let (response, has_revision) = dispatch(&app, request, next).await;
    let mut response = caching::finish(&conditions, response, is_private, has_revision);
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
    app.metrics().answered(template, &method, status, seconds);
    tracing::Span::current().record("status", status.as_u16());
    let (status, milliseconds) = (status.as_u16(), (seconds * 1e3).round());
    match status {
        500.. => tracing::warn!(status, milliseconds, "answered"),
        _ if seconds > SLOW_SECONDS => tracing::info!(status, milliseconds, "answered slowly"),
        _ => tracing::debug!(status, milliseconds, "answered"),
    }
    response
}

/// What the service answers, or what keeps it from it, and whether the URL names a revision.
async fn dispatch(app: &App, mut request: Request, next: Next) -> (Response, bool) {
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
    let response = client.scope(tokio::time::timeout(limit, next.run(request))).await.unwrap_or_else(|_| {
        let detail = format!("the answer did not begin within {} s; ask again, or ask for less", limit.as_secs_f64());
        Problem::new(Code::ResponseTooSlow, detail).into_response()
    });
    let has_revision = pinned.is_some();
    let response = match pinned {
        Some(pinned) => pinned.checked(app.renderer(), response),
        None => response,
    };
    (auth::while_accepted(app, principal, response), has_revision)
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
