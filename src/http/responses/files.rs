//! Files and ranges of them (RFC 9110 section 14): single byte ranges, and `If-Range` so that a download never continues with
//! another file's bytes.

use std::ops::Range;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::byte_range::ByteRange;
use super::caching::{CachePolicy, Caching};
use super::entity_tag::EntityTag;
use super::preconditions::if_range_holds;
use super::problem::{Code, Problem};
use super::validator::Validator;
use crate::bundles::{Bundle, Chunks};
use crate::renderer::RendererError;

/// Files of more bytes are sent without their digest: they would have to be made twice.
const LARGEST_DIGESTED: u64 = 64 << 20;

/// Bytes of an archive at most: below what a ZIP file without extensions can say.
const LARGEST_ARCHIVE: u64 = 3 << 30;

/// Digests that are remembered.
const DIGESTS: u64 = 10_000;

/// The response that the request's conditions give to a file before it is made; `None` when it has to be made.
pub(in crate::http) fn decided(validator: &Validator, request: &HeaderMap) -> Option<Response> {
    caching(validator).decided(request)
}

/// What a file says of itself to caches.
fn caching(validator: &Validator) -> Caching {
    Caching::new(CachePolicy::Revalidate, validator.clone())
}

/// The range that a request wants of a file of `len` bytes, `None` for all of it; or the response to a request that gets
/// nothing of it, because it has the file already, or because its conditions or its range do not hold.
pub(in crate::http) fn requested(
    request: &HeaderMap,
    validator: &Validator,
    len: u64,
) -> Result<Option<Range<u64>>, Box<Response>> {
    if let Some(response) = decided(validator, request) {
        return Err(response.into());
    }
    match requested_range(request, validator, len) {
        ByteRange::Whole => Ok(None),
        ByteRange::Part(range) => Ok(Some(range)),
        ByteRange::Nothing => Err(range_not_satisfiable(len).into()),
    }
}

fn requested_range(request: &HeaderMap, validator: &Validator, len: u64) -> ByteRange {
    let same_file = if_range_holds(request, validator, SystemTime::now());
    let range = request.get(header::RANGE).and_then(|value: &HeaderValue| value.to_str().ok());
    range.filter(|_| same_file).map_or(ByteRange::Whole, |range| ByteRange::of(range, len))
}

/// 416: the range lies beyond the end of the file.
fn range_not_satisfiable(len: u64) -> Response {
    let detail = format!("the file has {len} bytes, and none of them are in the requested range");
    let problem = Problem::new(Code::RangeNotSatisfiable, detail);
    ([(header::CONTENT_RANGE, format!("bytes */{len}"))], problem).into_response()
}

/// A file of `len` bytes, or a range of it, with this body.
pub(in crate::http) fn sized(
    validator: &Validator,
    media_type: &'static str,
    len: u64,
    range: Option<Range<u64>>,
    body: impl Into<Body>,
) -> Response {
    let mut response = with_type(validator, media_type, "bytes", body.into());
    let is_part = range.is_some();
    let Range { start, end } = range.unwrap_or(0..len);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
    if is_part {
        let range = HeaderValue::try_from(format!("bytes {start}-{}/{len}", end - 1));
        response.headers_mut().extend(range.map(|range| (header::CONTENT_RANGE, range)));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

fn with_type(validator: &Validator, media_type: &'static str, ranges: &'static str, body: Body) -> Response {
    let mut response = caching(validator).attach(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static(ranges));
    response
}

/// A file in memory.
#[derive(Debug, Clone)]
pub(in crate::http) struct InMemoryFile {
    pub(in crate::http) bytes: Bytes,
    pub(in crate::http) media_type: &'static str,
    pub(in crate::http) validator: Validator,
}

impl InMemoryFile {
    /// All of the file, or the part of it that is requested.
    pub(in crate::http) fn answer(self, request: &HeaderMap) -> Response {
        let Self { bytes, media_type, validator } = self;
        let len = bytes.len() as u64;
        match requested(request, &validator, len) {
            Err(response) => *response,
            Ok(None) => sized(&validator, media_type, len, None, bytes),
            Ok(Some(range)) => {
                let part = bytes.slice(range.start as usize..range.end as usize);
                sized(&validator, media_type, len, Some(range), part)
            }
        }
    }
}

/// A file that is streamed and whose length is not known.
pub(in crate::http) fn unsized_file(validator: &Validator, media_type: &'static str, body: Body) -> Response {
    with_type(validator, media_type, "none", body)
}

/// The validator of a bundle of the data at this revision.
pub(in crate::http) fn validator(bundle: &Bundle, revision: u64) -> Validator {
    let version: Vec<_> = bundle.version().iter().map(String::as_str).collect();
    Validator::of_revision(EntityTag::of(&version), revision)
}

/// A bundle, or the requested range of it, sent while it is made. A client that wants its digest (`Want-Repr-Digest`, RFC
/// 9530) has it made once for that.
pub(in crate::http) async fn send(
    request: &HeaderMap,
    bundle: &Bundle,
    revision: u64,
    digests: &Digests,
) -> Result<Response, Problem> {
    let (validator, media_type) = (validator(bundle, revision), bundle.media_type());
    let Some(len) = bundle.len() else {
        let body = || streamed(bundle.chunks());
        return Ok(decided(&validator, request).unwrap_or_else(|| unsized_file(&validator, media_type, body())));
    };
    let range = match requested(request, &validator, len) {
        Ok(range) => range.filter(|range| *range != (0..len)),
        Err(response) => return Ok(*response),
    };
    let digest = if wants_digest(request) && len <= LARGEST_DIGESTED {
        Some(digests.of(&validator.tag, bundle).await?)
    } else {
        None
    };
    let body = streamed(bundle.range(range.clone().unwrap_or(0..len)));
    let mut response = sized(&validator, media_type, len, range, body);
    response.headers_mut().extend(digest.map(|digest| (HeaderName::from_static("repr-digest"), digest)));
    Ok(response)
}

/// An archive with its length, if it is not too long to be sent.
pub(in crate::http) fn sendable(bundle: Bundle, what: &str, instead: &str) -> Result<(Bundle, u64), Problem> {
    match bundle.len() {
        Some(len) if len <= LARGEST_ARCHIVE => Ok((bundle, len)),
        len => {
            let len = len.unwrap_or(u64::MAX);
            let detail = format!("{what} would have {len} bytes; at most {LARGEST_ARCHIVE} are sent: {instead}");
            Err(Problem::new(Code::OutputTooLarge, detail))
        }
    }
}

/// A body of bytes that are made while it is sent. When making them fails, the client sees a connection that ends early, and
/// the log says why.
pub(in crate::http) fn streamed(chunks: Chunks) -> Body {
    Body::from_stream(chunks.inspect_err(|error| {
        tracing::error!(error = error as &dyn std::error::Error, "a file broke off");
    }))
}

fn wants_digest(request: &HeaderMap) -> bool {
    let wanted = request.get("want-repr-digest").and_then(|value| value.to_str().ok());
    // Zero means "not this one".
    wanted.is_some_and(|wanted| {
        wanted.split(',').any(|item| {
            item.trim().strip_prefix("sha-256").is_some_and(|weight| weight.trim_start_matches('=').trim() != "0")
        })
    })
}

/// Digests of recent files.
#[derive(Debug)]
pub(in crate::http) struct Digests(Cache<EntityTag, HeaderValue>);

impl Default for Digests {
    fn default() -> Self {
        Self(Cache::new(DIGESTS))
    }
}

impl Digests {
    /// The digest of the file with this tag, as `Repr-Digest` gives it; made once.
    async fn of(&self, tag: &EntityTag, bundle: &Bundle) -> Result<HeaderValue, RendererError> {
        if let Some(digest) = self.0.get(tag) {
            return Ok(digest);
        }
        let digest = digest_of(bundle).await?;
        self.0.insert(tag.clone(), digest.clone());
        Ok(digest)
    }
}

async fn digest_of(bundle: &Bundle) -> Result<HeaderValue, RendererError> {
    let mut hash = Sha256::new();
    let mut chunks = bundle.chunks();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        // Milliseconds for each slice: other tasks of this thread go to others meanwhile.
        tokio::task::block_in_place(|| hash.update(&chunk));
    }
    let digest = format!("sha-256=:{}:", BASE64_STANDARD.encode(hash.finalize()));
    Ok(HeaderValue::try_from(digest).unwrap_or(HeaderValue::from_static("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_does_not_go_on_with_another_file() {
        let of = |if_range: &'static str| {
            let range = (header::RANGE, HeaderValue::from_static("bytes=0-3"));
            let headers = HeaderMap::from_iter([range, (header::IF_RANGE, HeaderValue::from_static(if_range))]);
            requested_range(&headers, &Validator::of_tag(EntityTag::of(&["x"])), 10)
        };
        let own = EntityTag::of(&["x"]).header().to_str().unwrap().to_owned().leak();
        assert_eq!(of(own), ByteRange::Part(0..4));
        assert_eq!(of("\"another file\""), ByteRange::Whole);
    }
}
