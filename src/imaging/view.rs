//! Layouts: how slices are addressed and oriented. The store has canonical slices; a view says which of them make a slice
//! of another layout, and puts their voxels in its order.

use std::borrow::Cow;

use strum::{EnumString, VariantNames};

use super::facts::ScanFacts;
use crate::volume::{Axis, Geometry, Orientation, Slice};

/// A layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Layout {
    /// Slices from the patient's right to left, rows from head to foot, columns from front to back.
    Canonical,
    /// As in the file, axes named as the Hugging Face edition names them: the file's numpy axes (k, j, i), and slices lie
    /// on the last one unless the first is shorter than the last.
    Stored,
}

impl Layout {
    /// Every layout's name, the default first.
    pub const NAMES: &[&str] = <Self as VariantNames>::VARIANTS;
}

/// Which axes of a file's array, by its shape, are slices, rows and columns of the stored layout.
#[must_use]
pub fn stored_axes(shape: [usize; 3]) -> [usize; 3] {
    if shape[0] < shape[2] { [0, 1, 2] } else { [2, 0, 1] }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ViewAxis {
    /// The canonical axis that this one is.
    canonical: usize,
    flipped: bool,
    len: usize,
}

impl ViewAxis {
    fn canonical_index(self, index: usize) -> usize {
        if self.flipped { self.len - 1 - index } else { index }
    }
}

/// A scan as one layout shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceView {
    /// Slice, row, column.
    axes: [ViewAxis; 3],
}

impl SliceView {
    /// The view in a layout of a scan with this canonical shape, whose file `orientation` brings to it.
    #[must_use]
    pub fn new(shape: [usize; 3], orientation: Orientation, layout: Layout) -> Self {
        let canonical = |axis| ViewAxis { canonical: axis, flipped: false, len: shape[axis] };
        let stored = |axis| {
            let canonical = (0..3).find(|&c| orientation.source_axis[c] == axis).unwrap_or(axis);
            ViewAxis { canonical, flipped: orientation.flipped[canonical], len: shape[canonical] }
        };
        let axes = match layout {
            Layout::Canonical => [0, 1, 2].map(canonical),
            Layout::Stored => stored_axes([0, 1, 2].map(|axis| stored(axis).len)).map(stored),
        };
        Self { axes }
    }

    /// Number of slices, rows and columns.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        self.axes.map(|axis| axis.len)
    }

    /// Millimetres between voxel centres of a slice: from row to row, from column to column.
    #[must_use]
    pub fn pixel_mm(&self, facts: &ScanFacts) -> [f64; 2] {
        [1, 2].map(|n: usize| facts.spacing_mm[self.axes[n].canonical])
    }

    /// The canonical slices of which slice `k` is made, in the order in which [`SliceView::plane`] wants them. One, unless
    /// the layout's slices are not sagittal.
    #[must_use]
    pub fn canonical_slices(&self, k: usize) -> Vec<usize> {
        if self.is_sagittal() {
            return vec![self.axes[0].canonical_index(k)];
        }
        let across = self.axes.iter().find(|axis| axis.canonical == 0);
        (0..across.map_or(0, |axis| axis.len)).collect()
    }

    /// The slice of this view that shows canonical slice `k`; `None` unless the view's slices are sagittal.
    #[must_use]
    pub fn showing(&self, k: usize) -> Option<usize> {
        self.is_sagittal().then(|| self.axes[0].canonical_index(k))
    }

    /// Where a point of a canonical slice, (row, column), lies in the slice of this view that shows it. Only for views whose
    /// slices are sagittal.
    #[must_use]
    pub fn point(&self, canonical: [f64; 2]) -> [f64; 2] {
        [1, 2].map(|n: usize| {
            let axis = self.axes[n];
            let value = canonical[axis.canonical.saturating_sub(1)];
            if axis.flipped { (axis.len - 1) as f64 - value } else { value }
        })
    }

    /// The geometry of a grid laid over this view: its first point at `first` (slice, row, column of the view, which may be
    /// fractional), its steps `step` voxels, its axes those of the view. `canonical` is the scan's geometry.
    #[must_use]
    pub fn geometry(&self, canonical: &Geometry, first: [f64; 3], step: [f64; 3], len: [usize; 3]) -> Geometry {
        let mut index = [0.0; 3];
        let axes = [0, 1, 2].map(|n: usize| {
            let axis = self.axes[n];
            let of = canonical.axes[axis.canonical];
            index[axis.canonical] = if axis.flipped { (axis.len - 1) as f64 - first[n] } else { first[n] };
            let sign = if axis.flipped { -1.0 } else { 1.0 };
            // `+ 0.0` keeps an exact zero from becoming −0.
            let direction = of.direction.map(|part| part * sign + 0.0);
            Axis { len: len[n], spacing_mm: of.spacing_mm * step[n], direction }
        });
        Geometry { axes, origin_mm: canonical.world(index) }
    }

    /// The voxels of slice `k`, rows × columns in the order of this view, from the canonical slices it is made of.
    #[must_use]
    pub fn plane<'a>(&self, k: usize, slices: &[Slice<'a>]) -> Cow<'a, [u8]> {
        let [_, rows, columns] = self.axes;
        match slices {
            [slice] if self.is_sagittal() && rows.canonical == 1 && !columns.flipped => {
                if !rows.flipped {
                    return Cow::Borrowed(slice.bytes);
                }
                let line = columns.len * slice.element.size();
                Cow::Owned(slice.bytes.chunks_exact(line.max(1)).rev().flatten().copied().collect())
            }
            _ => Cow::Owned(self.gather(k, slices)),
        }
    }

    fn is_sagittal(&self) -> bool {
        self.axes[0].canonical == 0
    }

    fn gather(&self, k: usize, slices: &[Slice<'_>]) -> Vec<u8> {
        let [_, rows, columns] = self.axes;
        let mut plane = Vec::new();
        for row in 0..rows.len {
            for column in 0..columns.len {
                let mut index = [0; 3];
                for (axis, n) in self.axes.iter().zip([k, row, column]) {
                    index[axis.canonical] = axis.canonical_index(n);
                }
                let slice = slices[if self.is_sagittal() { 0 } else { index[0] }];
                let size = slice.element.size();
                let start = (index[1] * slice.columns + index[2]) * size;
                plane.extend_from_slice(&slice.bytes[start..start + size]);
            }
        }
        plane
    }
}

#[cfg(test)]
mod tests;
