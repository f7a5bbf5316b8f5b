//! Resizing one slice. Every filter works on f64 and hands its rows over one by one, so that no plane of f64 is ever held.
//!
//! `linear` is `skimage.transform.resize` (order 1, its Gaussian anti-aliasing, mode `reflect`), float for float: the same
//! operations in the same order, or others where it is certain that the results round to the same integers. `nearest` is its order 0. `cubic` and
//! `lanczos` are the convolutions of Pillow's `BICUBIC` and `LANCZOS`; `area` is the mean over each pixel's footprint.

mod convolve;
mod linear;
mod nearest;
mod source;

use strum::{Display, EnumString, VariantNames};

use crate::volume::Slice;

pub use nearest::resample_labels;

/// How values between voxels are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Filter {
    /// Bilinear after a Gaussian that is as wide as the shrinking needs.
    Linear,
    /// The nearest voxel's value.
    Nearest,
    /// Catmull–Rom (a = −0.5), widened when shrinking.
    Cubic,
    /// Lanczos-3, widened when shrinking.
    Lanczos,
    /// Mean over the area that a pixel covers.
    Area,
}

impl Filter {
    /// Every filter, the default first.
    pub const ALL: [Self; 5] = [Self::Linear, Self::Nearest, Self::Cubic, Self::Lanczos, Self::Area];

    /// Every filter's name, the default first.
    pub const NAMES: &[&str] = <Self as VariantNames>::VARIANTS;
}

/// One axis: `input` samples are resized to `scaled`, of which the `len` from `start` are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AxisSampling {
    /// Samples there are.
    pub input: usize,
    /// Samples the whole axis is resized to.
    pub scaled: usize,
    /// First wanted one of those.
    pub start: usize,
    /// How many are wanted.
    pub len: usize,
}

impl AxisSampling {
    /// The whole axis.
    #[must_use]
    pub fn whole(input: usize, scaled: usize) -> Self {
        Self { input, scaled, start: 0, len: scaled }
    }

    /// Where wanted sample `n` lies on the input axis, in input samples; `scipy.ndimage.zoom(grid_mode=True)`'s arithmetic.
    fn coordinate(&self, n: usize) -> f64 {
        let zoom = self.input as f64 / self.scaled as f64;
        ((self.start + n) as f64 + 0.5) * zoom - 0.5
    }

    /// Whether every sample stays as it is.
    fn is_identity(&self) -> bool {
        self.input == self.scaled
    }

    /// Whether the wanted samples are those of the input, all of them.
    fn is_whole(&self) -> bool {
        self.is_identity() && self.start == 0 && self.len == self.input
    }
}

/// How a slice is resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sampling {
    /// Along the rows' axis, top to bottom.
    pub rows: AxisSampling,
    /// Along the columns' axis, left to right.
    pub columns: AxisSampling,
    /// What lies between voxels.
    pub filter: Filter,
}

/// `value` cut to what lies from `least` to `most`; NaN is `least`.
///
/// One instruction each: `f64::max` and `f64::min` take three, for the case that `least` or `most` is NaN.
#[inline(always)]
pub(super) fn clamped(value: f64, least: f64, most: f64) -> f64 {
    let value = raised(value, least);
    if value < most { value } else { most }
}

/// `value`, or `least` where that is larger or the value is NaN.
#[inline(always)]
fn raised(value: f64, least: f64) -> f64 {
    if value > least { value } else { least }
}

/// How stored values become the values that are resized: times `factor`, and where they may lie afterwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueScale {
    /// Multiplies every stored value, in f64.
    pub factor: f64,
    /// What is below this afterwards is raised to it.
    pub least: f64,
    /// Smallest and largest value of the whole volume, times `factor`: no result lies outside, whatever the filter.
    pub range: (f64, f64),
}

/// Takes the rows of a resized slice.
///
/// What implements it with `#[inline(always)]` is compiled for the same instructions as the resampling, which the body of a
/// closure is not.
pub trait RowSink {
    /// The next row from the top.
    fn push(&mut self, row: &[f64]);

    /// Whether rows of slightly other values may give the same pixels: [`RowSink::push_close`] takes some.
    fn rounds(&self) -> bool {
        false
    }

    /// The next row from the top, each value off by `margin` at most, if all values within that give the same pixels.
    /// Otherwise the row is not taken.
    fn push_close(&mut self, _row: &[f64], _margin: f64) -> bool {
        false
    }
}

impl<F: FnMut(&[f64])> RowSink for F {
    fn push(&mut self, row: &[f64]) {
        self(row);
    }
}

/// Resizes `slice`. `sink` gets each of `sampling.rows.len` rows, `sampling.columns.len` values long, in order.
pub fn resample(slice: Slice<'_>, scale: ValueScale, sampling: &Sampling, sink: impl RowSink) {
    let untouched = sampling.rows.is_identity() && sampling.columns.is_identity();
    match sampling.filter {
        Filter::Nearest => nearest::resample(slice, scale, sampling, sink),
        _ if untouched => nearest::resample(slice, scale, sampling, sink),
        Filter::Linear => linear::resample(slice, scale, sampling, sink),
        Filter::Cubic => convolve::resample(slice, scale, sampling, convolve::Kernel::CatmullRom, sink),
        Filter::Lanczos => convolve::resample(slice, scale, sampling, convolve::Kernel::Lanczos3, sink),
        Filter::Area => convolve::resample(slice, scale, sampling, convolve::Kernel::Coverage, sink),
    }
}
