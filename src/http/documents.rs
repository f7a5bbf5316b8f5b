//! JSON answers. One is a pure function of the address asked for and of the index's revision, so it is kept, and the
//! next client who asks the same costs no SQL.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use moka::sync::Cache;
use serde::Serialize;

use super::caching::{CachePolicy, Caching, Validator};
use super::freshness::EntityTag;
use super::problem::Problem;
use crate::pictures::Snapshot;

/// Recent JSON answers, bounded in bytes.
#[derive(Debug, Clone)]
pub(super) struct Documents {
    kept: Cache<String, Document>,
}

#[derive(Debug, Clone)]
struct Document {
    index_revision: u64,
    caching: Caching,
    body: Bytes,
    link: Option<HeaderValue>,
}

/// A JSON answer with the revision of the index that it was made from and, for a listing, where it goes on.
pub(super) struct Answer<T> {
    revision: u64,
    body: T,
    /// Value of the `Link` header.
    link: Option<String>,
}

impl<T> Answer<T> {
    /// An answer that was made from this snapshot and nothing else.
    pub(super) fn of(snapshot: &Snapshot, body: T) -> Self {
        Self { revision: snapshot.catalogue.revision, body, link: None }
    }

    /// The same with a value of the `Link` header.
    pub(super) fn linked(self, link: Option<String>) -> Self {
        Self { link, ..self }
    }
}

impl Documents {
    /// Keeps at most `budget` bytes.
    pub(super) fn new(budget: u64) -> Self {
        let weight = |uri: &String, document: &Document| {
            u32::try_from(uri.len() + document.body.len() + 256).unwrap_or(u32::MAX)
        };
        Self { kept: Cache::builder().max_capacity(budget).weigher(weight).build() }
    }

    /// Answers with what is kept for this address at this revision, or with what `make` makes, perhaps at a newer one.
    pub(super) async fn answer<T: Serialize>(
        &self,
        uri: &Uri,
        index_revision: u64,
        request: &HeaderMap,
        make: impl Future<Output = Result<Answer<T>, Problem>>,
    ) -> Result<Response, Problem> {
        let address = uri.path_and_query().map_or(uri.path(), |full| full.as_str());
        if let Some(kept) = self.kept.get(address).filter(|kept| kept.index_revision == index_revision) {
            return Ok(kept.into_response(request));
        }
        let Answer { revision, body, link } = make.await?;
        let body = serde_json::to_vec(&body).map_err(|error| Problem::internal(&error))?.into();
        let tag = EntityTag::of(&[address, &revision.to_string()]);
        let caching = Caching::new(CachePolicy::Revalidate, Validator::of_revision(tag, revision));
        let link = link.and_then(|link| HeaderValue::from_str(&link).ok());
        let document = Document { index_revision: revision, caching, body, link };
        self.kept.insert(address.to_owned(), document.clone());
        Ok(document.into_response(request))
    }
}

impl Document {
    fn into_response(self, request: &HeaderMap) -> Response {
        if let Some(response) = self.caching.decided(request) {
            return response;
        }
        let mut response = self.caching.attach(Response::new(Body::from(self.body)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(link) = self.link {
            headers.insert(header::LINK, link);
        }
        response
    }
}
