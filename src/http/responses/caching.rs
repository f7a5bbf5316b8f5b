//! How long caches may keep a response, and under which validator. A handler says so with a value; [`finish`] alone writes
//! `Cache-Control`, `ETag`, `Last-Modified` and `Vary`, and answers conditional requests.

use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::preconditions::{Decision, Preconditions};
use super::problem::{Code, Problem};
use super::validator::Validator;

/// A year: the longest that caches usually honour.
const IMMUTABLE_SECONDS: u32 = 31_536_000;

/// How long caches may keep a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum CachePolicy {
    /// Not at all.
    NoStore,
    /// As long as the server confirms it each time.
    Revalidate,
    /// For so many seconds without asking.
    Fresh(u32),
    /// For ever: the URL names the revision.
    Immutable,
}

impl CachePolicy {
    /// The value of `Cache-Control`. What needs a token is for the client's own cache only.
    fn header(self, is_private: bool) -> HeaderValue {
        let audience = if is_private { "private" } else { "public" };
        let text = match self {
            Self::NoStore => "no-store".to_owned(),
            Self::Revalidate if is_private => "private, no-cache".to_owned(),
            Self::Revalidate => "no-cache".to_owned(),
            Self::Fresh(seconds) => format!("{audience}, max-age={seconds}"),
            Self::Immutable => format!("{audience}, max-age={IMMUTABLE_SECONDS}, immutable"),
        };
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("no-store"))
    }
}

/// What a response says of itself to caches.
#[derive(Debug, Clone)]
pub(in crate::http) struct Caching {
    policy: CachePolicy,
    validator: Option<Validator>,
    /// The request header that chose the representation.
    vary: Option<HeaderName>,
}

impl Caching {
    /// Not to be kept.
    pub(in crate::http) const NO_STORE: Self = Self { policy: CachePolicy::NoStore, validator: None, vary: None };

    pub(in crate::http) fn new(policy: CachePolicy, validator: Validator) -> Self {
        Self { policy, validator: Some(validator), vary: None }
    }

    /// The response that the request's conditions give before any work is done; `None` when the response has to be made.
    pub(in crate::http) fn decided(&self, request: &HeaderMap) -> Option<Response> {
        let validator = self.validator.as_ref()?;
        match Preconditions::of(request).decide(validator, SystemTime::now()) {
            Decision::Proceed => None,
            Decision::NotModified => Some(self.attach(StatusCode::NOT_MODIFIED)),
            Decision::Failed => Some(precondition_failed()),
        }
    }

    /// A response that says this of itself.
    pub(in crate::http) fn attach(&self, response: impl IntoResponse) -> Response {
        let mut response = response.into_response();
        response.extensions_mut().insert(self.clone());
        response
    }
}

/// The same response, as one of several representations among which this header of the request chose.
pub(in crate::http) fn vary(mut response: Response, header: HeaderName) -> Response {
    if let Some(said) = response.extensions_mut().get_mut::<Caching>() {
        said.vary = Some(header);
    }
    response
}

fn precondition_failed() -> Response {
    let detail = "the resource is not, or no longer, in the version that If-Match or If-Unmodified-Since name; \
                  request it without them and begin again";
    Problem::new(Code::PreconditionFailed, detail).into_response()
}

/// Writes what a response says of itself into its headers, and answers with 304 or 412 where the request's conditions want it.
/// Under a revision, whatever may be kept may be kept for ever. What says nothing is not kept.
pub(in crate::http) fn finish(
    request: &Preconditions,
    response: Response,
    is_private: bool,
    has_revision: bool,
) -> Response {
    let mut response = response;
    let owned = [header::CACHE_CONTROL, header::ETAG, header::LAST_MODIFIED];
    debug_assert!(owned.iter().all(|name| !response.headers().contains_key(name)), "{:?}", response.headers());
    let is_kept = matches!(response.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
    let said = response.extensions_mut().remove::<Caching>().filter(|_| is_kept);
    debug_assert!(said.is_some() || !response.status().is_success(), "a response without a cache policy");
    let Caching { policy, validator, vary } = said.unwrap_or(Caching::NO_STORE);
    let now = SystemTime::now();
    if let Some(validator) = validator.as_ref().filter(|_| response.status().is_success()) {
        match request.decide(validator, now) {
            Decision::Proceed => {}
            Decision::NotModified => response = StatusCode::NOT_MODIFIED.into_response(),
            Decision::Failed => response = precondition_failed(),
        }
    }
    let is_failed = response.status() == StatusCode::PRECONDITION_FAILED;
    let policy = match policy {
        _ if is_failed => CachePolicy::NoStore,
        CachePolicy::NoStore => CachePolicy::NoStore,
        _ if has_revision => CachePolicy::Immutable,
        policy => policy,
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, policy.header(is_private));
    if let Some(validator) = validator.filter(|_| !is_failed) {
        headers.insert(header::ETAG, validator.tag.header());
        headers.extend(validator.last_modified(now).map(|date| (header::LAST_MODIFIED, date)));
    }
    if let Some(name) = vary {
        add_vary(headers, name);
    }
    response
}

/// The entity tag of a response.
pub(in crate::http) fn tag(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(header::ETAG)
}

/// Whether a response says when the data changed, which it does not during the second of the change.
pub(in crate::http) fn is_dated(headers: &HeaderMap) -> bool {
    headers.contains_key(header::LAST_MODIFIED)
}

/// Names one more request header that chose the representation.
pub(in crate::http) fn add_vary(headers: &mut HeaderMap, name: HeaderName) {
    headers.append(header::VARY, name.into());
}

/// Makes the entity tag weak: the body is no longer, byte for byte, what the tag was made for.
pub(in crate::http) fn weaken_tag(headers: &mut HeaderMap) {
    if let Some(weak) = tag(headers).and_then(weakened) {
        headers.insert(header::ETAG, weak);
    }
}

/// The weak form of a strong tag.
pub(in crate::http) fn weakened(tag: &HeaderValue) -> Option<HeaderValue> {
    let strong = tag.as_bytes().starts_with(b"\"").then_some(tag)?;
    HeaderValue::from_bytes(&[b"W/", strong.as_bytes()].concat()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::responses::entity_tag::EntityTag;

    fn validator(modified: u64) -> Validator {
        Validator::of_revision(EntityTag::of(&["a"]), modified)
    }

    fn finished(policy: CachePolicy, is_private: bool, has_revision: bool) -> String {
        let response = Caching::new(policy, validator(1000)).attach("body");
        let response = finish(&Preconditions::default(), response, is_private, has_revision);
        response.headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned()
    }

    #[test]
    fn every_policy_has_its_header() {
        for (policy, open, private, under_a_revision) in [
            (CachePolicy::NoStore, "no-store", "no-store", "no-store"),
            (CachePolicy::Revalidate, "no-cache", "private, no-cache", "public, max-age=31536000, immutable"),
            (
                CachePolicy::Fresh(300),
                "public, max-age=300",
                "private, max-age=300",
                "public, max-age=31536000, immutable",
            ),
        ] {
            assert_eq!(finished(policy, false, false), open);
            assert_eq!(finished(policy, true, false), private);
            assert_eq!(finished(policy, false, true), under_a_revision);
        }
        assert_eq!(finished(CachePolicy::Revalidate, true, true), "private, max-age=31536000, immutable");
    }

    #[test]
    fn what_says_nothing_or_failed_is_not_kept() {
        let problem = Problem::new(Code::UnknownPath, "nothing").into_response();
        let told = Caching::new(CachePolicy::Fresh(300), validator(1000)).attach(problem);
        let response = finish(&Preconditions::default(), told, false, true);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert!(!response.headers().contains_key(header::ETAG));
    }
}
