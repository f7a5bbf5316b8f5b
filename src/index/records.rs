//! What goes into the index and what comes out.

use std::sync::Arc;

use crate::spider::{Metadata, ScanId, ScanType, Split};
use crate::store::GroupName;
use crate::volume::{ElementType, Grid, Intensity, LabelStatistics, SliceLabel};

/// A converted scan, as import hands it over.
#[derive(Debug, Clone)]
pub struct VolumeRecord {
    /// Which scan, and where its voxels are.
    pub group: GroupName,
    /// Changes when a source file does.
    pub fingerprint: String,
    /// SHA-256 of the source image, hexadecimal.
    pub image_sha256: String,
    /// SHA-256 of the source mask, hexadecimal.
    pub mask_sha256: String,
    /// Element type of the image.
    pub element: ElementType,
    /// Element type of the mask in its source.
    pub mask_element: ElementType,
    /// Where its voxels lie.
    pub grid: Grid,
    /// Distribution of the image's values.
    pub intensity: Intensity,
    /// Where which label lies, in canonical indices.
    pub labels: LabelStatistics,
    /// What import found odd.
    pub notes: Vec<String>,
}

/// What images need to know of one scan; small, so that all of them fit in memory.
#[derive(Debug, Clone)]
pub struct CatalogueEntry {
    /// Which scan, and where its voxels are.
    pub group: GroupName,
    /// Element type of the image.
    pub element: ElementType,
    /// Where its voxels lie.
    pub grid: Grid,
    /// Smallest and largest stored value.
    pub range: (f64, f64),
    /// The robust window of the foreground, (low, high), stored units.
    pub foreground_window: (f64, f64),
    /// DICOM `WindowCenter` and `WindowWidth`, if the table has them.
    pub dicom_window: Option<(f64, f64)>,
    /// Canonical index of the slice with the most labelled pixels.
    pub best_slice: usize,
}

/// One scan: its row of the table, and its volume where there is one.
#[derive(Debug, Clone)]
pub struct ScanRow {
    /// Which scan.
    pub scan: ScanId,
    /// The published split it belongs to; `None` for a scan without a row in the table.
    pub split: Option<Split>,
    /// Its row of the table.
    pub metadata: Option<Metadata>,
    /// Its volume, once imported.
    pub volume: Option<VolumeFacts>,
}

/// What is known of an imported volume.
#[derive(Debug, Clone)]
pub struct VolumeFacts {
    /// Revision of its contents.
    pub revision: Arc<str>,
    /// SHA-256 of the source image, hexadecimal.
    pub image_sha256: String,
    /// SHA-256 of the source mask, hexadecimal.
    pub mask_sha256: String,
    /// Element type of the image.
    pub element: ElementType,
    /// Element type of the mask in its source.
    pub mask_element: ElementType,
    /// Where its voxels lie.
    pub grid: Grid,
    /// Where the source's i, j and k axes point.
    pub source_axis_codes: String,
    /// Smallest, largest and mean stored value.
    pub range: (f64, f64),
    /// Mean stored value.
    pub mean: f64,
    /// The robust window of the foreground, (low, high), stored units.
    pub foreground_window: (f64, f64),
    /// Counts of 256 equal bins between smallest and largest value.
    pub histogram: Vec<u64>,
    /// Canonical index of the slice with the most labelled pixels.
    pub best_slice: usize,
    /// Bytes of the voxels, image and mask.
    pub bytes: u64,
    /// What import found odd.
    pub notes: Vec<String>,
}

/// One slice and the labels in it.
#[derive(Debug, Clone)]
pub struct SliceRow {
    /// Canonical index.
    pub slice: usize,
    /// Pixels with any label.
    pub labelled_pixels: u64,
    /// By label.
    pub labels: Vec<SliceLabel>,
}

/// How many scans there are of one kind.
#[derive(Debug, Clone, Copy)]
pub struct DatasetCount {
    /// The published split; `None` for scans without a row in the table.
    pub split: Option<Split>,
    /// The scan type.
    pub scan_type: ScanType,
    /// Scans in the table.
    pub scans: u64,
    /// Scans whose volume is imported.
    pub volumes: u64,
    /// Slices of those.
    pub slices: u64,
}

/// What the index has of a scan that was imported before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Of the source files.
    pub fingerprint: String,
    /// Of the contents.
    pub revision: Arc<str>,
    /// SHA-256 of the source image, hexadecimal.
    pub image_sha256: String,
    /// SHA-256 of the source mask, hexadecimal.
    pub mask_sha256: String,
}
