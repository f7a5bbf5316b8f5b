//! Pictures that were drawn, bounded in bytes, with single flight: however many ask for one at once, it is drawn once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use moka::notification::RemovalCause;

use super::draw::Drawn;
use super::order::Key;
use super::{Load, PictureError};

/// What a cached picture takes beside its bytes.
const OVERHEAD: usize = 512;

/// Beside that, a third: what allocators lose to rounding and to gaps between pictures of different sizes, measured with a
/// full cache under mixed load.
const LOSS_SHARE: usize = 3;

#[derive(Debug)]
pub(super) struct Cache {
    drawn: moka::future::Cache<Key, Arc<Drawn>>,
    counts: Counts,
    evicted: Arc<AtomicU64>,
}

/// How often which status was answered.
#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    shared: AtomicU64,
}

impl Counts {
    fn count(&self, status: CacheStatus) {
        let counter = match status {
            CacheStatus::Hit => &self.hits,
            CacheStatus::Miss { .. } => &self.misses,
            CacheStatus::Collapsed => &self.shared,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Where a picture came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// It had been drawn before.
    Hit,
    /// It was drawn for this request.
    Miss {
        /// Whether it is there for the next one: a full cache does not take in what was asked for least.
        kept: bool,
    },
    /// It was being drawn for another request.
    Collapsed,
}

impl Cache {
    pub(super) fn new(bytes: u64) -> Self {
        let weight = |_: &Key, drawn: &Arc<Drawn>| {
            let bytes = drawn.bytes.len();
            u32::try_from(bytes + bytes / LOSS_SHARE + OVERHEAD).unwrap_or(u32::MAX)
        };
        let evicted = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&evicted);
        let count = move |_, _, cause| {
            if cause == RemovalCause::Size {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        };
        let drawn = moka::future::Cache::builder().max_capacity(bytes).weigher(weight).eviction_listener(count).build();
        Self { drawn, counts: Counts::default(), evicted }
    }

    /// What was asked of the cache, and what it holds.
    pub(super) fn load(&self) -> Load {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Load {
            hits: read(&self.counts.hits),
            misses: read(&self.counts.misses),
            shared: read(&self.counts.shared),
            evicted: read(&self.evicted),
            kept: self.drawn.entry_count(),
            kept_bytes: self.drawn.weighted_size(),
            ..Load::default()
        }
    }

    /// The picture with this key, if it was drawn before.
    pub(super) async fn kept(&self, key: &Key) -> Option<Arc<Drawn>> {
        self.drawn.get(key).await
    }

    /// The picture with this key, drawn by `draw` if need be. Errors are not kept.
    pub(super) async fn get_or_draw(
        &self,
        key: Key,
        draw: impl Future<Output = Result<Drawn, PictureError>> + Send + 'static,
    ) -> Result<(Arc<Drawn>, CacheStatus), PictureError> {
        if let Some(drawn) = self.drawn.get(&key).await {
            self.counts.count(CacheStatus::Hit);
            return Ok((drawn, CacheStatus::Hit));
        }
        let (cache, mine) = (self.drawn.clone(), Arc::new(AtomicBool::new(false)));
        let leads = Arc::clone(&mine);
        let lead = async move {
            leads.store(true, Ordering::Relaxed);
            draw.await.map(Arc::new)
        };
        // A task of its own: should this client give up, the drawing still ends in the cache, for the others who wait.
        let task = tokio::spawn(async move {
            let drawn = cache.try_get_with(key.clone(), lead).await;
            // Evict now, not later: pictures come faster than the cache's own housekeeping.
            cache.run_pending_tasks().await;
            (drawn, cache.contains_key(&key))
        });
        let (drawn, kept) = task.await.map_err(|error| crate::pool::Broken(error.to_string()))?;
        let drawn = drawn.map_err(|error: Arc<PictureError>| PictureError::clone(&error))?;
        let status = if mine.load(Ordering::Relaxed) { CacheStatus::Miss { kept } } else { CacheStatus::Collapsed };
        self.counts.count(status);
        Ok((drawn, status))
    }
}
