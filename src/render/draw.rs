//! Canonical pictures → bytes.

use std::borrow::Cow;

use super::PictureKind;
use super::facts::ScanFacts;
use super::frame::Frame;
use super::overlay;
use super::palette::palette;
use super::picture::{OverlayStyle, Picture, Tone};
use super::resample::{Sampling, resample, resample_labels};
use super::tone::{ToneCurve, value_scale};
use crate::formats::npy;
use crate::formats::png::{self, Pixels, PngError, PngMeta};
use crate::volume::{ElementType, Slice};

/// One slice in the picture's layout.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// The image, if the picture needs it.
    pub image: Option<Slice<'a>>,
    /// The mask, `uint8`, if the picture needs it.
    pub mask: Option<Slice<'a>>,
}

/// What a picture is drawn from.
#[derive(Debug, Clone, Copy)]
pub struct RenderInput<'a> {
    /// One plane; three for a montage.
    pub planes: &'a [Plane<'a>],
    /// What is known of the scan.
    pub facts: &'a ScanFacts,
    /// The scan's 1001 quantiles; empty unless [`Picture::needs_quantiles`].
    pub quantiles: &'a [f64],
}

/// A picture, drawn.
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

/// A picture cannot be drawn. None of this can be a client's fault.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The caller left out a slice that the picture needs.
    #[error("the picture needs {0}, which was not given")]
    Incomplete(&'static str),
    /// The PNG could not be written.
    #[error("could not encode a PNG")]
    Png(#[from] PngError),
}

const PNG: &str = "image/png";
const NPY: &str = "application/octet-stream";

impl Picture {
    /// Draws.
    ///
    /// # Errors
    /// [`RenderError`].
    pub fn render(&self, input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
        let pixel_mm = self.pixel_mm(input.facts);
        let curve = self.tone.map(|tone| ToneCurve::new(tone, input.facts, input.quantiles));
        let (slope, intercept) = curve.map_or((1.0, 0.0), |curve| (curve.slope, curve.intercept));
        let meta = self.meta(pixel_mm, slope, intercept);
        let first = input.planes.first().ok_or(RenderError::Incomplete("a slice"))?;
        let (bytes, media_type) = match self.kind {
            PictureKind::ImagePng => (self.image_png(image(first)?, input, &meta)?, PNG),
            PictureKind::ImageNpy => (self.image_npy(image(first)?, input)?, NPY),
            PictureKind::MaskPng => (self.mask_png(mask(first)?, &meta)?, PNG),
            PictureKind::MaskNpy => (self.mask_npy(mask(first)?), NPY),
            PictureKind::OverlayPng => (self.overlay_png(first, input, &meta)?, PNG),
            PictureKind::MontagePng => (self.montage_png(input, &meta)?, PNG),
        };
        Ok(Rendered { bytes, media_type, slope, intercept, pixel_mm })
    }

    fn meta(&self, pixel_mm: [f64; 2], slope: f64, intercept: f64) -> PngMeta {
        let mut text = Vec::new();
        if self.kind == PictureKind::ImagePng {
            text.push(("sagittal:slope".to_owned(), slope.to_string()));
            text.push(("sagittal:intercept".to_owned(), intercept.to_string()));
        }
        PngMeta { pixel_mm: Some(pixel_mm), text }
    }

    fn image_png(&self, slice: Slice<'_>, input: &RenderInput<'_>, meta: &PngMeta) -> Result<Vec<u8>, RenderError> {
        let pixels = self.image_pixels(slice, input, true)?;
        let pixels = match self.tone {
            Some(Tone { output: ElementType::Uint16, .. }) => Pixels::Gray16BigEndian(&pixels),
            _ => Pixels::Gray8(&pixels),
        };
        Ok(png::encode(self.frame.canvas, pixels, meta)?)
    }

    fn image_npy(&self, slice: Slice<'_>, input: &RenderInput<'_>) -> Result<Vec<u8>, RenderError> {
        let output = self.tone.map_or(slice.element, |tone| tone.output);
        let mut file = npy::header(output, &self.frame.canvas);
        if self.is_verbatim(input.facts) {
            file.extend_from_slice(slice.bytes);
        } else {
            file.append(&mut self.image_pixels(slice, input, false)?);
        }
        Ok(file)
    }

    /// The canvas, row after row; what the slice does not fill has the scan's smallest value.
    fn image_pixels(
        &self,
        slice: Slice<'_>,
        input: &RenderInput<'_>,
        big_endian: bool,
    ) -> Result<Vec<u8>, RenderError> {
        let tone = self.tone.ok_or(RenderError::Incomplete("a window"))?;
        let curve = ToneCurve::new(tone, input.facts, input.quantiles);
        let scale = value_scale(tone.window, input.facts);
        let Frame { canvas: [height, width], offset: [top, left], rows, columns } = self.frame;
        let sampling = Sampling { rows, columns, filter: self.filter };
        let mut pixels = Vec::with_capacity(height * width * tone.output.size());
        let pad = |values: usize, pixels: &mut Vec<u8>| {
            if values > 0 {
                curve.push_row(&vec![scale.range.0; values], big_endian, pixels);
            }
        };
        pad(top * width, &mut pixels);
        resample(slice, scale, &sampling, |_, row| {
            pad(left, &mut pixels);
            curve.push_row(row, big_endian, &mut pixels);
            pad(width - left - row.len(), &mut pixels);
        });
        pad((height - top - rows.len) * width, &mut pixels);
        Ok(pixels)
    }

    /// The labels on the canvas, selected and mapped; what the slice does not fill is background.
    fn labels<'a>(&self, slice: Slice<'a>) -> Cow<'a, [u8]> {
        let frame = &self.frame;
        let mut labels = if frame.is_native() && frame.is_full() {
            Cow::Borrowed(slice.bytes)
        } else {
            Cow::Owned(on_canvas(resample_labels(slice.bytes, frame.rows, frame.columns), frame))
        };
        if let Some(table) = &self.table {
            table.apply(labels.to_mut());
        }
        labels
    }

    fn mask_png(&self, slice: Slice<'_>, meta: &PngMeta) -> Result<Vec<u8>, RenderError> {
        let labels = self.labels(slice);
        if !self.palette {
            return Ok(png::encode(self.frame.canvas, Pixels::Labels(&labels), meta)?);
        }
        let palette = palette(self.table.as_ref());
        Ok(png::encode(self.frame.canvas, Pixels::Indexed { indices: &labels, palette: &palette }, meta)?)
    }

    fn mask_npy(&self, slice: Slice<'_>) -> Vec<u8> {
        let mut file = npy::header(self.mask_dtype, &self.frame.canvas);
        let labels = self.labels(slice);
        match self.mask_dtype {
            ElementType::Uint8 => file.extend_from_slice(&labels),
            ElementType::Float32 => file.extend(labels.iter().flat_map(|&label| f32::from(label).to_le_bytes())),
            ElementType::Float64 => file.extend(labels.iter().flat_map(|&label| f64::from(label).to_le_bytes())),
            wider => {
                let zeros = wider.size() - 1;
                file.extend(
                    labels.iter().flat_map(|&label| std::iter::once(label).chain(std::iter::repeat_n(0, zeros))),
                );
            }
        }
        file
    }

    fn overlay_png(&self, plane: &Plane<'_>, input: &RenderInput<'_>, meta: &PngMeta) -> Result<Vec<u8>, RenderError> {
        let rgb = self.overlay_pixels(plane, input)?;
        Ok(png::encode(self.frame.canvas, Pixels::Rgb8(&rgb), meta)?)
    }

    fn overlay_pixels(&self, plane: &Plane<'_>, input: &RenderInput<'_>) -> Result<Vec<u8>, RenderError> {
        let grey = self.image_pixels(image(plane)?, input, false)?;
        let style = self.overlay.unwrap_or(OverlayStyle { alpha: 0, outline: 0 });
        Ok(overlay::blend(&grey, &self.labels(mask(plane)?), self.frame.canvas[1], style))
    }

    /// The planes side by side, plain above and with their labels below.
    fn montage_png(&self, input: &RenderInput<'_>, meta: &PngMeta) -> Result<Vec<u8>, RenderError> {
        let [height, width] = self.frame.canvas;
        let mut plain = Vec::new();
        let mut labelled = Vec::new();
        for plane in input.planes {
            let grey = self.image_pixels(image(plane)?, input, false)?;
            plain.push(grey.into_iter().flat_map(|value| [value; 3]).collect::<Vec<_>>());
            labelled.push(self.overlay_pixels(plane, input)?);
        }
        let mut rgb = Vec::with_capacity(2 * input.planes.len() * height * width * 3);
        for tiles in [plain, labelled] {
            for row in 0..height {
                for tile in &tiles {
                    rgb.extend_from_slice(&tile[row * width * 3..(row + 1) * width * 3]);
                }
            }
        }
        Ok(png::encode([2 * height, input.planes.len() * width], Pixels::Rgb8(&rgb), meta)?)
    }
}

fn image<'a>(plane: &Plane<'a>) -> Result<Slice<'a>, RenderError> {
    plane.image.ok_or(RenderError::Incomplete("the image"))
}

fn mask<'a>(plane: &Plane<'a>) -> Result<Slice<'a>, RenderError> {
    plane.mask.ok_or(RenderError::Incomplete("the mask"))
}

fn on_canvas(labels: Vec<u8>, frame: &Frame) -> Vec<u8> {
    if frame.is_filled() {
        return labels;
    }
    let ([height, width], [top, left]) = (frame.canvas, frame.offset);
    let mut canvas = vec![0; height * width];
    for (row, line) in labels.chunks_exact(frame.columns.len.max(1)).enumerate() {
        let start = (top + row) * width + left;
        canvas[start..start + line.len()].copy_from_slice(line);
    }
    canvas
}

#[cfg(test)]
mod tests;
