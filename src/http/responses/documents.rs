//! JSON answers. One is a pure function of the address requested and of the index's revision, so it is kept, and the
//! next client who asks the same costs no SQL. However many ask at once, it is made once.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

use super::caching::{CachePolicy, Caching};
use super::entity_tag::EntityTag;
use super::problem::Problem;
use super::validator::Validator;
use crate::http::state::single_flight::{Lookup, SingleFlightCache};
use crate::renderer::{RendererError, Snapshot};
use crate::worker_pool::{Budget, Flow};

/// Bytes that are reserved for a document while it is made: more than a page of 1000 rows has.
const RESERVED: u64 = 1 << 20;

/// What a document takes beside its URL and its body.
const OVERHEAD: usize = 256;

/// Recent JSON answers by URL and revision, bounded in bytes.
#[derive(Debug)]
pub(in crate::http) struct Documents(SingleFlightCache<(String, u64), Document>);

#[derive(Debug, Clone)]
struct Document {
    caching: Caching,
    body: Bytes,
    link: Option<HeaderValue>,
}

/// A JSON answer with the revision of the index that it was made from and, for a listing, where it goes on.
pub(in crate::http) struct Answer<T> {
    revision: u64,
    body: T,
    /// Value of the `Link` header.
    link: Option<String>,
}

impl<T> Answer<T> {
    /// An answer that was made from this snapshot and nothing else.
    pub(in crate::http) fn of(snapshot: &Snapshot, body: T) -> Self {
        Self { revision: snapshot.catalogue.revision, body, link: None }
    }

    /// The same with a value of the `Link` header.
    pub(in crate::http) fn linked(self, link: Option<String>) -> Self {
        Self { link, ..self }
    }
}

impl Documents {
    /// Keeps at most `budget` bytes.
    pub(in crate::http) fn new(budget: u64) -> Self {
        Self(SingleFlightCache::new(budget, |(url, _), document| url.len() + document.body.len() + OVERHEAD))
    }

    /// Answers with what is kept for this address at this revision, or with what `make` makes, perhaps at a newer one.
    pub(in crate::http) async fn answer<T: Serialize>(
        &self,
        uri: &Uri,
        index_revision: u64,
        request: &HeaderMap,
        budget: &Budget,
        make: impl Future<Output = Result<Answer<T>, Problem>>,
    ) -> Result<Response, Problem> {
        let address = uri.path_and_query().map_or(uri.path(), |full| full.as_str());
        let turn = match self.0.look_up((address.to_owned(), index_revision)).await {
            Lookup::Kept(document) => return document.response(request, budget).await,
            Lookup::Turn(turn) => turn,
        };
        let reservation = budget.reserve(Flow::interactive(), RESERVED.min(budget.largest())).await;
        let reservation = reservation.map_err(RendererError::Memory)?;
        let Answer { revision, body, link } = make.await?;
        let body: Bytes = serde_json::to_vec(&body).map_err(|error| Problem::internal(&error))?.into();
        let tag = EntityTag::of(&[address, &revision.to_string()]);
        let caching = Caching::new(CachePolicy::Revalidate, Validator::of_revision(tag, revision));
        let link = link.and_then(|link| HeaderValue::from_str(&link).ok());
        let document = Document { caching, body, link };
        turn.keep_as((address.to_owned(), revision), document.clone());
        Ok(Document { body: reservation.hold(document.body.clone()), ..document }.into_response(request))
    }
}

impl Document {
    /// The response to a request. Its body counts as memory until it was sent, even if the cache drops it meanwhile.
    async fn response(self, request: &HeaderMap, budget: &Budget) -> Result<Response, Problem> {
        if let Some(response) = self.caching.decided(request) {
            return Ok(response);
        }
        let reservation = budget.reserve(Flow::interactive(), self.body.len() as u64).await;
        let body = reservation.map_err(RendererError::Memory)?.hold(self.body.clone());
        Ok(Self { body, ..self }.into_response(request))
    }

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

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn documents() -> (Documents, Uri, HeaderMap) {
        (Documents::new(1 << 20), Uri::from_static("/v1/scans"), HeaderMap::new())
    }

    #[tokio::test]
    async fn what_many_request_at_once_is_made_once() {
        let ((documents, uri, headers), budget, made) = (documents(), Budget::new(64 << 20), AtomicUsize::new(0));
        let request = || {
            let make = async {
                made.fetch_add(1, Ordering::Relaxed);
                // Everyone else has their turn while this one is made.
                tokio::task::yield_now().await;
                Ok(Answer { revision: 7, body: "x", link: None })
            };
            documents.answer(&uri, 7, &headers, &budget, make)
        };
        let responses = join_all((0..64).map(|_| request())).await;
        assert!(responses.iter().all(Result::is_ok));
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_document_counts_as_memory_until_it_was_sent() {
        let ((documents, uri, headers), budget) = (documents(), Budget::new(64 << 20));
        for _ in 0..2 {
            let make = async { Ok(Answer { revision: 7, body: "x".repeat(998), link: None }) };
            let response = documents.answer(&uri, 7, &headers, &budget, make).await.ok().unwrap();
            assert_eq!(budget.load().0, 1000);
            drop(response);
            assert_eq!(budget.load().0, 0);
        }
    }
}
