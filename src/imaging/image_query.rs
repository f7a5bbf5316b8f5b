//! What was typed: the parameters of a request, read one by one, without knowing the scan.

use std::str::FromStr;

use super::ImageKind;
use super::label_table::LabelMap;
use super::resample::Filter;
use super::view::Layout;
use super::viewport::{Fit, Size};
use super::window::Window;
use crate::params::{Pairs, ParameterError, flag, plain};
use crate::spider::LabelSet;
use crate::volume::ElementType;

/// Pixels each way when nothing is said.
const DEFAULT_SIZE: u32 = 512;
/// Pixels each way of a montage's images when nothing is said.
const DEFAULT_TILE: u32 = 256;
/// How opaque labels are when nothing is said.
const DEFAULT_ALPHA: f64 = 0.5;

/// A request for an image, as typed.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageQuery {
    pub(super) kind: ImageKind,
    pub(super) size: Size,
    pub(super) fit: Fit,
    pub(super) filter: Filter,
    pub(super) window: Window,
    pub(super) bits: u8,
    pub(super) dtype: Option<ElementType>,
    pub(super) layout: Layout,
    pub(super) labels: Option<LabelSet>,
    pub(super) map: LabelMap,
    pub(super) palette: bool,
    /// In thousandths.
    pub(super) alpha: u16,
    pub(super) outline: u8,
}

impl ImageQuery {
    /// Reads the parameters of an image, already percent-decoded.
    ///
    /// # Errors
    /// [`ParameterError`] for a name that this kind of image does not have, a name given twice, a value that cannot be
    /// read, and values that contradict each other.
    pub fn parse(kind: ImageKind, pairs: &[(String, String)]) -> Result<Self, ParameterError> {
        let pairs = Pairs::new(pairs, kind.parameters())?;
        let preset = pairs.text("preset").is_some();
        let query = Self {
            kind,
            size: size(kind, &pairs)?,
            fit: preset_or(&pairs, preset, "fit", Fit::Stretch, Fit::Stretch)?,
            filter: filter(kind, &pairs, preset)?,
            window: preset_or(&pairs, preset && !kind.is_mask(), "window", Window::HuggingFace, default_window(kind))?,
            bits: pairs.parsed("bits")?.unwrap_or(16),
            dtype: pairs.parsed("dtype")?,
            layout: preset_or(&pairs, preset, "layout", Layout::Stored, Layout::Canonical)?,
            labels: pairs.parsed("labels")?,
            map: pairs.parsed("map")?.unwrap_or(LabelMap::Native),
            palette: pairs.value("palette", flag)?.unwrap_or(false),
            alpha: (pairs.parsed("alpha")?.unwrap_or(DEFAULT_ALPHA) * 1000.0).round() as u16,
            outline: pairs.parsed("outline")?.unwrap_or(0),
        };
        query.check()?;
        Ok(query)
    }

    fn check(&self) -> Result<(), ParameterError> {
        let windowed_integer = !matches!(self.window, Window::None) && self.kind == ImageKind::ImageNpy;
        let odd = self.dtype.filter(|dtype| {
            windowed_integer && !matches!(dtype, ElementType::Uint8 | ElementType::Uint16 | ElementType::Float32)
        });
        if let Some(dtype) = odd {
            let message =
                format!("dtype={dtype} has no full range to fill; with a window, dtype is uint8, uint16 or float32");
            return Err(ParameterError::conflict("dtype", message));
        }
        if self.window == Window::HuggingFace && self.dtype.is_some_and(|dtype| dtype != ElementType::Uint16) {
            let message = "window=hf gives uint16 values; leave dtype out";
            return Err(ParameterError::conflict("dtype", message));
        }
        Ok(())
    }
}

fn default_window(kind: ImageKind) -> Window {
    match kind {
        ImageKind::ImagePng | ImageKind::MaskPng | ImageKind::MaskNpy => Window::Full,
        ImageKind::ImageNpy => Window::None,
        ImageKind::OverlayPng | ImageKind::MontagePng => Window::Auto,
    }
}

/// What a preset says, unless the parameter says the same; without the preset, what the parameter or the default says.
fn preset_or<T: FromStr + PartialEq>(
    pairs: &Pairs<'_>,
    preset: bool,
    name: &str,
    by_preset: T,
    default: T,
) -> Result<T, ParameterError> {
    let given = pairs.parsed(name)?;
    match given {
        Some(given) if preset && given != by_preset => {
            let message = format!("preset=hf fixes {name}; leave {name} or preset out");
            Err(ParameterError::conflict(name, message))
        }
        Some(given) => Ok(given),
        None => Ok(if preset { by_preset } else { default }),
    }
}

fn filter(kind: ImageKind, pairs: &Pairs<'_>, preset: bool) -> Result<Filter, ParameterError> {
    if kind.is_mask() {
        return Ok(Filter::Nearest);
    }
    preset_or(pairs, preset, "filter", Filter::Linear, Filter::Linear)
}

fn size(kind: ImageKind, pairs: &Pairs<'_>) -> Result<Size, ParameterError> {
    let size = pairs.value("size", |text| match text {
        "native" => Some(Size::Native),
        _ => plain(text).filter(|&n| n > 0).map(|n| Size::Exact(n, n)),
    })?;
    let (width, height, spacing) = (pairs.parsed("width")?, pairs.parsed("height")?, pairs.parsed("spacing")?);
    let default = if kind == ImageKind::MontagePng { DEFAULT_TILE } else { DEFAULT_SIZE };
    match (size, width, height, spacing) {
        (None, None, None, None) => Ok(Size::Exact(default, default)),
        (Some(size), None, None, None) => Ok(size),
        (None, Some(width), Some(height), None) => Ok(Size::Exact(height, width)),
        (None, Some(width), None, None) => Ok(Size::Width(width)),
        (None, None, Some(height), None) => Ok(Size::Height(height)),
        (None, None, None, Some(spacing)) => Ok(Size::Spacing(spacing)),
        _ => {
            let message = "the size is given more than once; give size, or width and height, or spacing";
            Err(ParameterError::conflict(if spacing.is_some() { "spacing" } else { "size" }, message))
        }
    }
}
