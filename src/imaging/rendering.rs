//! An image while it is being rendered: some rows at a time, so that no thread is held for long.

use std::cell::RefCell;
use std::ops::Range;

use super::ImageKind;
use super::image_request::{ImageRequest, IntensityMapping};
use super::intensity_mapping::IntensityCurve;
use super::palette::palette;
use super::render::{RenderError, RenderInput, Rendered};
use super::resample::Filter;
use crate::formats::npy;
use crate::formats::png;
use crate::formats::png::{PixelFormat, PngEncoder, PngMeta};
use crate::volume::ElementType;

/// Pixels that are rendered at once: a few milliseconds, whatever the filter. An image of 512 × 512 is rendered in one go.
const PIXELS_AT_ONCE: usize = 1 << 18;

/// Media type of PNG files.
pub const PNG: &str = "image/png";
/// Media type of arrays.
pub const NPY: &str = "application/octet-stream";

/// An image that is being rendered.
#[derive(Debug)]
pub struct Rendering {
    image_request: ImageRequest,
    /// Rows of the file that are done.
    done: usize,
    file: File,
    meta: PngMeta,
    slope: f64,
    intercept: f64,
    pixel_mm: [f64; 2],
}

#[derive(Debug)]
enum File {
    /// An array of known length, or a PNG of one band.
    Bytes(Vec<u8>),
    /// A PNG of several bands.
    Png(Box<PngEncoder>),
}

impl ImageRequest {
    /// Renders the whole image at once.
    ///
    /// # Errors
    /// [`RenderError`].
    pub fn render(&self, input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
        let mut rendering = Rendering::new(self, input)?;
        while !rendering.advance(input)? {}
        rendering.finish()
    }
}

impl Rendering {
    /// Begins an image. Nothing is rendered yet.
    ///
    /// # Errors
    /// [`RenderError`].
    pub fn new(image_request: &ImageRequest, input: &RenderInput<'_>) -> Result<Self, RenderError> {
        let pixel_mm = image_request.pixel_mm(input.facts);
        let (slope, intercept) = image_request.value_mapping(input);
        let mut text = Vec::new();
        if image_request.kind == ImageKind::ImagePng {
            text.push(("sagittal:slope".to_owned(), slope.to_string()));
            text.push(("sagittal:intercept".to_owned(), intercept.to_string()));
        }
        let meta = PngMeta { pixel_mm: Some(pixel_mm), text };
        let file = if !image_request.is_png() {
            let mut bytes = npy::header(image_request.element(), &image_request.canvas());
            bytes.reserve_exact(image_request.pixel_bytes() as usize);
            File::Bytes(bytes)
        } else if image_request.bands() > 1 {
            let colours = image_request.colours();
            let format = image_request.pixel_format(colours.as_deref());
            File::Png(Box::new(PngEncoder::begin(image_request.file_size(), format)?))
        } else {
            File::Bytes(Vec::new())
        };
        Ok(Self { image_request: image_request.clone(), done: 0, file, meta, slope, intercept, pixel_mm })
    }

    /// Renders the next rows; `true` when they were the last. `input` is the same every time.
    ///
    /// # Errors
    /// [`RenderError`].
    pub fn advance(&mut self, input: &RenderInput<'_>) -> Result<bool, RenderError> {
        let [height, _] = self.image_request.file_size();
        let end = (self.done + self.image_request.rows_at_once()).min(height);
        let (request, rows) = (&self.image_request, self.done..end);
        match &mut self.file {
            File::Png(encoder) => with_pixels(request, input, rows, |pixels| Ok(encoder.write(pixels)?))?,
            File::Bytes(file) if request.is_png() => {
                let colours = request.colours();
                let format = request.pixel_format(colours.as_deref());
                let encode = |pixels: &[u8]| Ok(png::encode(request.file_size(), format, pixels, &self.meta)?);
                *file = with_pixels(request, input, rows, encode)?;
            }
            File::Bytes(file) => request.push_pixels(input, rows, file)?,
        }
        self.done = end;
        Ok(end == height)
    }

    /// The file, when every row was rendered.
    ///
    /// # Errors
    /// [`RenderError`].
    pub fn finish(self) -> Result<Rendered, RenderError> {
        let media_type = if self.image_request.is_png() { PNG } else { NPY };
        let bytes = match self.file {
            File::Bytes(bytes) => bytes,
            File::Png(encoder) => {
                let colours = self.image_request.colours();
                encoder.finish(self.image_request.pixel_format(colours.as_deref()), &self.meta)?
            }
        };
        let Self { slope, intercept, pixel_mm, .. } = self;
        Ok(Rendered { bytes, media_type, slope, intercept, pixel_mm })
    }
}

thread_local! {
    /// Where this thread renders pixels that are compressed: memory that is used again need not be mapped and cleared.
    static PIXELS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that a thread keeps for the next image; a band of more is rare.
const KEPT_BYTES: usize = 4 << 20;

/// Renders rows and gives their pixels to `compress`.
fn with_pixels<T>(
    request: &ImageRequest,
    input: &RenderInput<'_>,
    rows: Range<usize>,
    compress: impl FnOnce(&[u8]) -> Result<T, RenderError>,
) -> Result<T, RenderError> {
    let mut pixels = PIXELS.take();
    pixels.clear();
    pixels.reserve(rows.len() * request.row_bytes());
    request.push_pixels(input, rows, &mut pixels)?;
    let compressed = compress(&pixels);
    if pixels.capacity() <= KEPT_BYTES {
        PIXELS.set(pixels);
    }
    compressed
}

impl ImageRequest {
    /// Slope and intercept: stored = slope × pixel + intercept. 1 and 0 for masks.
    #[must_use]
    pub fn value_mapping(&self, input: &RenderInput<'_>) -> (f64, f64) {
        let curve = self.mapping.map(|mapping| IntensityCurve::new(mapping, input.facts, input.quantiles));
        curve.map_or((1.0, 0.0), |curve| (curve.slope, curve.intercept))
    }

    /// In how many bands it is rendered.
    #[must_use]
    pub fn bands(&self) -> usize {
        self.file_size()[0].div_ceil(self.rows_at_once())
    }

    /// What rendering one band takes on one core, in nanoseconds, roughly: what clients share threads by.
    #[must_use]
    pub fn band_nanoseconds(&self) -> u64 {
        let [height, width] = self.file_size();
        let pixels = self.rows_at_once().min(height) as u64 * width as u64;
        let resampling = match (self.kind.is_mask(), self.filter) {
            (true, _) => 1,
            (_, Filter::Nearest) => 3,
            (_, Filter::Linear) => 6,
            (_, Filter::Area | Filter::Cubic) => 10,
            (_, Filter::Lanczos) => 14,
        };
        let labels = self.overlay.map_or(0, |style| if style.outline > 0 { 12 } else { 8 });
        let encoding = if self.is_png() { 4 } else { 1 };
        pixels * (resampling + labels + encoding)
    }

    /// Bytes of its pixels before they are compressed: the most that the file has, but for its header.
    #[must_use]
    pub fn pixel_bytes(&self) -> u64 {
        self.file_size()[0] as u64 * self.row_bytes() as u64
    }

    /// Bytes that rendering one band holds besides the file and the slices.
    #[must_use]
    pub fn band_bytes(&self) -> u64 {
        // The band itself, its grey values and labels, and rows of f64 with their weights.
        let [height, width] = self.file_size();
        let pixels = self.rows_at_once().min(height) as u64 * width as u64;
        self.rows_at_once().min(height) as u64 * self.row_bytes() as u64
            + if self.overlay.is_some() { 4 * pixels } else { pixels }
            + 256 * width as u64
    }

    /// Whether the file is a PNG; it is an array otherwise.
    #[must_use]
    pub fn is_png(&self) -> bool {
        !matches!(self.kind, ImageKind::ImageNpy | ImageKind::MaskNpy)
    }

    /// Rows and columns of the file, which for a montage has several canvases.
    pub(super) fn file_size(&self) -> [usize; 2] {
        let [height, width] = self.viewport.canvas;
        let tiles = if self.kind == ImageKind::MontagePng { [2, crate::imaging::MONTAGE_SLICES] } else { [1, 1] };
        [tiles[0] * height, tiles[1] * width]
    }

    /// Bytes of a row of pixels.
    pub(super) fn row_bytes(&self) -> usize {
        self.file_size()[1] * if self.kind.has_overlay() { 3 } else { self.element().size() }
    }

    /// Rows of the file that are rendered at once.
    #[must_use]
    pub fn rows_at_once(&self) -> usize {
        (PIXELS_AT_ONCE / self.file_size()[1].max(1)).max(1)
    }

    fn colours(&self) -> Option<Vec<[u8; 3]>> {
        (self.kind == ImageKind::MaskPng && self.palette).then(|| palette(self.table.as_ref()))
    }

    fn pixel_format<'a>(&self, colours: Option<&'a [[u8; 3]]>) -> PixelFormat<'a> {
        match (self.kind, colours, self.mapping) {
            (_, Some(colours), _) => PixelFormat::Indexed(colours),
            (ImageKind::OverlayPng | ImageKind::MontagePng, ..) => PixelFormat::Rgb8,
            (_, _, Some(IntensityMapping { output: ElementType::Uint16, .. })) => PixelFormat::Gray16BigEndian,
            _ => PixelFormat::Gray8,
        }
    }
}
