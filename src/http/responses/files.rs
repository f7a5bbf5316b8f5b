//! Parts of files (RFC 9110 section 14): single byte ranges, and `If-Range` so that a download never continues with another
//! file's bytes.

use std::ops::Range;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use super::byte_range::ByteRange;
use super::caching::{CachePolicy, Caching, Validator};
use super::preconditions::if_range_holds;
use super::problem::{Code, Problem};
use crate::http::state::App;
use crate::renderer::{Part, ReadAhead, RendererError, assembled, assembled_range};

/// Files of more bytes are sent without their digest: they would have to be made twice.
const LARGEST_DIGESTED: u64 = 64 << 20;

/// What a request asks of a file of `len` bytes.
pub(in crate::http) fn requested_range(request: &HeaderMap, validator: &Validator, len: u64) -> ByteRange {
    let same_file = if_range_holds(request, validator, SystemTime::now());
    let range = request.get(header::RANGE).and_then(|value: &HeaderValue| value.to_str().ok());
    range.filter(|_| same_file).map_or(ByteRange::Whole, |range| ByteRange::of(range, len))
}

/// The response that the request's conditions give to a file before it is made; `None` when it has to be made.
pub(in crate::http) fn decided(validator: &Validator, request: &HeaderMap) -> Option<Response> {
    caching(validator).decided(request)
}

/// What a file says of itself to caches.
fn caching(validator: &Validator) -> Caching {
    Caching::new(CachePolicy::Revalidate, validator.clone())
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
        if let Some(response) = decided(&self.validator, request) {
            return response;
        }
        let len = self.bytes.len() as u64;
        let response = match requested_range(request, &self.validator, len) {
            ByteRange::Whole => self.bytes.into_response(),
            ByteRange::Part(part) => {
                let range = format!("bytes {}-{}/{len}", part.start, part.end - 1);
                let bytes = self.bytes.slice(part.start as usize..part.end as usize);
                (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, range)], bytes).into_response()
            }
            ByteRange::Nothing => return range_not_satisfiable(len),
        };
        let mut response = caching(&self.validator).attach(response);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        response
    }
}

/// A file that is sent while it is made.
#[derive(Debug, Clone)]
pub(in crate::http) struct StreamedFile {
    /// Known for every format whose members are not compressed.
    pub(in crate::http) len: Option<u64>,
    pub(in crate::http) validator: Validator,
    pub(in crate::http) media_type: &'static str,
}

impl StreamedFile {
    /// The requested part of the file that these parts make. `parts` may be called twice: a client that wants the
    /// file's digest (`Want-Repr-Digest`, RFC 9530) has it made once for that.
    pub(in crate::http) async fn answer<I: Iterator<Item = Part> + Send + 'static>(
        self,
        app: &App,
        request: &HeaderMap,
        parts: impl Fn() -> I,
    ) -> Result<Response, Problem> {
        let Some(len) = self.len else {
            let body = Body::from_stream(assembled(app.renderer().read_ahead(), parts()).inspect_err(stream_error));
            return Ok(self.unsized_answer(request, body));
        };
        if let Some(response) = decided(&self.validator, request) {
            return Ok(response);
        }
        let range = match requested_range(request, &self.validator, len) {
            ByteRange::Whole => 0..len,
            ByteRange::Part(part) => part,
            ByteRange::Nothing => return Ok(range_not_satisfiable(len)),
        };
        let digest = if wants_digest(request) && len <= LARGEST_DIGESTED {
            Some(app.digest(&self.validator.tag, parts()).await?)
        } else {
            None
        };
        let chunks = assembled_range(app.renderer().read_ahead(), parts(), range.clone());
        let body = Body::from_stream(chunks.inspect_err(stream_error));
        let mut response = self.partial(len, range, body);
        response.headers_mut().extend(digest.map(|digest| (HeaderName::from_static("repr-digest"), digest)));
        Ok(response)
    }

    /// The requested part of a file of known length that can only be made from its beginning, or 304.
    pub(in crate::http) fn answer_in_order(
        self,
        request: &HeaderMap,
        chunks: impl Stream<Item = Result<Bytes, RendererError>> + Send + 'static,
    ) -> Response {
        let len = self.len.unwrap_or(0);
        if let Some(response) = decided(&self.validator, request) {
            return response;
        }
        let range = match requested_range(request, &self.validator, len) {
            ByteRange::Whole => 0..len,
            ByteRange::Part(part) => part,
            ByteRange::Nothing => return range_not_satisfiable(len),
        };
        self.partial(len, range.clone(), Body::from_stream(cut(chunks, range).inspect_err(stream_error)))
    }

    /// A body that is the whole file or a part of it.
    fn partial(&self, len: u64, range: Range<u64>, body: Body) -> Response {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
        if range != (0..len) {
            let told = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            headers.extend(HeaderValue::try_from(told).map(|told| (header::CONTENT_RANGE, told)));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        self.headed(response)
    }

    /// The whole of a file whose length is not known.
    pub(in crate::http) fn unsized_answer(&self, request: &HeaderMap, body: Body) -> Response {
        decided(&self.validator, request).unwrap_or_else(|| self.headed(Response::new(body)))
    }

    fn headed(&self, response: Response) -> Response {
        let mut response = caching(&self.validator).attach(response);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        let ranges = if self.len.is_some() { "bytes" } else { "none" };
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static(ranges));
        response
    }
}

/// The bytes of a stream that lie in a range. What lies behind it is not made.
fn cut(
    chunks: impl Stream<Item = Result<Bytes, RendererError>>,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, RendererError>> {
    let placed = chunks.scan(0, |end, chunk| {
        let start = *end;
        *end += chunk.as_ref().map_or(0, |bytes| bytes.len() as u64);
        std::future::ready(Some((start, chunk)))
    });
    let Range { start: first, end: last } = range;
    let wanted = placed.take_while(move |(start, _)| std::future::ready(*start < last));
    wanted.filter_map(move |(start, chunk)| {
        let within = |at: u64, len: usize| at.saturating_sub(start).min(len as u64) as usize;
        let cut = chunk.map(|bytes| bytes.slice(within(first, bytes.len())..within(last, bytes.len())));
        std::future::ready(Some(cut).filter(|cut| cut.as_ref().map_or(true, |bytes| !bytes.is_empty())))
    })
}

/// The client sees a connection that ends early; the log says why.
pub(in crate::http) fn stream_error(error: &RendererError) {
    tracing::error!(error = error as &dyn std::error::Error, "a file broke off");
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

/// The digest of the file that these parts make, as `Repr-Digest` tells it.
pub(in crate::http) async fn digest_of(
    ahead: ReadAhead,
    parts: impl Iterator<Item = Part> + Send + 'static,
) -> Result<HeaderValue, RendererError> {
    let mut hash = Sha256::new();
    let mut chunks = Box::pin(assembled(ahead, parts));
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        // Milliseconds for each slice: other tasks of this thread go to others meanwhile.
        tokio::task::block_in_place(|| hash.update(&chunk));
    }
    let told = format!("sha-256=:{}:", BASE64_STANDARD.encode(hash.finalize()));
    Ok(HeaderValue::try_from(told).unwrap_or(HeaderValue::from_static("")))
}

/// 416: the range lies beyond the end of the file.
pub(in crate::http) fn range_not_satisfiable(len: u64) -> Response {
    let detail = format!("the file has {len} bytes, and none of them are in the requested range");
    let problem = Problem::new(Code::RangeNotSatisfiable, detail);
    ([(header::CONTENT_RANGE, format!("bytes */{len}"))], problem).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::responses::entity_tag::EntityTag;

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
