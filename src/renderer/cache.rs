//! Renderings, bounded in bytes, with single flight: however many request one at once, it is rendered once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use moka::notification::RemovalCause;

use super::render::RenderedImage;
use super::request::Key;
use super::{Load, RendererError};
use crate::worker_pool::{Class, Reservation, hold};

/// What a cached image takes beside its bytes.
const OVERHEAD: usize = 512;

/// Beside that, a third: what allocators lose to rounding and to gaps between images of different sizes, measured with a
/// full cache under mixed load.
const LOSS_SHARE: usize = 3;

/// Bulk work has this share of the cache, so that an epoch of training does not push out what people look at.
const BULK_SHARE: u64 = 4;

pub(super) struct Cache {
    /// Of interactive and of bulk work.
    parts: [moka::future::Cache<Key, Arc<RenderedImage>>; 2],
    flights: Arc<Flights>,
    counts: Counts,
    evicted: Arc<AtomicU64>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// An image with the memory that is reserved for it.
type Flown = Result<(Arc<RenderedImage>, Arc<Reservation>), RendererError>;
type Flight = Shared<BoxFuture<'static, Flown>>;
type Listing = HashMap<(Key, Class), (u64, WeakShared<BoxFuture<'static, Flown>>)>;

/// Renderings under way. Each goes on as long as someone waits for it: the last one who gives up drops it.
#[derive(Default)]
struct Flights {
    by_key: Mutex<Listing>,
    started: AtomicU64,
}

/// A rendering under way, until this is dropped.
struct Listed {
    flights: Arc<Flights>,
    key: (Key, Class),
    number: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut by_key = self.flights.by_key();
        // Others may have begun anew after everyone gave this one up.
        if by_key.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            by_key.remove(&self.key);
        }
    }
}

impl Flights {
    fn by_key(&self) -> MutexGuard<'_, Listing> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rendering with this key that is under way, or else the one that `start` makes, and whether it is the latter.
    fn join(
        self: &Arc<Self>,
        key: (Key, Class),
        start: impl FnOnce(Listed) -> BoxFuture<'static, Flown>,
    ) -> (Flight, bool) {
        let mut by_key = self.by_key();
        if let Some(flight) = by_key.get(&key).and_then(|(_, flight)| flight.upgrade()) {
            return (flight, false);
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let flight = start(Listed { flights: Arc::clone(self), key: key.clone(), number }).shared();
        if let Some(weak) = flight.downgrade() {
            by_key.insert(key, (number, weak));
        }
        (flight, true)
    }
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

/// Where an image came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// It were found in the cache.
    Hit,
    /// It was rendered for this request.
    Miss {
        /// Whether it is there for the next one: a full cache does not take in what was requested least.
        kept: bool,
    },
    /// It was being rendered for another request.
    Collapsed,
}

impl Cache {
    pub(super) fn new(bytes: u64) -> Self {
        let weight = |_: &Key, rendered: &Arc<RenderedImage>| {
            let bytes = rendered.bytes.len();
            u32::try_from(bytes + bytes / LOSS_SHARE + OVERHEAD).unwrap_or(u32::MAX)
        };
        let evicted = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&evicted);
        let count = move |_, _, cause| {
            if cause == RemovalCause::Size {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        };
        let part = |bytes| {
            let counter = count.clone();
            moka::future::Cache::builder().max_capacity(bytes).weigher(weight).eviction_listener(counter).build()
        };
        let bulk = bytes / BULK_SHARE;
        let parts = [part(bytes - bulk), part(bulk)];
        Self { parts, flights: Arc::default(), counts: Counts::default(), evicted }
    }

    /// Requests to the cache, and what it holds.
    pub(super) fn load(&self) -> Load {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Load {
            hits: read(&self.counts.hits),
            misses: read(&self.counts.misses),
            shared: read(&self.counts.shared),
            evicted: read(&self.evicted),
            kept: self.parts.iter().map(moka::future::Cache::entry_count).sum(),
            kept_bytes: self.parts.iter().map(moka::future::Cache::weighted_size).sum(),
            ..Load::default()
        }
    }

    /// The image with this key, if it was rendered before.
    pub(super) async fn kept(&self, key: &Key) -> Option<Arc<RenderedImage>> {
        for part in &self.parts {
            if let Some(rendered) = part.get(key).await {
                return Some(rendered);
            }
        }
        None
    }

    /// The image with this key, which was not rendered before, rendered by `draw`. Errors are not kept. It goes on as long
    /// as any caller waits. Its bytes hold its reservation.
    pub(super) async fn render(
        &self,
        key: Key,
        class: Class,
        render: impl Future<Output = Result<(RenderedImage, Reservation), RendererError>> + Send + 'static,
    ) -> Result<(Arc<RenderedImage>, CacheStatus), RendererError> {
        let part = self.parts[usize::from(class == Class::Bulk)].clone();
        let kept_as = key.clone();
        let (flight, is_mine) = self.flights.join((key.clone(), class), move |listed| {
            async move {
                let (rendered, reservation) = render.await?;
                let rendered = Arc::new(rendered);
                part.insert(kept_as, Arc::clone(&rendered)).await;
                // Evict now, not later: images come faster than the cache's own housekeeping.
                part.run_pending_tasks().await;
                // In the cache first: who does not find it there any more finds it here.
                drop(listed);
                Ok((rendered, Arc::new(reservation)))
            }
            .boxed()
        });
        let (rendered, reservation) = flight.await?;
        let kept = self.parts.iter().any(|part| part.contains_key(&key));
        let status = if is_mine { CacheStatus::Miss { kept } } else { CacheStatus::Collapsed };
        self.counts.count(status);
        let bytes = hold(reservation, rendered.bytes.clone());
        Ok((Arc::new(RenderedImage { bytes, ..RenderedImage::clone(&rendered) }), status))
    }

    /// Counts an image that was found.
    pub(super) fn count_hit(&self) {
        self.counts.count(CacheStatus::Hit);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::imaging::{ImageKind, ImageQuery, RenderLimits, ScanFacts};
    use crate::renderer::Timing;
    use crate::volume::{ElementType, Orientation};
    use crate::worker_pool::{Budget, Client, Flow};

    const IMAGE_BYTES: usize = 10_000;
    /// Room for 40 images with what they count beside their bytes.
    const CACHE_BYTES: u64 = 40 * 14_000;

    fn key(slice: usize) -> Key {
        let facts = ScanFacts {
            element: ElementType::Uint16,
            shape: [1000, 8, 8],
            spacing_mm: [1.0; 3],
            min: 0.0,
            max: 1.0,
            auto_window: (0.0, 1.0),
            dicom_window: None,
            remapped: false,
            orientation: Orientation::IDENTITY,
        };
        let query = ImageQuery::parse(ImageKind::ImagePng, &[]).unwrap();
        let image_request = query.resolve(&facts, RenderLimits { max_pixels: 1 << 20 }).unwrap();
        Key { scan: "1_t1".parse().unwrap(), revision: "r".into(), slice, image_request }
    }

    /// Requests the image of a slice; its status.
    async fn request(cache: &Cache, class: Class, slice: usize) -> CacheStatus {
        let flow = Flow { class, client: Client::default() };
        let reservation = Budget::new(1 << 20).reserve(flow, IMAGE_BYTES as u64).await.unwrap();
        let image = RenderedImage {
            bytes: vec![0; IMAGE_BYTES].into(),
            media_type: "image/png",
            slope: 1.0,
            intercept: 0.0,
            pixel_mm: [1.0; 2],
            timing: Timing { read: Duration::ZERO, render: Duration::ZERO },
        };
        if cache.kept(&key(slice)).await.is_some() {
            return CacheStatus::Hit;
        }
        cache.render(key(slice), class, async move { Ok((image, reservation)) }).await.unwrap().1
    }

    #[tokio::test]
    async fn bulk_work_evicts_nothing_that_interactive_requests_rendered() {
        let cache = Cache::new(CACHE_BYTES);
        for slice in 0..20 {
            assert_eq!(request(&cache, Class::Interactive, slice).await, CacheStatus::Miss { kept: true });
        }
        // Three epochs, each of which would fill the cache many times.
        for _ in 0..3 {
            for slice in 100..500 {
                request(&cache, Class::Bulk, slice).await;
            }
        }
        assert!(cache.load().evicted > 0, "the bulk work did not fill its share");
        assert!(cache.load().kept_bytes <= CACHE_BYTES);
        for slice in 0..20 {
            assert_eq!(request(&cache, Class::Interactive, slice).await, CacheStatus::Hit, "{slice}");
        }
    }
}
