//! Canonical images → pixels, some rows at a time.

use std::borrow::Cow;
use std::ops::Range;

use super::ImageKind;
use super::facts::ScanFacts;
use super::image_request::{ImageRequest, OverlayStyle};
use super::intensity_mapping::{IntensityCurve, PixelRows, value_scale};
use super::overlay;
use super::resample::{Sampling, resample, resample_labels};
use super::viewport::Viewport;
use crate::formats::png::PngError;
use crate::volume::{ElementType, Slice};

/// One slice in the image's layout.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// The image, if the image needs it.
    pub image: Option<Slice<'a>>,
    /// The mask, `uint8`, if the image needs it.
    pub mask: Option<Slice<'a>>,
}

/// What an image is rendered from.
#[derive(Debug, Clone, Copy)]
pub struct RenderInput<'a> {
    /// One plane; three for a montage.
    pub planes: &'a [Plane<'a>],
    /// What is known of the scan.
    pub facts: &'a ScanFacts,
    /// The scan's 1001 quantiles; empty unless [`ImageRequest::needs_quantiles`].
    pub quantiles: &'a [f64],
}

/// An image, rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub media_type: &'static str,
    /// stored = slope × pixel + intercept; 1 for masks.
    pub slope: f64,
    /// stored = slope × pixel + intercept; 0 for masks.
    pub intercept: f64,
    /// Millimetres per pixel, from row to row and from column to column.
    pub pixel_mm: [f64; 2],
}

/// An image cannot be rendered. None of this can be a client's fault.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The caller left out a slice that the image needs.
    #[error("the rendering needs {0}, which was not given")]
    Incomplete(&'static str),
    /// The PNG could not be written.
    #[error("could not encode a PNG")]
    Png(#[from] PngError),
}

impl ImageRequest {
    /// The pixels of some rows of the file, as the file has them before they are compressed.
    ///
    /// # Errors
    /// [`RenderError`].
    pub fn pixels(&self, input: &RenderInput<'_>, rows: Range<usize>) -> Result<Vec<u8>, RenderError> {
        let mut pixels = Vec::with_capacity(rows.len() * self.row_bytes());
        self.push_pixels(input, rows, &mut pixels)?;
        Ok(pixels)
    }

    /// Appends the pixels of some rows of the file.
    pub(super) fn push_pixels(
        &self,
        input: &RenderInput<'_>,
        rows: Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        let first = input.planes.first().ok_or(RenderError::Incomplete("a slice"))?;
        match self.kind {
            ImageKind::ImagePng => self.push_image(image(first)?, input, rows, true, out)?,
            ImageKind::ImageNpy if self.is_verbatim(input.facts) => {
                let (slice, line) = (image(first)?, self.row_bytes());
                out.extend_from_slice(&slice.bytes[rows.start * line..rows.end * line]);
            }
            ImageKind::ImageNpy => self.push_image(image(first)?, input, rows, false, out)?,
            ImageKind::MaskPng => out.extend_from_slice(&self.labels(mask(first)?, rows)),
            ImageKind::MaskNpy => self.push_mask_elements(mask(first)?, rows, out),
            ImageKind::OverlayPng => out.extend_from_slice(&self.overlay_pixels(first, input, rows)?),
            ImageKind::MontagePng => self.push_montage(input, rows, out)?,
        }
        Ok(())
    }

    /// Appends rows of the slice on the canvas; what the slice does not fill has the scan's smallest value.
    fn push_image(
        &self,
        slice: Slice<'_>,
        input: &RenderInput<'_>,
        rows: Range<usize>,
        big_endian: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        let mapping = self.mapping.ok_or(RenderError::Incomplete("a window"))?;
        let curve = IntensityCurve::new(mapping, input.facts, input.quantiles);
        let scale = value_scale(mapping.window, input.facts);
        let Viewport { canvas: [_, width], offset: [_, left], columns, .. } = self.viewport;
        let band = self.viewport.band(&rows);
        let sampling = Sampling { rows: band.rows, columns, filter: self.filter };
        let blank = |pixels: usize| {
            let mut blank = Vec::new();
            curve.push_row(&vec![scale.range.0; pixels], big_endian, &mut blank);
            blank
        };
        out.extend_from_slice(&blank(band.above * width));
        if band.rows.len > 0 {
            let (left, right) = (blank(left), blank(width - left - columns.len));
            resample(slice, scale, &sampling, PixelRows { curve, big_endian, left, right, out });
        }
        out.extend_from_slice(&blank((rows.len() - band.above - band.rows.len) * width));
        Ok(())
    }

    fn grey(&self, plane: &Plane<'_>, input: &RenderInput<'_>, rows: Range<usize>) -> Result<Vec<u8>, RenderError> {
        let mut grey = Vec::with_capacity(rows.len() * self.viewport.canvas[1]);
        self.push_image(image(plane)?, input, rows, false, &mut grey)?;
        Ok(grey)
    }

    /// The labels of some rows of the canvas, selected and mapped; what the slice does not fill is background.
    fn labels<'a>(&self, slice: Slice<'a>, rows: Range<usize>) -> Cow<'a, [u8]> {
        let viewport = &self.viewport;
        let mut labels = if viewport.is_native() && viewport.is_full() {
            Cow::Borrowed(&slice.bytes[rows.start * slice.columns..rows.end * slice.columns])
        } else {
            let band = viewport.band(&rows);
            let labels = resample_labels(slice.bytes, band.rows, viewport.columns);
            Cow::Owned(on_canvas(labels, viewport, rows.len(), band.above))
        };
        if let Some(table) = &self.table {
            table.apply(labels.to_mut());
        }
        labels
    }

    fn push_mask_elements(&self, slice: Slice<'_>, rows: Range<usize>, out: &mut Vec<u8>) {
        let labels = self.labels(slice, rows);
        match self.mask_dtype {
            ElementType::Uint8 => out.extend_from_slice(&labels),
            ElementType::Float32 => out.extend(labels.iter().flat_map(|&label| f32::from(label).to_le_bytes())),
            ElementType::Float64 => out.extend(labels.iter().flat_map(|&label| f64::from(label).to_le_bytes())),
            wider => {
                let start = out.len();
                out.resize(start + labels.len() * wider.size(), 0);
                out[start..].iter_mut().step_by(wider.size()).zip(&*labels).for_each(|(low, &label)| *low = label);
            }
        }
    }

    fn overlay_pixels(
        &self,
        plane: &Plane<'_>,
        input: &RenderInput<'_>,
        rows: Range<usize>,
    ) -> Result<Vec<u8>, RenderError> {
        let style = self.overlay.unwrap_or(OverlayStyle { alpha: 0, outline: 0 });
        let [height, width] = self.viewport.canvas;
        // An outline depends on the labels that are as far away as it is wide.
        let margin = usize::from(style.outline);
        let (first, end) = (rows.start.saturating_sub(margin), (rows.end + margin).min(height));
        let labels = self.labels(mask(plane)?, first..end);
        let above = rows.start - first;
        let grey = self.grey(plane, input, rows)?;
        Ok(overlay::blend(&grey, &labels, width, above, style))
    }

    /// Appends the planes side by side, plain in the upper half and with their labels in the lower one.
    fn push_montage(&self, input: &RenderInput<'_>, rows: Range<usize>, out: &mut Vec<u8>) -> Result<(), RenderError> {
        let [height, width] = self.viewport.canvas;
        let plain = rows.start.min(height)..rows.end.min(height);
        let labelled = rows.start.max(height) - height..rows.end.max(height) - height;
        let mut side_by_side = |tiles: Vec<Vec<u8>>, rows: usize| {
            for row in 0..rows {
                for tile in &tiles {
                    out.extend_from_slice(&tile[row * width * 3..(row + 1) * width * 3]);
                }
            }
        };
        let grey = |plane: &Plane<'_>| {
            let grey = self.grey(plane, input, plain.clone())?;
            Ok(grey.into_iter().flat_map(|value| [value; 3]).collect())
        };
        let coloured = |plane: &Plane<'_>| self.overlay_pixels(plane, input, labelled.clone());
        side_by_side(input.planes.iter().map(grey).collect::<Result<_, RenderError>>()?, plain.len());
        side_by_side(input.planes.iter().map(coloured).collect::<Result<_, RenderError>>()?, labelled.len());
        Ok(())
    }
}

fn image<'a>(plane: &Plane<'a>) -> Result<Slice<'a>, RenderError> {
    plane.image.ok_or(RenderError::Incomplete("the image"))
}

fn mask<'a>(plane: &Plane<'a>) -> Result<Slice<'a>, RenderError> {
    plane.mask.ok_or(RenderError::Incomplete("the mask"))
}

/// Lays labels on `rows` rows of the canvas, `above` rows from the first.
fn on_canvas(labels: Vec<u8>, viewport: &Viewport, rows: usize, above: usize) -> Vec<u8> {
    if viewport.is_filled() {
        return labels;
    }
    let ([_, width], [_, left]) = (viewport.canvas, viewport.offset);
    let mut canvas = vec![0; rows * width];
    for (row, line) in labels.chunks_exact(viewport.columns.len.max(1)).enumerate() {
        let start = (above + row) * width + left;
        canvas[start..start + line.len()].copy_from_slice(line);
    }
    canvas
}

#[cfg(test)]
mod tests;
