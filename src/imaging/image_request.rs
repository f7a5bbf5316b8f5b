//! What a request means for one scan: the canonical image. Two spellings of one image are equal, so they share a key.

use super::ImageKind;
use super::facts::{RenderLimits, ScanFacts};
use super::image_query::ImageQuery;
use super::label_table::LabelTable;
use super::resample::{AxisSampling, Filter};
use super::view::{Layout, SliceView};
use super::viewport::{Acquired, Viewport};
use super::window::{self, Window};
use crate::params::ParameterError;
use crate::volume::{ElementType, Geometry};

/// An image of a slice (of three, for a montage) of one scan, with nothing left open but the slice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageRequest {
    pub(super) kind: ImageKind,
    pub(super) layout: Layout,
    pub(super) viewport: Viewport,
    /// `Nearest` where nothing is resampled.
    pub(super) filter: Filter,
    /// `None` for masks.
    pub(super) mapping: Option<IntensityMapping>,
    pub(super) table: Option<LabelTable>,
    /// `None` but for overlays and montages.
    pub(super) overlay: Option<OverlayStyle>,
    /// Whether the PNG is indexed.
    pub(super) palette: bool,
    /// Type of a mask array's elements; `Uint8` for everything else.
    pub(super) mask_dtype: ElementType,
}

/// How image values become pixel values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct IntensityMapping {
    pub(super) window: Window,
    pub(super) output: ElementType,
}

/// How labels lie over an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct OverlayStyle {
    /// Opacity in thousandths.
    pub(super) alpha: u16,
    /// Width of the outline in pixels; 0 for none.
    pub(super) outline: u8,
}

impl ImageQuery {
    /// The image that this request means for a scan.
    ///
    /// # Errors
    /// [`ParameterError`] when the scan cannot be shown like this, or the image would be larger than `limits` allow.
    pub fn resolve(&self, facts: &ScanFacts, limits: RenderLimits) -> Result<ImageRequest, ParameterError> {
        let view = SliceView::new(facts.shape, facts.orientation, self.layout);
        let viewport =
            Viewport::new(acquired(&view, facts), self.size, self.fit, limits.max_pixels / self.kind.tiles())?;
        let filter = if viewport.is_native() { Filter::Nearest } else { self.filter };
        let mapping = if self.kind.is_mask() { None } else { Some(self.mapping(facts)?) };
        Ok(ImageRequest {
            kind: self.kind,
            layout: self.layout,
            viewport,
            filter,
            mapping,
            table: LabelTable::new(self.labels, &self.map),
            overlay: self.kind.has_overlay().then_some(OverlayStyle { alpha: self.alpha, outline: self.outline }),
            palette: self.palette,
            mask_dtype: self.dtype.filter(|_| self.kind.is_mask()).unwrap_or(ElementType::Uint8),
        })
    }

    fn mapping(&self, facts: &ScanFacts) -> Result<IntensityMapping, ParameterError> {
        let window = self.window.resolve(facts)?;
        let output = match self.kind {
            ImageKind::ImageNpy if window == Window::None => self.dtype.unwrap_or(facts.element),
            ImageKind::ImageNpy => self.dtype.unwrap_or(ElementType::Uint16),
            ImageKind::ImagePng if self.bits == 16 => ElementType::Uint16,
            _ => ElementType::Uint8,
        };
        if window == Window::None {
            check_fits(facts, output, self.kind)?;
        }
        Ok(IntensityMapping { window, output })
    }
}

/// Whether every stored value of the scan is one of `output`. float32 is taken for what it is: an approximation.
fn check_fits(facts: &ScanFacts, output: ElementType, kind: ImageKind) -> Result<(), ParameterError> {
    let fits = match integer_range(output) {
        None => true,
        Some((low, high)) => facts.element.integer_max().is_some() && facts.min >= low && facts.max <= high,
    };
    if fits {
        return Ok(());
    }
    let range = format!("{} values from {} to {}", facts.element, facts.min, facts.max);
    if kind == ImageKind::ImageNpy {
        let message = format!("dtype={output} cannot hold this scan's {range}; use its own type or float32");
        return Err(ParameterError::conflict("dtype", message));
    }
    Err(window::unavailable(format!(
        "window=none does not apply: {output} pixels cannot hold this scan's {range}; use window=full, which has an exact inverse, or image.npy",
    )))
}

fn integer_range(element: ElementType) -> Option<(f64, f64)> {
    let max = element.integer_max()?;
    let signed = matches!(element, ElementType::Int8 | ElementType::Int16 | ElementType::Int32 | ElementType::Int64);
    Some((if signed { -max - 1.0 } else { 0.0 }, max))
}

fn acquired(view: &SliceView, facts: &ScanFacts) -> Acquired {
    let [_, rows, columns] = view.shape();
    Acquired { shape: [rows, columns], pixel_mm: view.pixel_mm(facts) }
}

impl ImageRequest {
    /// What kind of image it is.
    #[must_use]
    pub fn kind(&self) -> ImageKind {
        self.kind
    }

    /// Rows and columns of the image.
    #[must_use]
    pub fn canvas(&self) -> [usize; 2] {
        self.viewport.canvas
    }

    /// Type of the elements of an array of pixels.
    #[must_use]
    pub fn element(&self) -> ElementType {
        self.mapping.map_or(self.mask_dtype, |mapping| mapping.output)
    }

    /// Where the pixels of an image of slice `k` are: its axes are slices, rows and columns, its origin the first pixel.
    /// `canonical` is the scan's geometry.
    #[must_use]
    pub fn affine(&self, facts: &ScanFacts, canonical: &Geometry, k: usize) -> Geometry {
        let view = self.view(facts);
        let Viewport { offset: [top, left], rows, columns, .. } = self.viewport;
        // Pixel centres: half a pixel from the edge of the slice is half a pixel from the edge of the image.
        let voxels_per_pixel = [rows, columns].map(|axis| axis.input as f64 / axis.scaled as f64);
        let first = [(rows, top, 0), (columns, left, 1)]
            .map(|(axis, offset, n)| (axis.start as f64 - offset as f64 + 0.5) * voxels_per_pixel[n] - 0.5);
        let lens = [1, self.viewport.canvas[0], self.viewport.canvas[1]];
        view.geometry(canonical, [k as f64, first[0], first[1]], [1.0, voxels_per_pixel[0], voxels_per_pixel[1]], lens)
    }

    /// The view of the scan that the image is taken from.
    #[must_use]
    pub fn view(&self, facts: &ScanFacts) -> SliceView {
        SliceView::new(facts.shape, facts.orientation, self.layout)
    }

    /// Whether rendering needs the scan's quantiles.
    #[must_use]
    pub fn needs_quantiles(&self) -> bool {
        self.mapping.is_some_and(|mapping| matches!(mapping.window, Window::Percentiles { .. }))
    }

    /// Millimetres per pixel, from row to row and from column to column.
    #[must_use]
    pub fn pixel_mm(&self, facts: &ScanFacts) -> [f64; 2] {
        self.viewport.pixel_mm(acquired(&self.view(facts), facts))
    }

    /// The voxels' type and whether nothing stands between them and the output.
    pub(super) fn is_verbatim(&self, facts: &ScanFacts) -> bool {
        let same_values = self.mapping.is_some_and(|t| t.window == Window::None && t.output == facts.element);
        same_values && self.viewport.is_native() && self.viewport.is_full()
    }

    /// A text that says everything about the image and that no other image of the scan has. It is made of every field, taken
    /// apart by name, so that none can be forgotten: caches compare the fields, validators this text.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let Self { kind, layout, viewport, filter, mapping, table, overlay, palette, mask_dtype } = self;
        let Viewport { canvas: [height, width], offset: [top, left], rows, columns } = viewport;
        let axis =
            |AxisSampling { input, scaled, start, len }: &AxisSampling| format!("{len}/{scaled}+{start}:{input}");
        let layout = match layout {
            Layout::Canonical => "canonical",
            Layout::Stored => "stored",
        };
        let mapping =
            mapping.map_or("-".to_owned(), |IntensityMapping { window, output }| format!("{}:{output}", window.key()));
        let table = table.as_ref().map_or("-".to_owned(), LabelTable::key);
        let overlay = overlay.map_or("-".to_owned(), |OverlayStyle { alpha, outline }| format!("{alpha}:{outline}"));
        let (kind, rows, columns) = (kind.file_name(), axis(rows), axis(columns));
        format!(
            "{kind} {layout} {height}x{width}+{top}+{left} {rows} {columns} {filter} {mapping} {table} {overlay} {palette} {mask_dtype}"
        )
    }
}

#[cfg(test)]
mod tests;
