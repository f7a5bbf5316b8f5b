//! "Get me this image": the catalogue says what a scan is, the cache whether the image was rendered already, and if it
//! was not, the slice is read from the store and a thread of the pool renders. A cached image costs no SQL.

mod cache;
mod catalogue;
mod for_files;
mod mask;
mod poll;
mod render;
mod request;
mod source_volume;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;

use crate::imaging::{RenderError, RenderLimits};
use crate::index::{IndexError, ReadTransaction, Reader};
use crate::params::ParameterError;
use crate::spider::ScanId;
use crate::store::{DataLocation, Store, StoreError};
use crate::worker_pool::{BudgetError, Flow, Panicked, Pool, QueueFull, hold};

pub use cache::CacheStatus;
pub use catalogue::Catalogue;
pub use for_files::{Bands, Keep};
pub use poll::poll_snapshots;
pub use render::{RenderedImage, Timing};
pub use request::{Key, RenderRequest, SliceName};
pub use source_volume::SourceVolume;

use cache::Cache;

/// How often the catalogue is held against the index.
const RENEWAL: Duration = Duration::from_millis(500);

/// So many scans that are all gone are no accident.
const GROUPS_LOOKED_FOR: usize = 8;

/// Draws images, once each as long as memory allows.
#[derive(Debug)]
pub struct Renderer {
    catalogue: RwLock<Arc<Catalogue>>,
    /// Held by the one who may replace the catalogue, so that a newer one is never replaced by an older one.
    renewing: Mutex<()>,
    store: Store,
    pool: Pool,
    limits: RenderLimits,
    cache: Cache,
}

/// The data as they were at one moment: the catalogue, and the index that it was read from, still in the state in which it was
/// read. While there is one, an import cannot commit: it must end before a client is sent anything.
#[derive(Debug)]
pub struct Snapshot {
    /// What the index says of every imported scan.
    pub catalogue: Arc<Catalogue>,
    /// The index at the catalogue's revision.
    pub index: ReadTransaction,
}

/// An image cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RendererError {
    /// There is no such scan, or its volume was not imported.
    #[error("there is no image of {0}; /v1/scans lists the scans")]
    UnknownScan(ScanId),
    /// The scan has no such slice.
    #[error("there is no slice {slice}; the slices of this scan are 0..{last}, or mid, or best", last = .slices - 1)]
    SliceOutOfRange {
        /// What was requested.
        slice: usize,
        /// How many there are.
        slices: usize,
    },
    /// The slice is neither a number nor a name that this scan and layout know.
    #[error("{name:?} is not a slice; slices are whole numbers from 0, or mid, or best{hint}")]
    NoSuchSliceName {
        /// What was requested.
        name: String,
        /// What else to know.
        hint: &'static str,
    },
    /// A parameter is wrong, or wrong for this scan.
    #[error("{}", .0.message)]
    Parameter(ParameterError),
    /// Too much is being rendered already.
    #[error(transparent)]
    QueueFull(#[from] QueueFull),
    /// It would take more memory than there is for one answer, or than is free.
    #[error(transparent)]
    Memory(#[from] BudgetError),
    /// The scan was imported anew while it was being read.
    #[error("{0} was just imported anew; ask again")]
    Replaced(ScanId),
    /// The store failed.
    #[error("could not read a slice")]
    Store(#[source] Arc<StoreError>),
    /// The index failed.
    #[error("could not read the index")]
    Index(#[source] Arc<IndexError>),
    /// Drawing failed.
    #[error("could not render a slice")]
    Render(#[source] Arc<RenderError>),
    /// Drawing panicked.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

impl From<ParameterError> for RendererError {
    fn from(error: ParameterError) -> Self {
        Self::Parameter(error)
    }
}

impl From<IndexError> for RendererError {
    fn from(error: IndexError) -> Self {
        Self::Index(Arc::new(error))
    }
}

/// What was requested since the process began, and what is kept and waited for at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Renderings that were found in the cache.
    pub hits: u64,
    /// Renderings.
    pub misses: u64,
    /// Renderings that were being rendered for another request.
    pub shared: u64,
    /// Renderings that others took the place of.
    pub evicted: u64,
    /// Renderings that were refused because the queue was full.
    pub refused: u64,
    /// Renderer in the cache.
    pub kept: u64,
    /// What they count against its memory, in bytes.
    pub kept_bytes: u64,
    /// Renderings being rendered or waiting.
    pub queue: u64,
    /// How many of those there may be.
    pub places: u64,
}

impl Renderer {
    /// What the service's operator wants to see.
    #[must_use]
    pub fn load(&self) -> Load {
        let (queue, places, refused) = self.pool.load();
        Load { queue, places, refused, ..self.cache.load() }
    }

    /// A renderer of the scans in an index and its store. `cache_bytes` bounds the memory for those that were rendered.
    ///
    /// # Errors
    /// [`IndexError`] when the index cannot be read.
    pub async fn open(
        reader: Reader,
        store: Store,
        pool: Pool,
        limits: RenderLimits,
        cache_bytes: u64,
    ) -> Result<Self, IndexError> {
        let index = reader.begin().await?;
        let catalogue = RwLock::new(Arc::new(Catalogue::read(reader, &index).await?));
        Ok(Self { catalogue, renewing: Mutex::new(()), store, pool, limits, cache: Cache::new(cache_bytes) })
    }

    /// The threads and the memory that rendering shares with other work.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What is served at the moment.
    #[must_use]
    pub fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.catalogue.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The data as they are at this moment. The catalogue is read again first if the index has changed.
    ///
    /// # Errors
    /// [`IndexError`]; the catalogue stays as it was.
    pub async fn snapshot(&self) -> Result<Snapshot, IndexError> {
        let catalogue = self.catalogue();
        let index = catalogue.reader().begin().await?;
        if index.revision() == catalogue.revision {
            return Ok(Snapshot { catalogue, index });
        }
        drop(index);
        self.renewed().await
    }

    /// Reads the catalogue again if the index has changed, or if another file took its place.
    ///
    /// # Errors
    /// [`IndexError`]; the catalogue stays as it was.
    pub async fn renew(&self) -> Result<(), IndexError> {
        self.renewed().await.map(drop)
    }

    /// Checks that the index can be read. As long as it is the catalogue's, this takes neither locks nor connections that
    /// other requests use.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn check_index(&self) -> Result<(), IndexError> {
        let catalogue = self.catalogue();
        match catalogue.reader().probe().await {
            Ok(Some(revision)) if revision == catalogue.revision => Ok(()),
            _ => self.renew().await,
        }
    }

    async fn renewed(&self) -> Result<Snapshot, IndexError> {
        let _alone = self.renewing.lock().await;
        let known = self.catalogue();
        let replaced = known.reader().reopened_if_replaced().await?;
        let reader = replaced.as_ref().unwrap_or(known.reader()).clone();
        let index = match reader.begin().await {
            Ok(index) => index,
            Err(_) => {
                reader.undo_interrupted_change().await?;
                reader.begin().await?
            }
        };
        if replaced.is_none() && index.revision() == known.revision {
            return Ok(Snapshot { catalogue: known, index });
        }
        let catalogue = self.show(Catalogue::read(reader, &index).await?);
        Ok(Snapshot { catalogue, index })
    }

    /// Serves this catalogue from now on.
    fn show(&self, catalogue: Catalogue) -> Arc<Catalogue> {
        tracing::info!(scans = catalogue.len(), revision = catalogue.revision, "the index has changed");
        let catalogue = Arc::new(catalogue);
        *self.catalogue.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&catalogue);
        catalogue
    }

    /// A file of an imported scan's Zarr group; `None` when there is no such file.
    ///
    /// # Errors
    /// [`RendererError`].
    pub async fn group_file(
        &self,
        catalogue: &Catalogue,
        scan: ScanId,
        path: &str,
    ) -> Result<Option<Bytes>, RendererError> {
        let Some(found) = catalogue.scan(scan) else { return Ok(None) };
        let read = self.store.read_file(&found.group, path, found.facts.shape[0]).await;
        match read {
            Ok(file) => Ok(file),
            Err(error) => Err(self.explain(&found.group, error).await),
        }
    }

    /// Whether scans that the catalogue knows are in the store: in a folder that was moved away, or that may not be read any
    /// more, there are none. The index does not tell, because its file stays open.
    ///
    /// # Errors
    /// [`StoreError`] when that is not known.
    pub async fn store_is_there(&self) -> Result<bool, StoreError> {
        // While a bucket is out of reach, what is kept of it is still served, and others reach it no better.
        if self.catalogue().is_empty() || matches!(self.store.place(), DataLocation::Bucket { .. }) {
            return Ok(true);
        }
        Ok(self.has_some_group().await? || (self.renew().await.is_ok() && self.has_some_group().await?))
    }

    /// Whether any of a few of the catalogue's groups is there: one alone may just be damaged or replaced.
    async fn has_some_group(&self) -> Result<bool, StoreError> {
        for group in self.catalogue().groups().take(GROUPS_LOOKED_FOR) {
            if self.store.has(group).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Most pixels of one answer.
    #[must_use]
    pub fn max_pixels(&self) -> u64 {
        self.limits.max_pixels
    }

    /// The image of an order, from the cache or rendered, for the client whose request this task answers.
    ///
    /// # Errors
    /// [`RendererError`].
    pub async fn render(
        self: &Arc<Self>,
        render_request: RenderRequest,
    ) -> Result<(Arc<RenderedImage>, CacheStatus), RendererError> {
        self.render_as(render_request, Flow::interactive()).await
    }

    /// The same as part of a flow of work.
    async fn render_as(
        self: &Arc<Self>,
        render_request: RenderRequest,
        flow: Flow,
    ) -> Result<(Arc<RenderedImage>, CacheStatus), RendererError> {
        if let Some(found) = self.kept(&render_request.key, flow).await? {
            return Ok((found, CacheStatus::Hit));
        }
        let (renderer, key) = (Arc::clone(self), render_request.key.clone());
        self.cache.render(key, flow.class, async move { renderer.render_anew(render_request, flow).await }).await
    }

    /// The image with this key, if it was rendered before. What is sent is counted, even if the cache drops it meanwhile.
    ///
    /// # Errors
    /// [`RendererError::Memory`].
    pub async fn kept(&self, key: &Key, flow: Flow) -> Result<Option<Arc<RenderedImage>>, RendererError> {
        let Some(rendered) = self.cache.kept(key).await else { return Ok(None) };
        let reservation = self.pool.budget().reserve(flow, rendered.bytes.len() as u64).await?;
        self.cache.count_hit();
        let bytes = hold(Arc::new(reservation), rendered.bytes.clone());
        Ok(Some(Arc::new(RenderedImage { bytes, ..RenderedImage::clone(&rendered) })))
    }

    /// Length of the file of an order, if it is known without rendering it.
    pub async fn file_len(&self, render_request: &RenderRequest) -> Option<u64> {
        let known = render_request.file().1;
        if known.is_some() {
            known
        } else {
            self.cache.kept(&render_request.key).await.map(|rendered| rendered.bytes.len() as u64)
        }
    }
}

/// Keeps the catalogue up to date for as long as it runs.
pub async fn renew_catalogue(renderer: Arc<Renderer>) {
    let mut ticks = tokio::time::interval(RENEWAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        let renewed = renderer.renew().await;
        if let (Err(error), false) = (&renewed, failing) {
            tracing::error!(%error, "could not read the index; serving what was known before");
        }
        failing = renewed.is_err();
    }
}
