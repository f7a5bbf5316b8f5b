//! A scan in the layout of its own file: the same array, element type and grid, from the canonical slices of the store.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::catalogue::CataloguedScan;
use super::{Catalogue, Renderer, RendererError};
use crate::spider::ScanId;
use crate::store::{Array, StoredSlice};
use crate::volume::{Axis, ElementType, Geometry, Orientation, Volume};
use crate::worker_pool::Flow;

/// Bytes that are made at once. Where the file's slowest axis is not the store's, every slice is read for each of them.
const BAND_BYTES: usize = 16 << 20;

/// Nanoseconds for each byte of a slice to be decoded and turned, roughly.
const NANOSECONDS_PER_BYTE: u64 = 2;

/// The image or the mask of a scan, to be read in file order.
#[derive(Debug, Clone)]
pub struct SourceVolume {
    scan: Arc<CataloguedScan>,
    array: Array,
    /// Of the file: masks are stored as `uint8`, whatever they are in theirs.
    element: ElementType,
}

impl SourceVolume {
    /// An array of a scan whose file has this element type.
    ///
    /// # Errors
    /// [`RendererError::UnknownScan`].
    pub fn new(catalogue: &Catalogue, scan: ScanId, array: Array, element: ElementType) -> Result<Self, RendererError> {
        let scan = catalogue.scan(scan).ok_or(RendererError::UnknownScan(scan))?;
        Ok(Self { scan: Arc::clone(scan), array, element })
    }

    fn orientation(&self) -> Orientation {
        self.scan.facts.orientation
    }

    /// The canonical axis that is the file's slowest.
    fn slowest(&self) -> usize {
        self.orientation().source_axis.iter().position(|&source| source == 0).unwrap_or(0)
    }

    /// Length of a plane of the file across its slowest axis.
    fn plane_bytes(&self) -> usize {
        let shape = self.scan.facts.shape;
        let plane: usize = (0..3).filter(|&axis| axis != self.slowest()).map(|axis| shape[axis]).product();
        plane * self.element.size()
    }

    /// The planes that are made at once.
    pub fn bands(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let count = self.scan.facts.shape[self.slowest()];
        let at_once = (BAND_BYTES / self.plane_bytes().max(1)).max(1);
        (0..count).step_by(at_once).map(move |first| first..(first + at_once).min(count))
    }

    /// Length of some planes.
    #[must_use]
    pub fn band_bytes(&self, planes: &Range<usize>) -> u64 {
        (planes.len() * self.plane_bytes()) as u64
    }

    /// The canonical slices, rows and columns of which some planes of the file consist.
    fn canonical(&self, planes: Range<usize>) -> [Range<usize>; 3] {
        let (shape, slowest) = (self.scan.facts.shape, self.slowest());
        let mut ranges = shape.map(|len| 0..len);
        let len = shape[slowest];
        ranges[slowest] =
            if self.orientation().flipped[slowest] { len - planes.end..len - planes.start } else { planes };
        ranges
    }

    /// Length of a canonical slice.
    fn slice_bytes(&self) -> u64 {
        let [_, rows, columns] = self.scan.facts.shape;
        (rows * columns * self.stored_element().size()) as u64
    }

    fn stored_element(&self) -> ElementType {
        if self.array == Array::Mask { ElementType::Uint8 } else { self.scan.facts.element }
    }

    /// Puts a part of the canonical array, `shape` voxels in its order, into the order and element type of the file.
    fn in_file_order(&self, shape: [usize; 3], bytes: Vec<u8>) -> Vec<u8> {
        let axis = |len| Axis { len, spacing_mm: 1.0, direction: [0.0; 3] };
        let geometry = Geometry { axes: shape.map(axis), origin_mm: [0.0; 3] };
        let part = Volume { element: self.stored_element(), geometry, bytes };
        let turned = self.orientation().inverse().apply(part).bytes;
        if self.array == Array::Mask { labels_as(self.element, turned) } else { turned }
    }
}

/// Labels in another element type, little-endian.
fn labels_as(element: ElementType, labels: Vec<u8>) -> Vec<u8> {
    let size = element.size();
    match element {
        ElementType::Float32 => labels.iter().flat_map(|&label| f32::from(label).to_le_bytes()).collect(),
        ElementType::Float64 => labels.iter().flat_map(|&label| f64::from(label).to_le_bytes()).collect(),
        _ if size == 1 => labels,
        _ => {
            let mut wide = vec![0; labels.len() * size];
            for (wide, label) in wide.chunks_exact_mut(size).zip(labels) {
                wide[0] = label;
            }
            wide
        }
    }
}

impl Renderer {
    /// The voxels of some planes of a volume, in file order.
    ///
    /// # Errors
    /// [`RendererError`].
    pub async fn source_band(
        &self,
        volume: SourceVolume,
        planes: Range<usize>,
        flow: Flow,
    ) -> Result<Bytes, RendererError> {
        let len = volume.band_bytes(&planes);
        let slice_len = volume.slice_bytes();
        let _slot = self.pool.admit(flow.class)?;
        // The band in both orders, and a slice as stored and decoded.
        let mut reservation = self.pool.budget().reserve(flow, 2 * (len + slice_len)).await?;
        let ranges = volume.canonical(planes);
        let shape = ranges.clone().map(|range| range.len());
        let part = self.canonical_part(&volume, ranges, flow).await?;
        let turn = move || volume.in_file_order(shape, part);
        let bytes = Bytes::from(self.pool.run(flow, len * NANOSECONDS_PER_BYTE, turn).await?);
        reservation.shrink_to(bytes.len() as u64);
        Ok(reservation.hold(bytes))
    }

    /// Some voxels of some canonical slices.
    async fn canonical_part(
        &self,
        volume: &SourceVolume,
        [slices, rows, columns]: [Range<usize>; 3],
        flow: Flow,
    ) -> Result<Vec<u8>, RendererError> {
        let (size, cost) = (volume.stored_element().size(), volume.slice_bytes() * NANOSECONDS_PER_BYTE);
        let (line, bytes) = (volume.scan.facts.shape[2] * size, columns.start * size..columns.end * size);
        let reads = slices.map(|slice| self.read(&volume.scan, volume.array, slice));
        let mut reads = std::pin::pin!(stream::iter(reads).buffered(self.store.requests_at_once()));
        let mut part = Vec::new();
        while let Some(slice) = reads.try_next().await? {
            let (rows, bytes) = (rows.clone(), bytes.clone());
            part = self.pool.run(flow, cost, move || append(part, &slice, line, &rows, &bytes)).await??;
        }
        Ok(part)
    }
}

/// Appends some rows of a slice, of each some bytes; `line` is the length of a row.
fn append(
    mut part: Vec<u8>,
    slice: &StoredSlice,
    line: usize,
    rows: &Range<usize>,
    bytes: &Range<usize>,
) -> Result<Vec<u8>, RendererError> {
    let voxels = slice.voxels().map_err(|error| RendererError::Store(Arc::new(error)))?;
    let lines = voxels.chunks_exact(line.max(1)).skip(rows.start).take(rows.len());
    part.extend(lines.flat_map(|line| &line[bytes.clone()]));
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_values_in_every_element_type() {
        let labels = vec![0, 1, 100, 201];
        let two: Vec<u8> = [0u16, 1, 100, 201].iter().flat_map(|label| label.to_le_bytes()).collect();
        let real: Vec<u8> = [0f32, 1.0, 100.0, 201.0].iter().flat_map(|label| label.to_le_bytes()).collect();
        assert_eq!(labels_as(ElementType::Uint8, labels.clone()), labels);
        assert_eq!(labels_as(ElementType::Int16, labels.clone()), two);
        assert_eq!(labels_as(ElementType::Float32, labels), real);
    }
}
