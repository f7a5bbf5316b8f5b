//! Text is compressed for clients that accept gzip: tower-http does it, for the kinds of text below and nothing else.
//!
//! Here is what that leaves open. A compressed response is not the same bytes, so its tag becomes a weak one (RFC 9110
//! section 8.8.1): `If-None-Match` goes on to work, and `If-Range` and `If-Match` never take it for the file itself. Parts
//! of a file, and its length, are those of the uncompressed file: requests with `Range` and HEAD requests are answered so.

use std::convert::Infallible;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use axum::response::Response;
use mediatype::MediaType;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

use crate::http::responses::caching;

/// Shorter responses fit a packet or two anyway.
const LEAST_BYTES: u64 = 1024;

/// What is compressed. Everything else is compressed already, or is read in parts.
const TEXTS: [&str; 10] = [
    "application/json",
    "application/openmetrics-text",
    "application/problem+json",
    "application/ld+json",
    "application/x-ndjson",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
];

type IsText = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// The same service, whose text is compressed.
pub(in crate::http) fn around<S>(
    service: S,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static,
{
    let compressed = layer().layer(service);
    service_fn(move |request| adapt(request, compressed.clone()))
}

fn layer() -> CompressionLayer<And<SizeAbove, IsText>> {
    let is_text: IsText = |_, _, headers, _| is_text(headers);
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(SizeAbove::new(LEAST_BYTES).and(is_text))
}

fn is_text(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|text| MediaType::parse(text).ok()).map(|media_type| media_type.essence().to_string());
    essence.is_some_and(|essence| TEXTS.iter().any(|text| essence.eq_ignore_ascii_case(text)))
}

/// Around [`layer`]: which requests it sees, and the tags of its responses.
async fn adapt<S, B>(mut request: Request, compressed: S) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response<B>, Error = Infallible>,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let is_head = request.method() == Method::HEAD;
    if is_head || request.headers().contains_key(header::RANGE) {
        request.headers_mut().remove(header::ACCEPT_ENCODING);
    } else {
        keep_identity(request.headers_mut());
    }
    let known: Vec<_> = request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect();
    let mut response = compressed.oneshot(request).await?.map(Body::new);
    let tag = caching::tag(response.headers()).cloned();
    let has_compressed = response.status() == StatusCode::NOT_MODIFIED
        && tag.as_ref().is_some_and(|tag| is_known_as_weak_only(tag, &known));
    // The layer says so itself where it has a body to look at.
    if has_compressed || is_head && is_worth_it(response.headers()) {
        caching::add_vary(response.headers_mut(), header::ACCEPT_ENCODING);
    }
    if has_compressed || response.headers().contains_key(header::CONTENT_ENCODING) {
        caching::weaken_tag(response.headers_mut());
    }
    Ok(response)
}

/// Whether a file that is only described would be compressed if it were sent.
fn is_worth_it(headers: &HeaderMap) -> bool {
    let len = headers.get(header::CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse::<u64>().ok());
    is_text(headers) && len.is_none_or(|len| len >= LEAST_BYTES)
}

/// A client that refuses uncompressed responses gets them nevertheless: for images there is nothing else, and tower-http
/// would put the status 406 over whatever was answered.
fn keep_identity(headers: &mut HeaderMap) {
    if headers.contains_key(header::ACCEPT_ENCODING) {
        headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static("identity;q=0.001"));
    }
}

/// Whether a client that knows these tags has this one as a weak tag only.
fn is_known_as_weak_only(tag: &HeaderValue, known: &[HeaderValue]) -> bool {
    let mut tags = known.iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')).map(str::trim);
    caching::weakened(tag).is_some_and(|weak| tags.clone().any(|known| known.as_bytes() == weak.as_bytes()))
        && !tags.any(|known| known.as_bytes() == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_is_listed() {
        let is = |media_type: &'static str| {
            is_text(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))]))
        };
        let texts = ["text/csv; charset=utf-8", "application/json", "Application/JSON", "application/problem+json"];
        assert!(texts.into_iter().all(is));
        let others = [
            "application/octet-stream",
            "application/gzip",
            "application/x-tar",
            "application/vnd.apache.parquet",
            "image/png",
            "text/plain",
            "json",
            "",
        ];
        assert!(!others.into_iter().any(is));
        assert!(!is_text(&HeaderMap::new()));
    }

    #[test]
    fn a_tag_is_weak_for_those_who_know_it_so() {
        let known = |tags: &[&'static str]| {
            let tags: Vec<_> = tags.iter().copied().map(HeaderValue::from_static).collect();
            is_known_as_weak_only(&HeaderValue::from_static("\"a\""), &tags)
        };
        assert!(known(&["W/\"a\""]) && known(&["\"b\", W/\"a\""]) && known(&["\"b\"", "W/\"a\""]));
        assert!(!known(&["\"a\""]) && !known(&["W/\"a\"", "\"a\""]) && !known(&["*"]) && !known(&[]));
    }
}
