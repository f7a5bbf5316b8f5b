use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::Serialize;

use super::documents::{Answer, Documents};
use super::extract::Pairs;
use super::problem::Problem;
use crate::index::{Reader, ScanRow, VolumeFacts};
use crate::pictures::Pictures;
use crate::spider::ScanId;

/// Memory for recent JSON answers, in bytes.
const DOCUMENT_BYTES: u64 = 32 << 20;

/// What handlers share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pictures: Arc<Pictures>,
    reader: Reader,
    documents: Documents,
}

impl App {
    /// The service over one index and its pictures.
    #[must_use]
    pub fn new(reader: Reader, pictures: Arc<Pictures>) -> Self {
        Self { shared: Arc::new(Shared { pictures, reader, documents: Documents::new(DOCUMENT_BYTES) }) }
    }

    pub(super) fn pictures(&self) -> &Arc<Pictures> {
        &self.shared.pictures
    }

    pub(super) fn index(&self) -> &Reader {
        &self.shared.reader
    }

    /// A scan that the index knows.
    pub(super) async fn scan(&self, scan: ScanId) -> Result<ScanRow, Problem> {
        let unknown = || Problem::not_found("unknown_scan", format!("there is no scan {scan}; /v1/scans lists them"));
        self.index().scan(scan).await?.ok_or_else(unknown)
    }

    /// The volume of a scan that has one.
    pub(super) async fn volume(&self, scan: ScanId) -> Result<VolumeFacts, Problem> {
        let detail = || format!("{scan} has a row in overview.csv, but its voxels were not imported");
        self.scan(scan).await?.volume.ok_or_else(|| Problem::not_found("no_volume", detail()))
    }
}

/// A question that is answered in JSON.
pub(super) struct Question {
    pub(super) app: App,
    pub(super) uri: Uri,
    pub(super) pairs: Pairs,
    headers: HeaderMap,
}

impl FromRequestParts<App> for Question {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let State(app) = State::<App>::from_request_parts(parts, app).await?;
        let pairs = Pairs::from_request_parts(parts, &app).await?;
        Ok(Self { app, pairs, uri: parts.uri.clone(), headers: parts.headers.clone() })
    }
}

impl Question {
    /// Answers with what is kept, with 304, or with what `make` makes.
    pub(super) async fn answer<T: Serialize>(
        &self,
        make: impl Future<Output = Result<T, Problem>>,
    ) -> Result<Response, Problem> {
        self.answer_page(async { make.await.map(Answer::whole) }).await
    }

    /// The same for a page, which says where the listing goes on.
    pub(super) async fn answer_page<T: Serialize>(
        &self,
        make: impl Future<Output = Result<Answer<T>, Problem>>,
    ) -> Result<Response, Problem> {
        let revision = self.app.pictures().catalogue().revision;
        self.app.shared.documents.answer(&self.uri, revision, &self.headers, make).await
    }
}
