use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::order::Order;
use super::{PictureError, Pictures};
use crate::render::{Plane, RenderInput, Rendered, ScanFacts, SliceView};
use crate::store::{Array, GroupName, SliceAddress, StoreError, StoredSlice};
use crate::volume::{ElementType, Slice};

/// A picture in memory.
#[derive(Debug)]
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

impl Pictures {
    /// Reads what the picture of an order needs and draws it.
    pub(super) async fn draw_anew(&self, order: Order) -> Result<Drawn, PictureError> {
        // A place first: a server that is full should not even read.
        let turn = self.pool.admit()?.turn().await?;
        let start = Instant::now();
        let voxels = self.voxels(&order).await?;
        let quantiles = self.quantiles(&order).await?;
        let read = start.elapsed();
        let drawn = turn.run(move || {
            let start = Instant::now();
            let rendered = render(&order, &voxels, &quantiles)?;
            // What is kept is counted by its length, so it must not hold more: a copy fits exactly, and the roomy buffer
            // it was drawn in is free for the next picture. Allocators do not shrink one in place.
            let bytes = Bytes::copy_from_slice(&rendered.bytes);
            Ok::<_, PictureError>((rendered, bytes, start.elapsed()))
        });
        let (rendered, bytes, draw) = drawn.await??;
        let Rendered { media_type, slope, intercept, pixel_mm, .. } = rendered;
        let timing = Timing { read, draw };
        Ok(Drawn { bytes, media_type, slope, intercept, pixel_mm, timing })
    }

    async fn voxels(&self, order: &Order) -> Result<Vec<Voxels>, PictureError> {
        let nothing = |slice| Voxels { slice, image: Vec::new(), mask: Vec::new() };
        let mut voxels: Vec<_> = order.slices().into_iter().map(nothing).collect();
        let reads = needed(order, &voxels).into_iter().map(|(n, array, canonical)| async move {
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

/// What has to be read: for which of the slices, of which array, which canonical slice.
fn needed(order: &Order, slices: &[Voxels]) -> Vec<(usize, Array, usize)> {
    let kind = order.key.picture.kind();
    let view = order.key.picture.view(&order.scan.facts);
    let mut needed = Vec::new();
    for (n, shown) in slices.iter().enumerate() {
        for canonical in view.canonical_slices(shown.slice) {
            needed.extend(kind.needs_image().then_some((n, Array::Image, canonical)));
            needed.extend(kind.needs_mask().then_some((n, Array::Mask, canonical)));
        }
    }
    needed
}

fn render(order: &Order, slices: &[Voxels], quantiles: &[f64]) -> Result<Rendered, PictureError> {
    let facts = &order.scan.facts;
    let view = order.key.picture.view(facts);
    let decoded = slices.iter().map(|s| Ok((s.slice, decoded(&s.image)?, decoded(&s.mask)?)));
    let decoded: Vec<_> =
        decoded.collect::<Result<_, StoreError>>().map_err(|error| PictureError::Store(Arc::new(error)))?;
    let oriented = |k, voxels, element| oriented(&view, k, voxels, facts, element);
    let oriented: Vec<_> = decoded
        .iter()
        .map(|(k, image, mask)| (oriented(*k, image, facts.element), oriented(*k, mask, ElementType::Uint8)))
        .collect();
    let [_, rows, columns] = view.shape();
    let planes: Vec<_> = oriented
        .iter()
        .map(|(image, mask)| Plane {
            image: image.as_deref().map(|bytes| Slice { element: facts.element, rows, columns, bytes }),
            mask: mask.as_deref().map(|bytes| Slice { element: ElementType::Uint8, rows, columns, bytes }),
        })
        .collect();
    let rendered = order.key.picture.render(&RenderInput { planes: &planes, facts, quantiles });
    rendered.map_err(|error| PictureError::Render(Arc::new(error)))
}

fn decoded(slices: &[StoredSlice]) -> Result<Vec<Bytes>, StoreError> {
    slices.iter().map(StoredSlice::voxels).collect()
}

/// Slice `k` of a view from the canonical slices it is made of; `None` when there are none because it is not needed.
fn oriented<'a>(
    view: &SliceView,
    k: usize,
    voxels: &'a [Bytes],
    facts: &ScanFacts,
    element: ElementType,
) -> Option<Cow<'a, [u8]>> {
    let [_, rows, columns] = facts.shape;
    let slices: Vec<_> = voxels.iter().map(|bytes| Slice { element, rows, columns, bytes }).collect();
    (!slices.is_empty()).then(|| view.plane(k, &slices))
}
