//! The parameters of images: what there is, for which image.

use super::ImageKind;
use super::resample::Filter;
use super::view::Layout;
use super::viewport::Fit;
use super::window::Window;
use crate::params::{Form, Parameter};
use crate::spider::LabelSet;

/// What is larger than is rendered is a number of pixels all the same, and is refused by size.
const PIXELS: Form = Form::Integer { min: 1, max: u32::MAX as i64 };

const SIZE: Parameter = Parameter {
    name: "size",
    allowed: "512, N (N × N pixels), native",
    form: Form::Pattern("native|[1-9][0-9]*"),
    description: "Size of the image; native is as acquired, without resampling.",
    example: "256",
};
const TILE: Parameter = Parameter { description: "Size of each of the six images.", ..SIZE };
const WIDTH: Parameter = Parameter {
    name: "width",
    allowed: "pixels",
    form: PIXELS,
    description: "Instead of size; without height, the height keeps the physical proportions.",
    example: "300",
};
const HEIGHT: Parameter = Parameter {
    name: "height",
    allowed: "pixels",
    form: PIXELS,
    description: "Instead of size; without width, the width keeps the physical proportions.",
    example: "300",
};
const SPACING: Parameter = Parameter {
    name: "spacing",
    allowed: "millimetres from 0.01 to 100",
    form: Form::Number { min: 0.01, max: 100.0 },
    description: "Instead of size; millimetres per pixel, both ways.",
    example: "0.5",
};
const FIT: Parameter = Parameter {
    name: "fit",
    allowed: "stretch, contain, cover",
    form: Form::Choice(Fit::NAMES),
    description: "stretch fills the size, whatever the shape; contain keeps physical proportions and pads; cover keeps them and crops.",
    example: "contain",
};
const FILTER: Parameter = Parameter {
    name: "filter",
    allowed: "linear, nearest, cubic, lanczos, area",
    form: Form::Choice(Filter::NAMES),
    description: "linear is scikit-image's resize (order 1 with its Gaussian anti-aliasing), value for value.",
    example: "area",
};
const MASK_FILTER: Parameter = Parameter {
    name: "filter",
    allowed: "nearest",
    form: Form::Choice(&["nearest"]),
    description: "Masks are never interpolated.",
    example: "nearest",
};
const WINDOW: Parameter = Parameter {
    name: "window",
    allowed: "full, auto, dicom, C,W (W above 1), pLO,HI (percentiles, at most one decimal), none, hf",
    form: Form::Pattern(Window::PATTERN),
    description: "How stored values become pixel values.",
    example: "auto",
};
const NPY_WINDOW: Parameter = Parameter {
    allowed: "none, full, auto, dicom, C,W (W above 1), pLO,HI (percentiles, at most one decimal), hf",
    ..WINDOW
};
const OVERLAY_WINDOW: Parameter = Parameter {
    allowed: "auto, full, dicom, C,W (W above 1), pLO,HI (percentiles, at most one decimal), none, hf",
    ..WINDOW
};
const BITS: Parameter = Parameter {
    name: "bits",
    allowed: "16, 8",
    form: Form::Choice(&["16", "8"]),
    description: "Bits per pixel.",
    example: "8",
};
const DTYPE: Parameter = Parameter {
    name: "dtype",
    // 64-bit integers are never served: no scan has them.
    allowed: "the source's (uint16 with a window), uint8, int8, uint16, int16, uint32, int32, float32, float64",
    form: Form::Choice(&["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]),
    description: "Type of the array's elements.",
    example: "float32",
};
const MASK_DTYPE: Parameter = Parameter {
    // Every type that has room for all labels. int8 has not: it would turn 201 into −55.
    allowed: "uint8, uint16, int16, uint32, int32, int64, float32, float64",
    form: Form::Choice(&["uint8", "uint16", "int16", "uint32", "int32", "int64", "float32", "float64"]),
    ..DTYPE
};
const LAYOUT: Parameter = Parameter {
    name: "layout",
    allowed: "canonical, stored",
    form: Form::Choice(Layout::NAMES),
    description: "stored addresses and orients slices as the files and the Hugging Face edition do.",
    example: "stored",
};
const PRESET: Parameter = Parameter {
    name: "preset",
    allowed: "hf",
    form: Form::Choice(&["hf"]),
    description: "layout=stored window=hf fit=stretch filter=linear: the Hugging Face edition's pixels, bit for bit.",
    example: "hf",
};
const LABELS: Parameter = Parameter {
    name: "labels",
    allowed: "values and ranges such as 1-25,100, vertebrae, discs, canal, partial",
    form: Form::ListOf(LabelSet::NAMES),
    description: "Keep only these labels; the others become background.",
    example: "vertebrae",
};
const MAP: Parameter = Parameter {
    name: "map",
    allowed: "native, semantic (1 vertebra, 2 canal, 3 disc), semantic_vdc (1 vertebra, 2 disc, 3 canal), binary, or rules such as 1-25:1,100:2 (> for : works too, percent-encoded)",
    form: Form::Text,
    description: "Other values for the labels; those that are not mentioned become background.",
    example: "semantic",
};
const PALETTE: Parameter = Parameter {
    name: "palette",
    allowed: "false, true",
    form: Form::Choice(&["false", "true", "0", "1", ""]),
    description: "The mask as an indexed PNG: the same values, visible colours.",
    example: "true",
};
const ALPHA: Parameter = Parameter {
    name: "alpha",
    allowed: "0.5, 0 to 1",
    form: Form::Number { min: 0.0, max: 1.0 },
    description: "How opaque the labels are.",
    example: "0.4",
};
const OUTLINE: Parameter = Parameter {
    name: "outline",
    allowed: "0, pixels from 1 to 16",
    form: Form::Integer { min: 0, max: 16 },
    description: "Width of an opaque line along the inner edge of each label.",
    example: "2",
};

const OF: Parameter = Parameter {
    name: "of",
    allowed: "image, mask",
    form: Form::Choice(&["image", "mask"]),
    description: "What is cut out.",
    example: "mask",
};
const MM: Parameter = Parameter {
    name: "mm",
    allowed: "40, millimetres from 0.1 to 1000",
    form: Form::Number { min: 0.1, max: 1000.0 },
    description: "Height and width of the patch, around the disc's centre: every patch has the same shape.",
    example: "50",
};
const MARGIN: Parameter = Parameter {
    name: "margin",
    allowed: "millimetres up to 1000; instead of mm",
    form: Form::Number { min: 0.0, max: 1000.0 },
    description: "The patch is the disc's box and so much around it.",
    example: "5",
};
const PATCH_SPACING: Parameter = Parameter {
    allowed: "0.5, millimetres from 0.01 to 100",
    description: "Millimetres per pixel, both ways.",
    ..SPACING
};
const DIMS: Parameter = Parameter {
    name: "dims",
    allowed: "2, 3",
    form: Form::Choice(&["2", "3"]),
    description: "2 is the slice with the most of the disc; 3 is (slices, rows, columns), slices as acquired.",
    example: "3",
};

/// Of a whole volume as a file.
pub(super) const FILE_LAYOUT: Parameter = Parameter {
    description: "stored is the voxels, element type and grid of the file that the scan was imported from.",
    ..LAYOUT
};
/// Of a whole volume.
pub(super) const VOLUME_SIZE: Parameter = Parameter {
    allowed: "native, N (N × N pixels)",
    description: "Size of every slice; native is as acquired.",
    ..SIZE
};
pub(super) const CONTEXT: Parameter = Parameter {
    name: "context",
    allowed: "0, slices from 1 to 16",
    form: Form::Integer { min: 0, max: 16 },
    description: "The image has so many slices on either side as channels: (2 × context + 1, rows, columns); the outermost slice is repeated.",
    example: "1",
};

/// What an image with its mask takes.
pub(super) const PAIR_PARAMETERS: [Parameter; 12] =
    [SIZE, WIDTH, HEIGHT, SPACING, FIT, FILTER, NPY_WINDOW, DTYPE, LAYOUT, PRESET, LABELS, MAP];

/// What every patch takes.
pub(super) const PATCH_PARAMETERS: [Parameter; 4] = [OF, MM, MARGIN, PATCH_SPACING];
/// What `patch.png` takes besides.
pub(super) const PNG_PARAMETERS: [Parameter; 6] = [FILTER, WINDOW, BITS, LABELS, MAP, PALETTE];
/// What `patch.npy` takes besides.
pub(super) const NPY_PARAMETERS: [Parameter; 6] = [DIMS, FILTER, NPY_WINDOW, DTYPE, LABELS, MAP];

impl ImageKind {
    /// The parameters of this kind of image.
    #[must_use]
    pub fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::ImagePng => &[SIZE, WIDTH, HEIGHT, SPACING, FIT, FILTER, WINDOW, BITS, LAYOUT, PRESET],
            Self::ImageNpy => &[SIZE, WIDTH, HEIGHT, SPACING, FIT, FILTER, NPY_WINDOW, DTYPE, LAYOUT, PRESET],
            Self::MaskPng => &[SIZE, WIDTH, HEIGHT, SPACING, FIT, MASK_FILTER, LABELS, MAP, PALETTE, LAYOUT, PRESET],
            Self::MaskNpy => &[SIZE, WIDTH, HEIGHT, SPACING, FIT, MASK_FILTER, LABELS, MAP, MASK_DTYPE, LAYOUT, PRESET],
            Self::OverlayPng => {
                &[SIZE, WIDTH, HEIGHT, SPACING, FIT, FILTER, OVERLAY_WINDOW, LABELS, ALPHA, OUTLINE, LAYOUT, PRESET]
            }
            Self::MontagePng => {
                &[TILE, WIDTH, HEIGHT, SPACING, FIT, FILTER, OVERLAY_WINDOW, LABELS, ALPHA, OUTLINE, LAYOUT, PRESET]
            }
        }
    }
}
