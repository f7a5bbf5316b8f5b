use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::order::Order;
use super::{PictureError, Pictures};
use crate::pool::{Flow, Reservation};
use crate::render::{Picture, Plane, RenderError, RenderInput, Rendered, Rendering, ScanFacts, SliceView};
use crate::store::{Array, GroupName, SliceAddress, StoreError, StoredSlice};
use crate::volume::{ElementType, Slice};

/// Files of fewer bytes are copied when they are done.
const COPIED_BELOW: usize = 1 << 20;

/// A picture in memory.
#[derive(Debug, Clone)]
pub struct Drawn {
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

/// How long the parts of making a picture took.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Reading slices.
    pub read: Duration,
    /// Drawing, without waiting for a thread.
    pub draw: Duration,
}

/// The voxels of the canonical slices that one slice of a view is made of.
struct Voxels {
    slice: usize,
    image: Vec<StoredSlice>,
    mask: Vec<StoredSlice>,
}

/// One slice in the layout of its picture.
struct Voxelled {
    image: Option<Bytes>,
    mask: Option<Bytes>,
}

/// Everything that rendering needs.
pub(super) struct Prepared {
    order: Order,
    planes: Vec<Voxelled>,
    quantiles: Vec<f64>,
}

/// A picture between two of its bands, with the memory that is reserved for it.
struct Work {
    prepared: Prepared,
    rendering: Rendering,
    reservation: Reservation,
    is_done: bool,
    time: Duration,
}

impl Pictures {
    /// Reads what the picture of an order needs and renders it, band by band.
    pub(super) async fn draw_anew(&self, order: Order, flow: Flow) -> Result<(Drawn, Reservation), PictureError> {
        // A slot and the memory first: a server that is full should not even read.
        let _slot = self.pool.admit(flow.class)?;
        let reservation = self.pool.budget().reserve(flow, order.memory()).await?;
        let start = Instant::now();
        let (voxels, quantiles) = (self.voxels(&order).await?, self.quantiles(&order).await?);
        let read = start.elapsed();
        let cost = order.key.picture.band_nanoseconds();
        let begin = move || {
            let start = Instant::now();
            let prepared = Prepared::new(order, &voxels, quantiles)?;
            let rendering = prepared.render(Rendering::new)?;
            let mut work = Work { prepared, rendering, reservation, is_done: false, time: Duration::ZERO };
            work.advance(start)?;
            Ok::<_, PictureError>(work)
        };
        let mut work = self.pool.run(flow, cost, begin).await??;
        while !work.is_done {
            // Others have their turn between two bands, and if nobody waits for this picture any more, it ends here.
            let next = move || work.advance(Instant::now()).map(|()| work);
            work = self.pool.run(flow, cost, next).await??;
        }
        let Work { rendering, mut reservation, time: draw, .. } = work;
        let rendered = rendering.finish().map_err(|error| PictureError::Render(Arc::new(error)))?;
        let Rendered { bytes, media_type, slope, intercept, pixel_mm } = rendered;
        // What is kept is counted by its length, so it must not hold more: a copy fits exactly, and the roomy buffer it was
        // rendered in is free for the next picture. Of a large buffer, what was not written takes no memory.
        let bytes = if bytes.len() < COPIED_BELOW { Bytes::copy_from_slice(&bytes) } else { Bytes::from(bytes) };
        reservation.shrink_to(bytes.len() as u64);
        let timing = Timing { read, draw };
        Ok((Drawn { bytes, media_type, slope, intercept, pixel_mm, timing }, reservation))
    }

    /// Reads what the bands of an order need.
    pub(super) async fn prepare(&self, order: Order, flow: Flow) -> Result<Prepared, PictureError> {
        let (voxels, quantiles) = (self.voxels(&order).await?, self.quantiles(&order).await?);
        let cost = order.slice_bytes();
        self.pool.run(flow, cost, move || Prepared::new(order, &voxels, quantiles)).await?
    }

    /// What is said of a picture beside its pixels: stored = slope × pixel + intercept. Nothing is rendered for it.
    ///
    /// # Errors
    /// [`PictureError`].
    pub async fn value_mapping(&self, order: &Order) -> Result<(f64, f64), PictureError> {
        let quantiles = self.quantiles(order).await?;
        let input = RenderInput { planes: &[], facts: &order.scan.facts, quantiles: &quantiles };
        Ok(order.key.picture.value_mapping(&input))
    }

    async fn voxels(&self, order: &Order) -> Result<Vec<Voxels>, PictureError> {
        let nothing = |slice| Voxels { slice, image: Vec::new(), mask: Vec::new() };
        let mut voxels: Vec<_> = order.slices().into_iter().map(nothing).collect();
        let reads = needed(order).into_iter().map(|(n, array, canonical)| async move {
            Ok::<_, PictureError>((n, array, self.read(order, array, canonical).await?))
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

    async fn read(&self, order: &Order, array: Array, slice: usize) -> Result<StoredSlice, PictureError> {
        let facts = &order.scan.facts;
        let [_, rows, columns] = facts.shape;
        let address =
            SliceAddress { group: &order.scan.group, array, slice, element: facts.element, shape: [rows, columns] };
        match self.store.read_slice(address).await {
            Ok(slice) => Ok(slice),
            Err(error) => Err(self.explain(&order.scan.group, error).await),
        }
    }

    /// A file that is not there may belong to a scan that was imported anew after this request looked it up.
    pub(super) async fn explain(&self, group: &GroupName, error: StoreError) -> PictureError {
        if error.is_missing() && self.renew().await.is_ok() {
            let now = self.catalogue().scan(group.scan).map(|found| Arc::clone(&found.group.revision));
            if now.as_ref() != Some(&group.revision) {
                return PictureError::Replaced(group.scan);
            }
        }
        PictureError::Store(Arc::new(error))
    }

    async fn quantiles(&self, order: &Order) -> Result<Vec<f64>, PictureError> {
        if !order.key.picture.needs_quantiles() {
            return Ok(Vec::new());
        }
        let index = order.reader.begin().await?;
        index.quantiles(&order.scan.group).await?.ok_or(PictureError::Replaced(order.key.scan))
    }
}

impl Order {
    /// Bytes of the slices that the picture is made of, as stored, decoded and turned into its layout.
    pub(super) fn slice_bytes(&self) -> u64 {
        let facts = &self.scan.facts;
        let pixels = (facts.shape[1] * facts.shape[2]) as u64;
        let bytes = |array| match array {
            Array::Image => pixels * facts.element.size() as u64,
            Array::Mask => pixels,
        };
        3 * needed(self).into_iter().map(|(_, array, _)| bytes(array)).sum::<u64>()
    }

    /// Bytes that rendering the picture takes at most, the file included. Known before anything is read.
    pub(super) fn memory(&self) -> u64 {
        let picture = &self.key.picture;
        let file = picture.pixel_bytes();
        let copy = if file < COPIED_BELOW as u64 { file } else { 0 };
        self.slice_bytes() + file + copy + picture.band_bytes()
    }
}

/// What has to be read: for which of the slices, of which array, which canonical slice.
fn needed(order: &Order) -> Vec<(usize, Array, usize)> {
    let kind = order.key.picture.kind();
    let view = order.key.picture.view(&order.scan.facts);
    let mut needed = Vec::new();
    for (n, slice) in order.slices().into_iter().enumerate() {
        for canonical in view.canonical_slices(slice) {
            needed.extend(kind.needs_image().then_some((n, Array::Image, canonical)));
            needed.extend(kind.needs_mask().then_some((n, Array::Mask, canonical)));
        }
    }
    needed
}

impl Prepared {
    /// Checks and inflates the slices, and turns them into the picture's layout.
    fn new(order: Order, slices: &[Voxels], quantiles: Vec<f64>) -> Result<Self, PictureError> {
        let facts = &order.scan.facts;
        let view = order.key.picture.view(facts);
        let planes = slices.iter().map(|s| {
            let image = oriented(&view, s.slice, &decoded(&s.image)?, facts, facts.element);
            let mask = oriented(&view, s.slice, &decoded(&s.mask)?, facts, ElementType::Uint8);
            Ok(Voxelled { image, mask })
        });
        let planes = planes.collect::<Result<_, StoreError>>().map_err(|error| PictureError::Store(Arc::new(error)))?;
        Ok(Self { order, planes, quantiles })
    }

    /// Calls `work` with the picture and what it is rendered from.
    fn render<T>(
        &self,
        work: impl FnOnce(&Picture, &RenderInput<'_>) -> Result<T, RenderError>,
    ) -> Result<T, PictureError> {
        let facts = &self.order.scan.facts;
        let [_, rows, columns] = self.order.key.picture.view(facts).shape();
        let planes = self.planes.iter().map(|plane| Plane {
            image: plane.image.as_deref().map(|bytes| Slice { element: facts.element, rows, columns, bytes }),
            mask: plane.mask.as_deref().map(|bytes| Slice { element: ElementType::Uint8, rows, columns, bytes }),
        });
        let planes: Vec<_> = planes.collect();
        let input = RenderInput { planes: &planes, facts, quantiles: &self.quantiles };
        work(&self.order.key.picture, &input).map_err(|error| PictureError::Render(Arc::new(error)))
    }

    /// Some rows of the picture, without a header.
    pub(super) fn rows(&self, rows: Range<usize>) -> Result<Vec<u8>, PictureError> {
        self.render(|picture, input| picture.pixels(input, rows))
    }
}

impl Work {
    fn advance(&mut self, start: Instant) -> Result<(), PictureError> {
        let Self { prepared, rendering, .. } = self;
        self.is_done = prepared.render(|_, input| rendering.advance(input))?;
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
