//! The parameters of pictures: what there is, for which picture, and what is said when one is wrong.

use super::PictureKind;

/// One parameter, as it is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the query.
    pub name: &'static str,
    /// What it may be, the default first.
    pub allowed: &'static str,
    /// What it does.
    pub description: &'static str,
}

/// A parameter is wrong, or wrong for this scan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParameterError {
    /// Stable, for programs: `unknown_parameter`, `repeated_parameter`, `invalid_value`, `conflicting_parameters`,
    /// `window_unavailable`, `output_too_large`.
    pub code: &'static str,
    /// Which parameter.
    pub parameter: String,
    /// What is wrong with it and what to do.
    pub message: String,
    /// What it may be.
    pub allowed: Vec<String>,
}

const SIZE: Parameter = Parameter {
    name: "size",
    allowed: "512, N (N × N pixels), native",
    description: "Size of the picture; native is as acquired, without resampling.",
};
const TILE: Parameter = Parameter { description: "Size of each of the six pictures.", ..SIZE };
const WIDTH: Parameter = Parameter {
    name: "width",
    allowed: "pixels",
    description: "Instead of size; without height, the height keeps the physical proportions.",
};
const HEIGHT: Parameter = Parameter {
    name: "height",
    allowed: "pixels",
    description: "Instead of size; without width, the width keeps the physical proportions.",
};
const SPACING: Parameter = Parameter {
    name: "spacing",
    allowed: "millimetres",
    description: "Instead of size; millimetres per pixel, both ways.",
};
const FIT: Parameter = Parameter {
    name: "fit",
    allowed: "stretch, contain, cover",
    description: "stretch fills the size, whatever the shape; contain keeps physical proportions and pads; cover keeps them and crops.",
};
const FILTER: Parameter = Parameter {
    name: "filter",
    allowed: "linear, nearest, cubic, lanczos, area",
    description: "linear is scikit-image's resize (order 1 with its Gaussian anti-aliasing), value for value.",
};
const MASK_FILTER: Parameter =
    Parameter { name: "filter", allowed: "nearest", description: "Masks are never interpolated." };
const WINDOW: Parameter = Parameter {
    name: "window",
    allowed: "full, auto, dicom, C,W (W above 1), pLO,HI (percentiles, at most one decimal), none, hf",
    description: "How stored values become pixel values.",
};
const NPY_WINDOW: Parameter = Parameter {
    allowed: "none, full, auto, dicom, C,W (W above 1), pLO,HI (percentiles, at most one decimal), hf",
    ..WINDOW
};
const OVERLAY_WINDOW: Parameter = Parameter {
    allowed: "auto, full, dicom, C,W (W above 1), pLO,HI (percentiles, at most one decimal), none, hf",
    ..WINDOW
};
const BITS: Parameter = Parameter { name: "bits", allowed: "16, 8", description: "Bits per pixel." };
const DTYPE: Parameter = Parameter {
    name: "dtype",
    allowed: "the source's (uint16 with a window), uint8, int8, uint16, int16, uint32, int32, float32, float64",
    description: "Type of the array's elements.",
};
const MASK_DTYPE: Parameter =
    Parameter { allowed: "uint8, uint16, int16, uint32, int32, int64, float32, float64", ..DTYPE };
const LAYOUT: Parameter = Parameter {
    name: "layout",
    allowed: "canonical, stored",
    description: "stored addresses and orients slices as the files and the Hugging Face edition do.",
};
const PRESET: Parameter = Parameter {
    name: "preset",
    allowed: "hf",
    description: "layout=stored window=hf fit=stretch filter=linear: the Hugging Face edition's pixels, bit for bit.",
};
const LABELS: Parameter = Parameter {
    name: "labels",
    allowed: "values and ranges such as 1-25,100, vertebrae, discs, canal, partial",
    description: "Keep only these labels; the others become background.",
};
const MAP: Parameter = Parameter {
    name: "map",
    allowed: "native, semantic (1 vertebra, 2 canal, 3 disc), semantic_vdc (1 vertebra, 2 disc, 3 canal), binary, or rules such as 1-25:1,100:2 (> for : works too, percent-encoded)",
    description: "Other values for the labels; those that are not mentioned become background.",
};
const PALETTE: Parameter = Parameter {
    name: "palette",
    allowed: "false, true",
    description: "The mask as an indexed PNG: the same values, visible colours.",
};
const ALPHA: Parameter = Parameter { name: "alpha", allowed: "0.5, 0 to 1", description: "How opaque the labels are." };
const OUTLINE: Parameter = Parameter {
    name: "outline",
    allowed: "0, pixels from 1 to 16",
    description: "Width of an opaque line along the inner edge of each label.",
};

impl PictureKind {
    /// The parameters of this kind of picture.
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

/// How alike two names must be for one to be offered in place of the other (Jaro–Winkler).
const ALIKE: f64 = 0.75;

impl ParameterError {
    pub(super) fn unknown(kind: PictureKind, name: &str) -> Self {
        let valid: Vec<_> = kind.parameters().iter().map(|parameter| parameter.name).collect();
        let likeness = |candidate: &&str| strsim::jaro_winkler(candidate, name);
        let nearest = valid.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let hint = match nearest.filter(|candidate| likeness(candidate) >= ALIKE) {
            Some(candidate) => format!("did you mean {candidate}? "),
            None => String::new(),
        };
        let message = format!("unknown parameter {name}: {hint}{} takes {}", kind.file_name(), valid.join(", "));
        let allowed = valid.into_iter().map(str::to_owned).collect();
        Self { code: "unknown_parameter", parameter: name.to_owned(), message, allowed }
    }

    pub(super) fn repeated(name: &str) -> Self {
        let message = format!("{name} is given twice; give it once");
        Self { code: "repeated_parameter", parameter: name.to_owned(), message, allowed: Vec::new() }
    }

    pub(super) fn invalid(name: &str, value: &str, expected: &str) -> Self {
        let message = format!("{name}={value} is not valid: {name} is {expected}");
        Self { code: "invalid_value", parameter: name.to_owned(), message, allowed: vec![expected.to_owned()] }
    }

    pub(super) fn conflict(name: &str, message: impl Into<String>) -> Self {
        Self {
            code: "conflicting_parameters",
            parameter: name.to_owned(),
            message: message.into(),
            allowed: Vec::new(),
        }
    }

    pub(super) fn window_unavailable(message: impl Into<String>) -> Self {
        Self {
            code: "window_unavailable",
            parameter: "window".to_owned(),
            message: message.into(),
            allowed: Vec::new(),
        }
    }

    /// `limit` says what is drawn at most.
    pub(super) fn too_large(name: &str, [rows, columns]: [u64; 2], limit: &str) -> Self {
        let message = format!("a picture of {columns} × {rows} pixels is too large; {limit}");
        Self { code: "output_too_large", parameter: name.to_owned(), message, allowed: Vec::new() }
    }
}
