use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::catalogue::CataloguedScan;
use super::request::RenderRequest;
use super::{Renderer, RendererError};
use crate::imaging::{ImageRequest, Plane, RenderError, RenderInput, Rendered, Rendering, ScanFacts, SliceView};
use crate::store::{Array, GroupName, Store, StoreError, StoredSlice};
use crate::volume::{ElementType, Slice};
use crate::worker_pool::{Flow, Reservation};

/// Files of fewer bytes are copied when they are done, unless their buffer fits.
const COPIED_BELOW: usize = 1 << 20;

/// An image in memory.
#[derive(Debug, Clone)]
pub struct RenderedImage {
    /// The file.
    pub bytes: Bytes,
    /// Its media type.
    pub media_type: &'static str,
    /// stored = slope × pixel + intercept
    pub slope: f64,
    /// stored = slope × pixel + intercept
    pub intercept: f64,
    /// Millimetres per pixel, from row to row and from column to column.
    pub pixel_mm: [f64; 2],
    /// How long making it took.
    pub timing: Timing,
}

/// How long the parts of making an image took.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Reading slices.
    pub read: Duration,
    /// Drawing, without waiting for a thread.
    pub render: Duration,
}

/// The voxels of the canonical slices that one slice of a view is made of.
struct Voxels {
    slice: usize,
    image: Vec<StoredSlice>,
    mask: Vec<StoredSlice>,
}

/// One slice in the layout of its image.
struct WithVoxels {
    image: Option<Bytes>,
    mask: Option<Bytes>,
}

/// Everything that rendering needs.
pub(super) struct Prepared {
    render_request: RenderRequest,
    planes: Vec<WithVoxels>,
    quantiles: Vec<f64>,
}

/// An image that is to be rendered, with the memory that is reserved for it.
struct Order {
    render_request: RenderRequest,
    quantiles: Vec<f64>,
    reservation: Reservation,
}

/// An image between two of its bands, with the memory that is reserved for it.
struct Work {
    prepared: Prepared,
    rendering: Rendering,
    reservation: Reservation,
    is_done: bool,
    /// How long reading took, and rendering so far.
    read: Duration,
    time: Duration,
}

impl Renderer {
    /// Reads what the image of an order needs and renders it, band by band.
    pub(super) async fn render_anew(
        &self,
        render_request: RenderRequest,
        flow: Flow,
    ) -> Result<(RenderedImage, Reservation), RendererError> {
        // A slot and the memory first: a server that is full should not even read.
        let _slot = self.pool.admit(flow.class)?;
        let reservation = self.pool.budget().reserve(flow, render_request.memory()).await?;
        let quantiles = self.quantiles(&render_request).await?;
        let cost = render_request.key.image_request.band_nanoseconds();
        let mut work = self.begin(Order { render_request, quantiles, reservation }, flow, cost).await?;
        while !work.is_done {
            // Others have their turn between two bands, and if nobody waits for this image any more, it ends here.
            let next = move || work.advance(Instant::now()).map(|()| work);
            work = self.pool.run(flow, cost, next).await??;
        }
        let Work { rendering, mut reservation, read, time: render, .. } = work;
        let rendered = rendering.finish().map_err(|error| RendererError::Render(Arc::new(error)))?;
        let Rendered { bytes, media_type, slope, intercept, pixel_mm } = rendered;
        // What is kept is counted by its length, so it must not hold more: a copy fits exactly, and the roomy buffer it was
        // rendered in is free for the next image. Of a large buffer, what was not written takes no memory.
        let fits = bytes.capacity() == bytes.len() || bytes.len() >= COPIED_BELOW;
        let bytes = if fits { Bytes::from(bytes) } else { Bytes::copy_from_slice(&bytes) };
        reservation.shrink_to(bytes.len() as u64);
        let timing = Timing { read, render };
        Ok((RenderedImage { bytes, media_type, slope, intercept, pixel_mm, timing }, reservation))
    }

    /// Renders the first band: at once where the slices can be read without waiting, or else when they were read.
    async fn begin(&self, order: Order, flow: Flow, cost: u64) -> Result<Work, RendererError> {
        let mut order = order;
        if self.store.has_cached_slices() {
            let store = self.store.clone();
            let begin = move || {
                let start = Instant::now();
                match cached_voxels(&store, &order.render_request) {
                    Some(voxels) => order.begin(&voxels, start.elapsed()).map(Ok),
                    None => Ok(Err(order)),
                }
            };
            match self.pool.run(flow, cost, begin).await?? {
                Ok(work) => return Ok(work),
                Err(not_cached) => order = not_cached,
            }
        }
        let start = Instant::now();
        let voxels = self.voxels(&order.render_request).await?;
        let read = start.elapsed();
        self.pool.run(flow, cost, move || order.begin(&voxels, read)).await?
    }

    /// Reads what the bands of an order need.
    pub(super) async fn prepare(&self, render_request: RenderRequest, flow: Flow) -> Result<Prepared, RendererError> {
        let (voxels, quantiles) = (self.voxels(&render_request).await?, self.quantiles(&render_request).await?);
        let cost = render_request.slice_bytes();
        self.pool.run(flow, cost, move || Prepared::new(render_request, &voxels, quantiles)).await?
    }

    /// What is said of an image beside its pixels: stored = slope × pixel + intercept. Nothing is rendered for it.
    ///
    /// # Errors
    /// [`RendererError`].
    pub async fn value_mapping(&self, render_request: &RenderRequest) -> Result<(f64, f64), RendererError> {
        let quantiles = self.quantiles(render_request).await?;
        let input = RenderInput { planes: &[], facts: &render_request.scan.facts, quantiles: &quantiles };
        Ok(render_request.key.image_request.value_mapping(&input))
    }

    async fn voxels(&self, render_request: &RenderRequest) -> Result<Vec<Voxels>, RendererError> {
        let mut voxels = no_voxels(render_request);
        let reads = needed(render_request).into_iter().map(|(n, array, canonical)| async move {
            Ok::<_, RendererError>((n, array, self.read(&render_request.scan, array, canonical).await?))
        });
        // In order, and as many at once as the store is good for.
        let mut reads = std::pin::pin!(stream::iter(reads).buffered(self.store.requests_at_once()));
        while let Some((n, array, read)) = reads.try_next().await? {
            match array {
                Array::Image => voxels[n].image.push(read),
                Array::Mask => voxels[n].mask.push(read),
            }
        }
        Ok(voxels)
    }

    /// Reads a canonical slice of a scan.
    pub(super) async fn read(
        &self,
        scan: &CataloguedScan,
        array: Array,
        slice: usize,
    ) -> Result<StoredSlice, RendererError> {
        match self.store.read_slice(scan.slice_key(array, slice)).await {
            Ok(slice) => Ok(slice),
            Err(error) => Err(self.explain(&scan.group, error).await),
        }
    }

    /// A file that is not there may belong to a scan that was imported anew after this request looked it up.
    pub(super) async fn explain(&self, group: &GroupName, error: StoreError) -> RendererError {
        if error.is_missing() && self.renew().await.is_ok() {
            let now = self.catalogue().scan(group.scan).map(|found| Arc::clone(&found.group.revision));
            if now.as_ref() != Some(&group.revision) {
                return RendererError::Replaced(group.scan);
            }
        }
        RendererError::Store(Arc::new(error))
    }

    async fn quantiles(&self, render_request: &RenderRequest) -> Result<Vec<f64>, RendererError> {
        if !render_request.key.image_request.needs_quantiles() {
            return Ok(Vec::new());
        }
        let index = render_request.reader.begin().await?;
        index.quantiles(&render_request.scan.group).await?.ok_or(RendererError::Replaced(render_request.key.scan))
    }
}

impl RenderRequest {
    /// Bytes of the slices that the image is made of, as stored, decoded and turned into its layout.
    pub(super) fn slice_bytes(&self) -> u64 {
        let facts = &self.scan.facts;
        let pixels = (facts.shape[1] * facts.shape[2]) as u64;
        let bytes = |array| match array {
            Array::Image => pixels * facts.element.size() as u64,
            Array::Mask => pixels,
        };
        3 * needed(self).into_iter().map(|(_, array, _)| bytes(array)).sum::<u64>()
    }

    /// Bytes that rendering the image takes at most, the file included. Known before anything is read.
    pub(super) fn memory(&self) -> u64 {
        let image_request = &self.key.image_request;
        let file = image_request.pixel_bytes();
        let copy = if file < COPIED_BELOW as u64 { file } else { 0 };
        self.slice_bytes() + file + copy + image_request.band_bytes()
    }
}

/// What has to be read: for which of the slices, of which array, which canonical slice.
fn needed(render_request: &RenderRequest) -> Vec<(usize, Array, usize)> {
    let kind = render_request.key.image_request.kind();
    let view = render_request.key.image_request.view(&render_request.scan.facts);
    let mut needed = Vec::new();
    for (n, slice) in render_request.slices().into_iter().enumerate() {
        for canonical in view.canonical_slices(slice) {
            needed.extend(kind.needs_image().then_some((n, Array::Image, canonical)));
            needed.extend(kind.needs_mask().then_some((n, Array::Mask, canonical)));
        }
    }
    needed
}

fn no_voxels(render_request: &RenderRequest) -> Vec<Voxels> {
    let nothing = |slice| Voxels { slice, image: Vec::new(), mask: Vec::new() };
    render_request.slices().into_iter().map(nothing).collect()
}

/// What an order needs, if all of it can be read without waiting.
fn cached_voxels(store: &Store, render_request: &RenderRequest) -> Option<Vec<Voxels>> {
    let mut voxels = no_voxels(render_request);
    for (n, array, canonical) in needed(render_request) {
        let slice = store.cached_slice(&render_request.scan.slice_key(array, canonical))?;
        match array {
            Array::Image => voxels[n].image.push(slice),
            Array::Mask => voxels[n].mask.push(slice),
        }
    }
    Some(voxels)
}

impl Order {
    /// Renders the first band.
    fn begin(self, voxels: &[Voxels], read: Duration) -> Result<Work, RendererError> {
        let start = Instant::now();
        let Self { render_request, quantiles, reservation } = self;
        let prepared = Prepared::new(render_request, voxels, quantiles)?;
        let rendering = prepared.render(Rendering::new)?;
        let mut work = Work { prepared, rendering, reservation, is_done: false, read, time: Duration::ZERO };
        work.advance(start)?;
        Ok(work)
    }
}

impl Prepared {
    /// Checks and inflates the slices, and turns them into the image's layout.
    fn new(render_request: RenderRequest, slices: &[Voxels], quantiles: Vec<f64>) -> Result<Self, RendererError> {
        let facts = &render_request.scan.facts;
        let view = render_request.key.image_request.view(facts);
        let planes = slices.iter().map(|s| {
            let image = oriented(&view, s.slice, &decoded(&s.image)?, facts, facts.element);
            let mask = oriented(&view, s.slice, &decoded(&s.mask)?, facts, ElementType::Uint8);
            Ok(WithVoxels { image, mask })
        });
        let planes =
            planes.collect::<Result<_, StoreError>>().map_err(|error| RendererError::Store(Arc::new(error)))?;
        Ok(Self { render_request, planes, quantiles })
    }

    /// Calls `work` with the image and what it is rendered from.
    fn render<T>(
        &self,
        work: impl FnOnce(&ImageRequest, &RenderInput<'_>) -> Result<T, RenderError>,
    ) -> Result<T, RendererError> {
        let facts = &self.render_request.scan.facts;
        let [_, rows, columns] = self.render_request.key.image_request.view(facts).shape();
        let planes = self.planes.iter().map(|plane| Plane {
            image: plane.image.as_deref().map(|bytes| Slice { element: facts.element, rows, columns, bytes }),
            mask: plane.mask.as_deref().map(|bytes| Slice { element: ElementType::Uint8, rows, columns, bytes }),
        });
        let planes: Vec<_> = planes.collect();
        let input = RenderInput { planes: &planes, facts, quantiles: &self.quantiles };
        work(&self.render_request.key.image_request, &input).map_err(|error| RendererError::Render(Arc::new(error)))
    }

    /// Some rows of the image, without a header.
    pub(super) fn rows(&self, rows: Range<usize>) -> Result<Vec<u8>, RendererError> {
        self.render(|image_request, input| image_request.pixels(input, rows))
    }
}

impl Work {
    fn advance(&mut self, start: Instant) -> Result<(), RendererError> {
        let Self { prepared, rendering, .. } = self;
        self.is_done = prepared.render(|_, input| rendering.advance(input))?;
        if self.is_done {
            // On this thread, which reads its next slice into the same memory.
            prepared.planes.clear();
        }
        self.time += start.elapsed();
        Ok(())
    }
}

fn decoded(slices: &[StoredSlice]) -> Result<Vec<Bytes>, StoreError> {
    slices.iter().map(StoredSlice::voxels).collect()
}

/// Slice `k` of a view from the canonical slices it is made of; `None` when there are none because it is not needed.
fn oriented(view: &SliceView, k: usize, voxels: &[Bytes], facts: &ScanFacts, element: ElementType) -> Option<Bytes> {
    let [_, rows, columns] = facts.shape;
    let slices: Vec<_> = voxels.iter().map(|bytes| Slice { element, rows, columns, bytes }).collect();
    let first = voxels.first()?;
    Some(match view.plane(k, &slices) {
        // As it is: the only one there is.
        Cow::Borrowed(_) => first.clone(),
        Cow::Owned(bytes) => bytes.into(),
    })
}
