pub(super) mod image_responses;
pub(super) mod pinned;
pub(super) mod single_flight;
mod zipped_volumes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

use super::limits::Limits;
use super::middleware::cors::AllowedOrigins;
use super::middleware::metrics::Metrics;
use super::responses::documents::{Answer, Documents};
use super::responses::files;
use super::responses::files::Digests;
use super::responses::problem::{Code, Problem};
use super::routes::hub::{Repositories, repositories};
use crate::auth::Authenticator;
use crate::bundles::{Bundle, SampleCache};
use crate::index::{ScanRow, VolumeFacts};
use crate::params::{Pairs, Parameter, decode};
use crate::renderer::{Catalogue, Renderer, RendererError, Snapshot};
use crate::spider::ScanId;
use crate::store::Store;
use image_responses::ImageResponses;
use pinned::Pinned;
use single_flight::SingleFlightCache;
use zipped_volumes::ZippedVolumes;

/// Recent tables as files, by URL, media type and revision.
pub(super) type TableFiles = SingleFlightCache<(String, &'static str, u64), Bytes>;

/// How often a response is made from scans that are imported anew meanwhile.
const ATTEMPTS: usize = 4;

/// What handlers share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    shared: Arc<Shared>,
    limits: Limits,
    authenticator: Option<Arc<Authenticator>>,
    allowed_origins: AllowedOrigins,
}

#[derive(Debug)]
struct Shared {
    renderer: Arc<Renderer>,
    store: Store,
    documents: Documents,
    image_responses: ImageResponses,
    table_files: TableFiles,
    zipped_volumes: ZippedVolumes,
    digests: Digests,
    samples: Arc<SampleCache>,
    repositories: Repositories,
    metrics: Metrics,
    is_stopping: AtomicBool,
}

impl App {
    /// The service over images and their store.
    #[must_use]
    pub fn new(renderer: Arc<Renderer>, store: Store) -> Self {
        let plan = *renderer.pool().plan();
        Self {
            limits: Limits::default(),
            authenticator: None,
            allowed_origins: AllowedOrigins::Any,
            shared: Arc::new(Shared {
                metrics: Metrics::new(&renderer),
                is_stopping: AtomicBool::new(false),
                renderer,
                store,
                documents: Documents::new(plan.documents),
                image_responses: ImageResponses::new(plan.image_responses),
                table_files: SingleFlightCache::new(plan.tables, |(url, ..), bytes| url.len() + bytes.len()),
                zipped_volumes: ZippedVolumes::new(plan.volumes),
                digests: Digests::default(),
                samples: Arc::new(SampleCache::new(plan.samples)),
                repositories: repositories(),
            }),
        }
    }

    /// The same within these limits.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same for requests that this authenticates; for every request when there is none.
    #[must_use]
    pub fn authenticated_by(self, authenticator: Option<Arc<Authenticator>>) -> Self {
        Self { authenticator, ..self }
    }

    /// The same for pages of these origins.
    #[must_use]
    pub fn allowing(self, allowed_origins: AllowedOrigins) -> Self {
        Self { allowed_origins, ..self }
    }

    pub(super) fn allowed_origins(&self) -> &AllowedOrigins {
        &self.allowed_origins
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn authenticator(&self) -> Option<&Authenticator> {
        self.authenticator.as_deref()
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

    pub(super) fn renderer(&self) -> &Arc<Renderer> {
        &self.shared.renderer
    }

    /// What samples of streams say of their scans.
    pub(super) fn samples(&self) -> &Arc<SampleCache> {
        &self.shared.samples
    }

    /// Where exports lie.
    pub(super) fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Recent revisions of the exports for Hugging Face `datasets`.
    pub(super) fn repositories(&self) -> &Repositories {
        &self.shared.repositories
    }

    /// Recent responses with an image.
    pub(super) fn image_responses(&self) -> &ImageResponses {
        &self.shared.image_responses
    }

    /// Recent tables as files.
    pub(super) fn table_files(&self) -> &TableFiles {
        &self.shared.table_files
    }

    /// Recent volumes as `.nii.gz`.
    pub(super) fn zipped_volumes(&self) -> &ZippedVolumes {
        &self.shared.zipped_volumes
    }
}

/// A scan that the index knows.
pub(super) async fn known_scan(snapshot: &Snapshot, scan: ScanId) -> Result<ScanRow, Problem> {
    snapshot.index.scan(scan).await?.ok_or_else(|| Problem::unknown_scan(scan))
}

/// The volume of a scan that has one.
pub(super) async fn known_volume(snapshot: &Snapshot, scan: ScanId) -> Result<VolumeFacts, Problem> {
    let detail = || format!("{scan} has a row in overview.csv, but its voxels were not imported");
    known_scan(snapshot, scan).await?.volume.ok_or_else(|| Problem::new(Code::NoVolume, detail()))
}

/// A request for data, with the data that it sees: the catalogue as it was when the request came, or that of the revision which
/// its URL names.
pub(super) struct ApiRequest {
    pub(super) app: App,
    pub(super) uri: Uri,
    pairs: Vec<(String, String)>,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) catalogue: Arc<Catalogue>,
    pinned: Option<Pinned>,
}

impl FromRequestParts<App> for ApiRequest {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let State(app) = State::<App>::from_request_parts(parts, app).await?;
        let pairs = decode(parts.uri.query().unwrap_or_default());
        let pinned = parts.extensions.get::<Pinned>().cloned();
        let catalogue =
            pinned.as_ref().map_or_else(|| app.renderer().catalogue(), |pinned| Arc::clone(&pinned.catalogue));
        let (uri, method, headers) = (parts.uri.clone(), parts.method.clone(), parts.headers.clone());
        Ok(Self { app, pairs, uri, method, headers, catalogue, pinned })
    }
}

impl ApiRequest {
    /// Holds the query against the parameters that are valid here.
    pub(super) fn parameters<'a>(&'a self, valid: &'a [Parameter]) -> Result<Pairs<'a>, Problem> {
        Ok(Pairs::new(&self.pairs, valid)?)
    }

    /// The query as sent, percent-decoded.
    pub(super) fn raw_pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// A parameter on which the valid ones depend.
    pub(super) fn value_of(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Path and query, as sent.
    pub(super) fn address(&self) -> &str {
        self.uri.path_and_query().map_or(self.uri.path(), |full| full.as_str())
    }

    /// Begins to read the index. Anyone who does goes on with the snapshot's catalogue, which may be newer than the request's.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, Problem> {
        let snapshot = self.app.renderer().snapshot().await?;
        match &self.pinned {
            Some(pinned) if snapshot.catalogue.revision != pinned.catalogue.revision => {
                Err(pinned.gone(snapshot.catalogue.revision))
            }
            _ => Ok(snapshot),
        }
    }

    /// Answers with what is kept, with 304 or 412, or with what `make` makes.
    pub(super) async fn answer<T: Serialize>(
        &self,
        make: impl Future<Output = Result<Answer<T>, Problem>>,
    ) -> Result<Response, Problem> {
        let (documents, budget) = (&self.app.shared.documents, self.app.renderer().pool().budget());
        documents.answer(&self.uri, self.catalogue.revision, &self.headers, budget, make).await
    }

    /// Sends a bundle of the catalogue with this revision, or the requested range of it.
    pub(super) async fn send(&self, bundle: &Bundle, revision: u64) -> Result<Response, Problem> {
        files::send(&self.headers, bundle, revision, &self.app.shared.digests).await
    }

    /// What was found in the catalogue, or why it is not there: the catalogue has scans with a volume only, and the index tells a
    /// scan without one from no scan at all.
    pub(super) async fn found<T>(&self, found: Result<T, RendererError>) -> Result<T, Problem> {
        match found {
            Err(RendererError::UnknownScan(scan)) => {
                known_volume(&self.snapshot().await?, scan).await?;
                Err(Problem::retry())
            }
            found => Ok(found?),
        }
    }

    /// What `make` makes of the request's catalogue; of a newer one when a scan was imported anew meanwhile, so that its voxels are
    /// gone. A URL that names a revision allows no other.
    pub(super) async fn retried<F>(&self, make: impl Fn(Arc<Catalogue>) -> F) -> Result<Response, Problem>
    where
        F: Future<Output = Result<Response, Problem>>,
    {
        let mut catalogue = Arc::clone(&self.catalogue);
        for _ in 1..ATTEMPTS {
            match make(catalogue).await {
                Err(problem) if problem.is_of(Code::ScanReplaced) && self.pinned.is_none() => {
                    catalogue = self.snapshot().await?.catalogue;
                }
                made => return made,
            }
        }
        make(catalogue).await
    }
}
