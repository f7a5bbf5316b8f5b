//! A 3-D grid of voxels with its place in the patient: element type, spacing, origin, direction, and the way
//! between the order a file happens to use and the one order the service works in.
//!
//! Array axes are always listed slowest first, so `axes[2]` is the one whose neighbours are adjacent in memory.
//! World coordinates are millimetres in the LPS system of DICOM and ITK: +x to the patient's left, +y to the
//! back, +z to the head.

mod element;
mod geometry;
mod grid;
mod intensity;
mod label_statistics;
mod orientation;

pub use element::ElementType;
pub use geometry::{Affine, Axis, Geometry, Point};
pub use grid::Grid;
pub use intensity::{Intensity, IntensityError, QUANTILES};
pub use label_statistics::{LabelStatistics, SliceLabel, VolumeLabel};
pub use orientation::Orientation;

/// A whole volume in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// What each voxel is.
    pub element: ElementType,
    /// Where each voxel is.
    pub geometry: Geometry,
    /// The voxels, little-endian, in C order of `geometry.axes`; exactly `geometry.voxels() * element.size()` bytes.
    pub bytes: Vec<u8>,
}

/// One slice of a volume: rows × columns voxels, little-endian, row after row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice<'a> {
    /// What each voxel is.
    pub element: ElementType,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// `rows * columns * element.size()` bytes.
    pub bytes: &'a [u8],
}

impl Volume {
    /// The `k`-th slice along the slowest axis. Shape: (`axes[1].len`, `axes[2].len`).
    ///
    /// Returns `None` when `k` is not below `axes[0].len`.
    #[must_use]
    pub fn slice(&self, k: usize) -> Option<Slice<'_>> {
        let [_, rows, columns] = self.geometry.shape();
        let size = rows * columns * self.element.size();
        let bytes = self.bytes.get(k.checked_mul(size)?..(k + 1).checked_mul(size)?)?;
        Some(Slice { element: self.element, rows, columns, bytes })
    }
}
