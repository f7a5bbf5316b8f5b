//! A slice and a request → pixels → bytes, in three steps with a type each: [`ImageQuery`] is what was typed,
//! [`ImageRequest`] what it means for one scan (canonical: two spellings of one image are equal), [`Rendered`] the file.
//!
//! Nothing here touches a file or knows of HTTP.

mod facts;
mod image_query;
mod image_request;
mod intensity_mapping;
mod label_table;
mod overlay;
mod pair;
mod palette;
mod parameter;
mod patch;
mod render;
mod rendering;
mod resample;
mod view;
mod viewport;
mod window;

pub use facts::{RenderLimits, ScanFacts};
pub use image_query::ImageQuery;
pub use image_request::ImageRequest;
pub use label_table::{LabelMap, LabelTable};
pub use pair::{PairQuery, file_parameters, native_parameters, volume_parameters};
pub use patch::PatchQuery;
pub use render::{Plane, RenderError, RenderInput, Rendered};
pub use rendering::{NPY, PNG, Rendering};
pub use resample::{AxisSampling, Filter, RowSink, Sampling, ValueScale, resample, resample_labels};
pub use view::{Layout, SliceView, stored_axes};
pub use viewport::Fit;
pub use window::{Finite, Window};

/// Slices of a montage.
pub const MONTAGE_SLICES: usize = 3;

/// The kinds of image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageKind {
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

impl ImageKind {
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

    /// Slices in the image.
    fn tiles(self) -> u64 {
        if self == Self::MontagePng { 2 * MONTAGE_SLICES as u64 } else { 1 }
    }
}
