//! Parts of files (RFC 9110 section 14): single byte ranges, and `If-Range` so that a download never continues with another
//! file's bytes.

use std::ops::Range;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use super::app::App;
use super::freshness::EntityTag;
use super::problem::{Code, Problem};
use crate::pictures::{Part, PictureError, assembled, assembled_range};

/// What of a file is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of it. Several ranges are answered like this too, which a server may.
    Whole,
    /// These bytes; never empty.
    Part(Range<u64>),
    /// Nothing that there is.
    Nothing,
}

/// What a request asks of a file of `len` bytes.
pub(super) fn asked(request: &HeaderMap, tag: &EntityTag, len: u64) -> Asked {
    let text = |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let same_file = text(header::IF_RANGE).is_none_or(|known| known.as_bytes() == tag.header().as_bytes());
    let range = text(header::RANGE).filter(|_| same_file).and_then(|range| range.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else { return Asked::Whole };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let part = match (first.trim(), last.trim()) {
        // The last so many bytes.
        ("", last) => number(last).map(|n| len.saturating_sub(n)..len),
        (first, "") => number(first).map(|first| first..len),
        (first, last) => number(first)
            .zip(number(last))
            .filter(|(first, last)| first <= last)
            .map(|(first, last)| first..last.saturating_add(1).min(len)),
    };
    match part {
        None => Asked::Whole,
        Some(part) if part.start < part.end => Asked::Part(part),
        Some(_) => Asked::Nothing,
    }
}

/// A file in memory.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) bytes: Bytes,
    pub(super) media_type: &'static str,
    pub(super) tag: EntityTag,
}

impl File {
    /// All of the file, the part of it that is asked for, or 304.
    pub(super) fn answer(self, request: &HeaderMap) -> Response {
        let len = self.bytes.len() as u64;
        let mut response = if self.tag.is_known_to(request) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            match asked(request, &self.tag, len) {
                Asked::Whole => self.bytes.into_response(),
                Asked::Part(part) => {
                    let range = format!("bytes {}-{}/{len}", part.start, part.end - 1);
                    let bytes = self.bytes.slice(part.start as usize..part.end as usize);
                    (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, range)], bytes).into_response()
                }
                Asked::Nothing => return beyond(len),
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(header::ETAG, self.tag.header());
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

/// A file that is sent while it is made.
#[derive(Debug, Clone)]
pub(super) struct SentFile {
    /// Known for every format whose members are not compressed.
    pub(super) len: Option<u64>,
    pub(super) tag: EntityTag,
    pub(super) media_type: &'static str,
}

impl SentFile {
    /// The asked part of the file that these parts make, or 304. `parts` may be called twice: a client that wants the
    /// file's digest (`Want-Repr-Digest`, RFC 9530) has it made once for that.
    pub(super) async fn answer<I: Iterator<Item = Part> + Send + 'static>(
        self,
        app: &App,
        request: &HeaderMap,
        parts: impl Fn() -> I,
    ) -> Result<Response, Problem> {
        let Some(len) = self.len else {
            let body = Body::from_stream(assembled(parts()).inspect_err(broken_off));
            return Ok(self.unsized_answer(request, body));
        };
        if self.tag.is_known_to(request) {
            return Ok(self.headed(StatusCode::NOT_MODIFIED.into_response()));
        }
        let range = match asked(request, &self.tag, len) {
            Asked::Whole => 0..len,
            Asked::Part(part) => part,
            Asked::Nothing => return Ok(beyond(len)),
        };
        let digest = if wants_digest(request) { Some(app.digest(&self.tag, parts()).await?) } else { None };
        let body = Body::from_stream(assembled_range(parts(), range.clone()).inspect_err(broken_off));
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
        if range != (0..len) {
            let told = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            headers.extend(HeaderValue::try_from(told).map(|told| (header::CONTENT_RANGE, told)));
        }
        headers.extend(digest.map(|digest| (HeaderName::from_static("repr-digest"), digest)));
        if range != (0..len) {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        Ok(self.headed(response))
    }

    /// The whole of a file whose length is not known, or 304.
    pub(super) fn unsized_answer(&self, request: &HeaderMap, body: Body) -> Response {
        if self.tag.is_known_to(request) {
            return self.headed(StatusCode::NOT_MODIFIED.into_response());
        }
        self.headed(Response::new(body))
    }

    fn headed(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(header::ETAG, self.tag.header());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let ranges = if self.len.is_some() { "bytes" } else { "none" };
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static(ranges));
        response
    }
}

/// The client sees a connection that ends early; the log says why.
pub(super) fn broken_off(error: &PictureError) {
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
pub(super) async fn digest_of(parts: impl Iterator<Item = Part> + Send + 'static) -> Result<HeaderValue, PictureError> {
    let mut hash = Sha256::new();
    let mut chunks = Box::pin(assembled(parts));
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        // Milliseconds for each slice: other tasks of this thread go to others meanwhile.
        tokio::task::block_in_place(|| hash.update(&chunk));
    }
    let told = format!("sha-256=:{}:", BASE64_STANDARD.encode(hash.finalize()));
    Ok(HeaderValue::try_from(told).unwrap_or(HeaderValue::from_static("")))
}

/// 416: the range lies beyond the end of the file.
pub(super) fn beyond(len: u64) -> Response {
    let detail = format!("the file has {len} bytes, and none of them are in the range that was asked for");
    let problem = Problem::new(Code::RangeNotSatisfiable, detail);
    ([(header::CONTENT_RANGE, format!("bytes */{len}"))], problem).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &'static str, if_range: Option<&'static str>) -> Asked {
        let mut headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static(range))]);
        headers.extend(if_range.map(|tag| (header::IF_RANGE, HeaderValue::from_static(tag))));
        asked(&headers, &EntityTag::of(&["x"]), 10)
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        assert_eq!(of("bytes=0-3", None), Asked::Part(0..4));
        assert_eq!(of("bytes=4-", None), Asked::Part(4..10));
        assert_eq!(of("bytes=-3", None), Asked::Part(7..10));
        assert_eq!(of("bytes=-30", None), Asked::Part(0..10));
        assert_eq!(of("bytes=8-99", None), Asked::Part(8..10));
        assert_eq!(of("bytes=0-18446744073709551615", None), Asked::Part(0..10));
        for nothing in ["bytes=10-", "bytes=99-100", "bytes=-0"] {
            assert_eq!(of(nothing, None), Asked::Nothing, "{nothing}");
        }
        for whole in ["bytes=3-1", "bytes=a-b", "bytes=", "lines=0-3", "bytes=0-1,3-4", "bytes=-"] {
            assert_eq!(of(whole, None), Asked::Whole, "{whole}");
        }
        assert_eq!(of("bytes=0-3", Some("\"another file\"")), Asked::Whole);
    }
}
