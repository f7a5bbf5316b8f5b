//! How large an image is, and which part of it the slice fills.

use std::ops::Range;

use strum::{EnumString, VariantNames};

use super::resample::AxisSampling;
use crate::params::{ParameterError, ParameterErrorKind};

/// Pixels along one side of an image. Resizing holds several rows of f64 and weights for every column, so that one very
/// long row would cost far more memory than its pixels.
const LONGEST_SIDE: u64 = 16_384;

/// What to do with a shape that is not the slice's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Fit {
    /// Fill it, whatever becomes of the proportions.
    Stretch,
    /// Keep physical proportions, pad what is left.
    Contain,
    /// Keep physical proportions, crop what is too much.
    Cover,
}

impl Fit {
    /// Every name, the default first.
    pub const NAMES: &[&str] = <Self as VariantNames>::VARIANTS;
}

/// `limit` says what is rendered at most.
fn too_large(name: &str, [rows, columns]: [u64; 2], limit: &str) -> ParameterError {
    let message = format!("an image of {columns} × {rows} pixels is too large; {limit}");
    ParameterError::other(ParameterErrorKind::OutputTooLarge, name, message)
}

/// The requested size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Size {
    /// As acquired.
    Native,
    /// Height and width in pixels.
    Exact(u32, u32),
    /// Height in pixels, width by physical proportions.
    Height(u32),
    /// Width in pixels, height by physical proportions.
    Width(u32),
    /// Millimetres per pixel, both ways.
    Spacing(f64),
    /// A part of the slice.
    Patch(Patch),
}

/// A rectangle cut out of a slice, upright, in square pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::imaging) struct Patch {
    /// Its centre: row and column of the slice, in pixels as acquired.
    pub centre: [f64; 2],
    /// Its height and width in millimetres.
    pub side_mm: [f64; 2],
    /// Millimetres per pixel, both ways.
    pub spacing: f64,
}

impl Size {
    /// The parameter that it was given by; `size` and `width` with `height` are the same request.
    fn parameter(self) -> &'static str {
        match self {
            Self::Native => "size",
            Self::Exact(height, width) if height == width => "size",
            Self::Exact(height, width) => {
                if height > width {
                    "height"
                } else {
                    "width"
                }
            }
            Self::Height(_) => "height",
            Self::Width(_) => "width",
            Self::Spacing(_) | Self::Patch(_) => "spacing",
        }
    }
}

/// A canvas and the part of it that shows the slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Viewport {
    /// Rows and columns of the image.
    pub canvas: [usize; 2],
    /// Row and column of the canvas where the slice begins.
    pub offset: [usize; 2],
    /// How the slice's rows are resized.
    pub rows: AxisSampling,
    /// How the slice's columns are resized.
    pub columns: AxisSampling,
}

/// What some rows of a canvas show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Band {
    /// Rows before the slice begins.
    pub(super) above: usize,
    /// Which of the slice's resized rows follow; there may be none. The rest of the rows lies below the slice.
    pub(super) rows: AxisSampling,
}

/// A slice as it was acquired.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acquired {
    /// Rows and columns.
    pub(super) shape: [usize; 2],
    /// Millimetres from row to row and from column to column.
    pub(super) pixel_mm: [f64; 2],
}

impl Acquired {
    /// Height and width in millimetres.
    fn extent_mm(self) -> [f64; 2] {
        [0, 1].map(|n: usize| self.shape[n] as f64 * self.pixel_mm[n])
    }
}

impl Viewport {
    /// The viewport of a slice in a size, within `max_pixels`.
    pub(super) fn new(acquired: Acquired, size: Size, fit: Fit, max_pixels: u64) -> Result<Self, ParameterError> {
        let [height, width] = canvas(acquired, size);
        let refused = |limit: &str| Err(too_large(size.parameter(), [height, width], limit));
        if height.saturating_mul(width) > max_pixels {
            return refused(&format!("at most {max_pixels} pixels are rendered"));
        }
        if height.max(width) > LONGEST_SIDE {
            return refused(&format!("no side may be longer than {LONGEST_SIDE} pixels"));
        }
        let canvas = [height as usize, width as usize];
        if let Size::Patch(patch) = size {
            return Self::around(acquired, patch, canvas);
        }
        let by_proportion = matches!(size, Size::Exact(..)) && fit != Fit::Stretch;
        let scaled = if by_proportion { proportional(acquired, canvas, fit) } else { canvas };
        let (rows, top) = place(acquired.shape[0], scaled[0], canvas[0]);
        let (columns, left) = place(acquired.shape[1], scaled[1], canvas[1]);
        Ok(Self { canvas, offset: [top, left], rows, columns })
    }

    /// The viewport of a patch: the whole slice at the requested spacing, and the canvas laid over it to the nearest pixel.
    fn around(acquired: Acquired, patch: Patch, canvas: [usize; 2]) -> Result<Self, ParameterError> {
        let whole = self::canvas(acquired, Size::Spacing(patch.spacing));
        if whole[0].max(whole[1]) > LONGEST_SIDE {
            return Err(too_large("spacing", whole, "the whole slice must not be larger at this spacing"));
        }
        let place = |n: usize| {
            let (input, scaled, len) = (acquired.shape[n], whole[n] as usize, canvas[n]);
            let centre = (patch.centre[n] + 0.5) * scaled as f64 / input as f64;
            let first = (centre - len as f64 / 2.0).round() as i64;
            let (start, end) = (first.clamp(0, scaled as i64 - 1), (first + len as i64).clamp(1, scaled as i64));
            let shown = AxisSampling { input, scaled, start: start as usize, len: (end - start).max(1) as usize };
            (shown, usize::try_from(start - first).unwrap_or(0))
        };
        let ((rows, top), (columns, left)) = (place(0), place(1));
        Ok(Self { canvas, offset: [top, left], rows, columns })
    }

    /// Millimetres per pixel, from row to row and from column to column.
    pub(super) fn pixel_mm(&self, acquired: Acquired) -> [f64; 2] {
        let per_pixel = |axis: AxisSampling, mm: f64| mm * axis.input as f64 / axis.scaled as f64;
        [per_pixel(self.rows, acquired.pixel_mm[0]), per_pixel(self.columns, acquired.pixel_mm[1])]
    }

    /// What some rows of the canvas show of the slice.
    pub(super) fn band(&self, rows: &Range<usize>) -> Band {
        let (top, bottom) = (self.offset[0], self.offset[0] + self.rows.len);
        let (first, end) = (rows.start.clamp(top, bottom), rows.end.clamp(top, bottom));
        let shown = AxisSampling { start: self.rows.start + first - top, len: end - first, ..self.rows };
        Band { above: rows.end.min(top) - rows.start.min(top), rows: shown }
    }

    /// Whether every pixel is a voxel.
    pub(super) fn is_native(&self) -> bool {
        self.rows.input == self.rows.scaled && self.columns.input == self.columns.scaled
    }

    /// Whether the whole slice fills the canvas.
    pub(super) fn is_full(&self) -> bool {
        self.canvas == [self.rows.scaled, self.columns.scaled] && self.is_filled()
    }

    /// Whether some part of the slice fills the canvas.
    pub(super) fn is_filled(&self) -> bool {
        self.canvas == [self.rows.len, self.columns.len]
    }
}

/// Height and width of the canvas.
fn canvas(acquired: Acquired, size: Size) -> [u64; 2] {
    let [rows, columns] = acquired.shape.map(|n| n as u64);
    let [height_mm, width_mm] = acquired.extent_mm();
    // Casts from f64 saturate, so that absurd sizes end at the limit and nowhere else.
    let pixels = |exact: f64| (exact.round() as u64).max(1);
    match size {
        Size::Native => [rows, columns],
        Size::Exact(height, width) => [height.into(), width.into()],
        Size::Height(height) => [height.into(), pixels(f64::from(height) * width_mm / height_mm)],
        Size::Width(width) => [pixels(f64::from(width) * height_mm / width_mm), width.into()],
        Size::Spacing(mm) => [pixels(height_mm / mm), pixels(width_mm / mm)],
        Size::Patch(Patch { side_mm, spacing, .. }) => side_mm.map(|mm| pixels(mm / spacing)),
    }
}

/// Height and width of the whole slice when it keeps its proportions in, or around, the canvas.
fn proportional(acquired: Acquired, canvas: [usize; 2], fit: Fit) -> [usize; 2] {
    let extent = acquired.extent_mm();
    let per_mm = [0, 1].map(|n: usize| canvas[n] as f64 / extent[n]);
    let scale = if fit == Fit::Contain { per_mm[0].min(per_mm[1]) } else { per_mm[0].max(per_mm[1]) };
    [0, 1].map(|n: usize| {
        let pixels = ((extent[n] * scale).round() as usize).max(1);
        if fit == Fit::Contain { pixels.min(canvas[n]) } else { pixels.max(canvas[n]) }
    })
}

/// Centres a scaled axis on the canvas: what of it is wanted, and where it begins.
fn place(input: usize, scaled: usize, canvas: usize) -> (AxisSampling, usize) {
    let len = scaled.min(canvas);
    (AxisSampling { input, scaled, start: (scaled - len) / 2, len }, (canvas - len) / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::params::ParameterErrorKind;

    const LIMIT: u64 = 1 << 24;

    fn acquired(shape: [usize; 2], pixel_mm: [f64; 2]) -> Acquired {
        Acquired { shape, pixel_mm }
    }

    #[test]
    fn one_side_alone_keeps_the_proportions() {
        // 100 mm high, 50 mm wide.
        let slice = acquired([200, 40], [0.5, 1.25]);
        let canvas = |size| Viewport::new(slice, size, Fit::Stretch, LIMIT).unwrap().canvas;
        assert_eq!(canvas(Size::Height(300)), [300, 150]);
        assert_eq!(canvas(Size::Width(300)), [600, 300]);
        assert_eq!(canvas(Size::Spacing(0.25)), [400, 200]);
        assert_eq!(canvas(Size::Native), [200, 40]);
    }

    #[test]
    fn contain_pads_and_cover_crops_in_the_middle() {
        let slice = acquired([200, 40], [0.5, 1.25]);
        let contain = Viewport::new(slice, Size::Exact(64, 64), Fit::Contain, LIMIT).unwrap();
        assert_eq!((contain.rows.len, contain.columns.len, contain.offset), (64, 32, [0, 16]));
        let cover = Viewport::new(slice, Size::Exact(64, 64), Fit::Cover, LIMIT).unwrap();
        assert_eq!((cover.rows.scaled, cover.rows.start, cover.rows.len, cover.offset), (128, 32, 64, [0, 0]));
    }

    #[test]
    fn what_is_too_large_is_refused_before_anything_is_allocated() {
        let slice = acquired([200, 40], [0.5, 1.25]);
        for size in
            [Size::Exact(u32::MAX, u32::MAX), Size::Width(u32::MAX), Size::Spacing(1e-300), Size::Exact(4097, 4096)]
        {
            assert_eq!(
                Viewport::new(slice, size, Fit::Stretch, LIMIT).unwrap_err().kind,
                ParameterErrorKind::OutputTooLarge
            );
        }
    }

    proptest! {
        #[test]
        fn proportions_hold_to_half_a_pixel(
            rows in 1usize..4000, columns in 1usize..1200, row_mm in 0.1f64..3.0, column_mm in 0.1f64..3.0,
            height in 1u32..2000, width in 1u32..2000, cover: bool,
        ) {
            let slice = acquired([rows, columns], [row_mm, column_mm]);
            let fit = if cover { Fit::Cover } else { Fit::Contain };
            let viewport = Viewport::new(slice, Size::Exact(height, width), fit, u64::MAX).unwrap();
            prop_assert_eq!(viewport.canvas, [height as usize, width as usize]);
            prop_assert!(viewport.rows.start + viewport.rows.len <= viewport.rows.scaled);
            prop_assert!(viewport.offset[1] + viewport.columns.len <= viewport.canvas[1]);
            let exact = [rows as f64 * row_mm, columns as f64 * column_mm];
            let per_mm = [viewport.rows.scaled as f64 / exact[0], viewport.columns.scaled as f64 / exact[1]];
            // One side is exact; the other lies within half a pixel of the same scale, if it has a pixel at all.
            let exact_scale = [f64::from(height) / exact[0], f64::from(width) / exact[1]];
            let scale = if cover { exact_scale[0].max(exact_scale[1]) } else { exact_scale[0].min(exact_scale[1]) };
            for n in 0..2 {
                let wanted = (exact[n] * scale).max(1.0);
                prop_assert!((per_mm[n] * exact[n] - wanted).abs() <= 0.5 + 1e-6, "{} {}", per_mm[n] * exact[n], wanted);
            }
        }
    }
}
