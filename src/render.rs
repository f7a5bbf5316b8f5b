//! A slice and a request → pixels → bytes, in three steps with a type each: [`PictureQuery`] is what was typed,
//! [`Picture`] what it means for one scan (canonical: two spellings of one picture are equal), [`Rendered`] the file.
//!
//! Nothing here touches a file or knows of HTTP.

mod draw;
mod facts;
mod frame;
mod label_table;
mod overlay;
mod pair;
mod palette;
mod parameter;
mod patch;
mod picture;
mod query;
mod rendering;
mod resample;
mod tone;
mod view;
mod window;

pub use draw::{Plane, RenderError, RenderInput, Rendered};
pub use facts::{Limits, ScanFacts};
pub use frame::Fit;
pub use label_table::{LabelMap, LabelTable};
pub use pair::{PairQuery, native_parameters, volume_parameters};
pub use patch::PatchQuery;
pub use picture::Picture;
pub use query::PictureQuery;
pub use rendering::{NPY, PNG, Rendering};
pub use resample::{AxisSampling, Filter, Sampling, ValueScale, resample, resample_labels};
pub use view::{Layout, SliceView, stored_axes};
pub use window::{Finite, Window};

/// Slices of a montage.
pub const MONTAGE_SLICES: usize = 3;

/// The kinds of picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PictureKind {
    /// `image.png`: grey, 8 or 16 bits.
    ImagePng,
    /// `image.npy`: (rows, columns).
    ImageNpy,
    /// `mask.png`: label values, 8 bits, grey or indexed.
    MaskPng,
    /// `mask.npy`: (rows, columns).
    MaskNpy,
    /// `overlay.png`: the image with its labels in colour.
    OverlayPng,
    /// `montage.png`: three depths of a scan, plain above and with labels below.
    MontagePng,
}

impl PictureKind {
    /// Last part of the address.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::ImagePng => "image.png",
            Self::ImageNpy => "image.npy",
            Self::MaskPng => "mask.png",
            Self::MaskNpy => "mask.npy",
            Self::OverlayPng => "overlay.png",
            Self::MontagePng => "montage.png",
        }
    }

    /// Whether only the mask is shown.
    #[must_use]
    pub fn is_mask(self) -> bool {
        matches!(self, Self::MaskPng | Self::MaskNpy)
    }

    /// Whether labels lie over an image.
    #[must_use]
    pub fn has_overlay(self) -> bool {
        matches!(self, Self::OverlayPng | Self::MontagePng)
    }

    /// Whether the image is needed.
    #[must_use]
    pub fn needs_image(self) -> bool {
        !self.is_mask()
    }

    /// Whether the mask is needed.
    #[must_use]
    pub fn needs_mask(self) -> bool {
        self.is_mask() || self.has_overlay()
    }

    /// Pictures in the picture.
    fn tiles(self) -> u64 {
        if self == Self::MontagePng { 2 * MONTAGE_SLICES as u64 } else { 1 }
    }
}
