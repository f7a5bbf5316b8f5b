//! Patches: a disc cut out of its slice, or of several.

use super::ImageKind;
use super::image_query::ImageQuery;
use super::parameter::{NPY_PARAMETERS, PATCH_PARAMETERS, PNG_PARAMETERS};
use super::viewport::{Patch, Size};
use crate::params::{Pairs, Parameter, ParameterError};
use crate::volume::VolumeLabel;

/// Millimetres of a patch's sides when nothing is said.
const DEFAULT_MM: f64 = 40.0;
/// Millimetres per pixel when nothing is said.
const DEFAULT_SPACING: f64 = 0.5;

/// A request for a patch, as typed.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchQuery {
    image_request: ImageQuery,
    extent: Extent,
    spacing: f64,
    /// Whether every slice of the disc is wanted, and not only its best one.
    pub is_volume: bool,
}

/// How large a patch is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Extent {
    /// Millimetres of each side.
    Side(f64),
    /// Millimetres around the disc's box.
    Margin(f64),
}

impl PatchQuery {
    /// Every parameter of `patch.png`, or of `patch.npy`.
    #[must_use]
    pub fn parameters(is_npy: bool) -> Vec<Parameter> {
        let format: &[Parameter] = if is_npy { &NPY_PARAMETERS } else { &PNG_PARAMETERS };
        [&PATCH_PARAMETERS[..], format].concat()
    }

    /// Reads the parameters of a patch, already percent-decoded.
    ///
    /// # Errors
    /// As of [`ImageQuery::parse`].
    pub fn parse(is_npy: bool, pairs: &[(String, String)]) -> Result<Self, ParameterError> {
        let valid = Self::parameters(is_npy);
        let read = Pairs::new(pairs, &valid)?;
        let kind = match (read.text("of") == Some("mask"), is_npy) {
            (false, false) => ImageKind::ImagePng,
            (false, true) => ImageKind::ImageNpy,
            (true, false) => ImageKind::MaskPng,
            (true, true) => ImageKind::MaskNpy,
        };
        let extent = match (read.parsed("mm")?, read.parsed("margin")?) {
            (Some(_), Some(_)) => {
                return Err(ParameterError::conflict(
                    "margin",
                    "mm and margin are two ways to say how large; give one",
                ));
            }
            (side, None) => Extent::Side(side.unwrap_or(DEFAULT_MM)),
            (None, Some(margin)) => Extent::Margin(margin),
        };
        let own = |name: &str| PATCH_PARAMETERS.iter().any(|parameter| parameter.name == name) || name == "dims";
        let rest: Vec<_> = pairs.iter().filter(|(name, _)| !own(name)).cloned().collect();
        let other = rest.iter().find(|(name, _)| kind.parameters().iter().all(|parameter| parameter.name != name));
        if let Some((name, _)) = other {
            let message = format!("{name} goes with of={}", if kind.is_mask() { "image" } else { "mask" });
            return Err(ParameterError::conflict(name, message));
        }
        Ok(Self {
            image_request: ImageQuery::parse(kind, &rest)?,
            extent,
            spacing: read.parsed("spacing")?.unwrap_or(DEFAULT_SPACING),
            is_volume: read.text("dims") == Some("3"),
        })
    }

    /// The patch of a disc as an image of a slice. `spacing_mm` is the scan's: slices, rows, columns.
    #[must_use]
    pub fn around(&self, disc: &VolumeLabel, spacing_mm: [f64; 3]) -> ImageQuery {
        let [_, row_mm, column_mm] = spacing_mm;
        let (centre, side_mm) = match self.extent {
            Extent::Side(mm) => ([disc.centroid[1], disc.centroid[2]], [mm, mm]),
            Extent::Margin(mm) => {
                let side =
                    |(first, last): (usize, usize), pixel_mm: f64| (last - first + 1) as f64 * pixel_mm + 2.0 * mm;
                let middle = |(first, last): (usize, usize)| (first + last) as f64 / 2.0;
                let centre = [middle(disc.rows), middle(disc.columns)];
                (centre, [side(disc.rows, row_mm), side(disc.columns, column_mm)])
            }
        };
        let size = Size::Patch(Patch { centre, side_mm, spacing: self.spacing });
        ImageQuery { size, ..self.image_request.clone() }
    }

    /// The canonical slices of the patch, of `slices` that there are: the disc's best one, or all whose middle lies within
    /// the patch.
    #[must_use]
    pub fn slices(&self, disc: &VolumeLabel, slices: usize, slice_mm: f64) -> std::ops::RangeInclusive<usize> {
        if !self.is_volume {
            return disc.best_slice..=disc.best_slice;
        }
        let (first, last) = match self.extent {
            Extent::Side(mm) => {
                let (middle, reach) = (disc.centroid[0], mm / 2.0 / slice_mm);
                (middle - reach, middle + reach)
            }
            Extent::Margin(mm) => (disc.slices.0 as f64 - mm / slice_mm, disc.slices.1 as f64 + mm / slice_mm),
        };
        // A patch thinner than the gap between slices still has the slice nearest to its middle.
        let nearest = disc.centroid[0].round();
        let (first, last) = (first.ceil().min(nearest).max(0.0), last.floor().max(nearest));
        first as usize..=(last as usize).min(slices.saturating_sub(1))
    }
}
