//! An image and its mask, shown alike: what training reads.

use super::ImageKind;
use super::image_query::ImageQuery;
use super::parameter::{CONTEXT, FILE_LAYOUT, PAIR_PARAMETERS, VOLUME_SIZE};
use super::viewport::Size;
use crate::params::{Pairs, Parameter, ParameterError};

/// What only the image of a pair has.
const OF_IMAGE: [&str; 3] = ["filter", "window", "dtype"];
/// What only the mask of a pair has.
const OF_MASK: [&str; 2] = ["labels", "map"];

/// A request for an image with its mask, as typed: two arrays of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct PairQuery {
    /// Of the image.
    pub image: ImageQuery,
    /// Of the mask, `uint8`.
    pub mask: ImageQuery,
    /// Slices on either side that come with the image, as channels.
    pub context: usize,
}

impl PairQuery {
    /// Every parameter of a pair.
    #[must_use]
    pub fn parameters() -> Vec<Parameter> {
        [&PAIR_PARAMETERS[..], &[CONTEXT]].concat()
    }

    /// Reads the parameters of a pair, already percent-decoded, from among others, which are left to the caller.
    ///
    /// # Errors
    /// As of [`ImageQuery::parse`].
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, ParameterError> {
        let valid = Self::parameters();
        let own: Vec<_> = pairs.iter().filter(|(name, _)| valid.iter().any(|p| p.name == name)).cloned().collect();
        let without = |others: &[&str]| -> Vec<(String, String)> {
            own.iter().filter(|(name, _)| name != "context" && !others.contains(&name.as_str())).cloned().collect()
        };
        let context = Pairs::new(&own, &valid)?.parsed("context")?;
        Ok(Self {
            image: ImageQuery::parse(ImageKind::ImageNpy, &without(&OF_MASK))?,
            mask: ImageQuery::parse(ImageKind::MaskNpy, &without(&OF_IMAGE))?,
            context: context.unwrap_or(0),
        })
    }

    /// The slices that make the channels of slice `k` of `slices`: its neighbours and itself, the outermost repeated.
    pub fn channels(&self, k: usize, slices: usize) -> impl Iterator<Item = usize> + use<> {
        let context = self.context;
        (0..=2 * context).map(move |n| (k + n).saturating_sub(context).min(slices.saturating_sub(1)))
    }
}

impl ImageQuery {
    /// Reads the parameters of an image and of its mask, both as PNG, from among others, which are left to the caller. Each
    /// gets those that it has; values of masks are never interpolated.
    ///
    /// # Errors
    /// As of [`ImageQuery::parse`].
    pub fn parse_pngs(pairs: &[(String, String)]) -> Result<(Self, Self), ParameterError> {
        let of = |kind: ImageKind| {
            let is_known = |name: &str| kind.parameters().iter().any(|parameter| parameter.name == name);
            let own = pairs.iter().filter(|(name, _)| is_known(name) && !(kind.is_mask() && name == "filter"));
            Self::parse(kind, &own.cloned().collect::<Vec<_>>())
        };
        Ok((of(ImageKind::ImagePng)?, of(ImageKind::MaskPng)?))
    }

    /// Reads the parameters of a whole volume: those of its slices, but with native size as the default.
    ///
    /// # Errors
    /// As of [`ImageQuery::parse`].
    pub fn parse_volume(kind: ImageKind, pairs: &[(String, String)]) -> Result<Self, ParameterError> {
        let query = Self::parse(kind, pairs)?;
        let sized = ["size", "width", "height", "spacing", "preset"];
        let is_sized = pairs.iter().any(|(name, _)| sized.contains(&name.as_str()));
        Ok(if is_sized { query } else { Self { size: Size::Native, ..query } })
    }
}

/// The parameters of a volume as array.
#[must_use]
pub fn volume_parameters(kind: ImageKind) -> Vec<Parameter> {
    kind.parameters().iter().map(|parameter| if parameter.name == "size" { VOLUME_SIZE } else { *parameter }).collect()
}

/// The parameters of a volume that can be had as its file has it, too.
#[must_use]
pub fn file_parameters(kind: ImageKind) -> Vec<Parameter> {
    [native_parameters(kind), vec![FILE_LAYOUT]].concat()
}

/// The parameters of a volume as acquired: what masks are made of.
#[must_use]
pub fn native_parameters(kind: ImageKind) -> Vec<Parameter> {
    let of_mask = kind.parameters().iter().filter(|parameter| kind.is_mask() && OF_MASK.contains(&parameter.name));
    of_mask.copied().collect()
}
