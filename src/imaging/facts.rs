use crate::volume::{ElementType, Orientation};

/// What rendering needs to know of a scan.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanFacts {
    /// Element type of the image; masks are `uint8`.
    pub element: ElementType,
    /// Canonical (slices, rows, columns).
    pub shape: [usize; 3],
    /// Millimetres between voxel centres along each canonical axis.
    pub spacing_mm: [f64; 3],
    /// Smallest stored value.
    pub min: f64,
    /// Largest stored value.
    pub max: f64,
    /// `window=auto`: (low, high), stored units.
    pub auto_window: (f64, f64),
    /// DICOM `WindowCenter` and `WindowWidth`, if known.
    pub dicom_window: Option<(f64, f64)>,
    /// Whether the values were mapped before the release, so that the DICOM window does not apply.
    pub remapped: bool,
    /// From the file's layout to the canonical one.
    pub orientation: Orientation,
}

/// What a request may take at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderLimits {
    /// Pixels of one image.
    pub max_pixels: u64,
}
