use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use moka::sync::Cache;
use serde::Serialize;

use super::documents::{Answer, Documents};
use super::extract::RawPairs;
use super::freshness::EntityTag;
use super::limits::Limits;
use super::metrics::Metrics;
use super::problem::{Code, Problem};
use super::ranges::digest_of;
use super::tables::Files;
use super::training::Samples;
use super::volumes::ZippedVolumes;
use crate::access::KeyFile;
use crate::index::{Reader, ScanRow, VolumeFacts};
use crate::parameters::{Pairs, Parameter};
use crate::pictures::{Part, Pictures};
use crate::spider::ScanId;
use crate::store::Store;

/// Memory for recent JSON answers, in bytes.
const DOCUMENT_BYTES: u64 = 32 << 20;

/// Digests that are remembered.
const DIGESTS: u64 = 10_000;

/// What handlers share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    shared: Arc<Shared>,
    limits: Limits,
    key_file: Option<Arc<KeyFile>>,
}

#[derive(Debug)]
struct Shared {
    pictures: Arc<Pictures>,
    reader: Reader,
    store: Store,
    documents: Documents,
    files: Files,
    zipped_volumes: ZippedVolumes,
    digests: Cache<String, HeaderValue>,
    samples: Samples,
    metrics: Metrics,
    is_stopping: AtomicBool,
}

impl App {
    /// The service over one index and its pictures.
    #[must_use]
    pub fn new(reader: Reader, pictures: Arc<Pictures>, store: Store) -> Self {
        Self {
            limits: Limits::default(),
            key_file: None,
            shared: Arc::new(Shared {
                metrics: Metrics::new(&pictures),
                is_stopping: AtomicBool::new(false),
                pictures,
                reader,
                store,
                documents: Documents::new(DOCUMENT_BYTES),
                files: Files::new(),
                zipped_volumes: ZippedVolumes::new(),
                digests: Cache::new(DIGESTS),
                samples: Samples::new(),
            }),
        }
    }

    /// The same within these limits.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same for those who hold a token; for everybody when there is no file.
    #[must_use]
    pub fn guarded(self, key_file: Option<Arc<KeyFile>>) -> Self {
        Self { key_file, ..self }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn key_file(&self) -> Option<&KeyFile> {
        self.key_file.as_deref()
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// From now on the service says that it is going: it is not ready any more, and every answer closes its connection.
    pub(super) fn begin_stopping(&self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.shared.is_stopping.load(Ordering::Relaxed)
    }

    pub(super) fn pictures(&self) -> &Arc<Pictures> {
        &self.shared.pictures
    }

    pub(super) fn index(&self) -> &Reader {
        &self.shared.reader
    }

    /// What samples of streams say of their scans.
    pub(super) fn samples(&self) -> &Samples {
        &self.shared.samples
    }

    /// The digest of the file with this tag, which these parts make; made once.
    pub(super) async fn digest(
        &self,
        tag: &EntityTag,
        parts: impl Iterator<Item = Part> + Send + 'static,
    ) -> Result<HeaderValue, Problem> {
        let key = tag.header().to_str().unwrap_or_default().to_owned();
        if let Some(digest) = self.shared.digests.get(&key) {
            return Ok(digest);
        }
        let digest = digest_of(parts).await?;
        self.shared.digests.insert(key, digest.clone());
        Ok(digest)
    }

    /// Where exports lie.
    pub(super) fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Recent tables as files.
    pub(super) fn files(&self) -> &Files {
        &self.shared.files
    }

    /// Recent volumes as `.nii.gz`.
    pub(super) fn zipped_volumes(&self) -> &ZippedVolumes {
        &self.shared.zipped_volumes
    }

    /// A scan that the index knows.
    pub(super) async fn scan(&self, scan: ScanId) -> Result<ScanRow, Problem> {
        let unknown = || Problem::new(Code::UnknownScan, format!("there is no scan {scan}; /v1/scans lists them"));
        self.index().scan(scan).await?.ok_or_else(unknown)
    }

    /// The volume of a scan that has one.
    pub(super) async fn volume(&self, scan: ScanId) -> Result<VolumeFacts, Problem> {
        let detail = || format!("{scan} has a row in overview.csv, but its voxels were not imported");
        self.scan(scan).await?.volume.ok_or_else(|| Problem::new(Code::NoVolume, detail()))
    }
}

/// A question that is answered in JSON.
pub(super) struct Question {
    pub(super) app: App,
    pub(super) uri: Uri,
    pairs: RawPairs,
    pub(super) headers: HeaderMap,
}

impl FromRequestParts<App> for Question {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let State(app) = State::<App>::from_request_parts(parts, app).await?;
        let pairs = RawPairs::from_request_parts(parts, &app).await?;
        Ok(Self { app, pairs, uri: parts.uri.clone(), headers: parts.headers.clone() })
    }
}

impl Question {
    /// Holds the query against the parameters that are valid here.
    pub(super) fn parameters<'a>(&'a self, valid: &'a [Parameter]) -> Result<Pairs<'a>, Problem> {
        self.pairs.read(valid)
    }

    /// The query as sent, percent-decoded.
    pub(super) fn raw_pairs(&self) -> &[(String, String)] {
        &self.pairs.0
    }

    /// A parameter on which the valid ones depend.
    pub(super) fn value_of(&self, name: &str) -> Option<&str> {
        self.pairs.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Path and query, as sent.
    pub(super) fn address(&self) -> &str {
        self.uri.path_and_query().map_or(self.uri.path(), |full| full.as_str())
    }

    /// Grows with every change of the index.
    pub(super) fn revision(&self) -> u64 {
        self.app.pictures().catalogue().revision
    }

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
        self.app.shared.documents.answer(&self.uri, self.revision(), &self.headers, make).await
    }
}
