//! One scan: two source files → checked, re-oriented, summarised → store. What the index records comes back as a record.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::budget::MemoryBudget;
use super::grid;
use super::labels;
use super::labels::MaskError;
use super::source::{SourceError, SourceFile};
use crate::formats::metaimage;
use crate::formats::metaimage::MetaImageError;
use crate::index::{Imported, VolumeRecord};
use crate::spider::ScanId;
use crate::store::{Array, GroupFacts, GroupName, Store, StoreError};
use crate::volume::{Grid, Intensity, IntensityError, LabelStatistics, Orientation, Volume};

/// Largest volume that is accepted, in bytes. The largest of the release takes 127 MB.
const LARGEST_VOLUME: usize = 384 << 20;

/// Grows when the same source files would be stored as other voxels.
const CONVERSION: &str = "1";

/// A scan cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// There is an image and no mask.
    #[error("{image} has no mask; put {scan}.mha among the masks")]
    NoMask {
        /// The image.
        image: String,
        /// Which scan.
        scan: ScanId,
    },
    /// There is a mask and no image.
    #[error("{mask} has no image; put {scan}.mha among the images")]
    NoImage {
        /// The mask.
        mask: String,
        /// Which scan.
        scan: ScanId,
    },
    /// A file could not be read at all.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file is larger than any scan can be.
    #[error("{file} has {bytes} bytes; no scan is larger than {LARGEST_VOLUME}")]
    TooLarge {
        /// The file.
        file: String,
        /// Its length.
        bytes: u64,
    },
    /// A file is not a MetaImage that can be used.
    #[error("could not read {file}")]
    MetaImage {
        /// The file.
        file: String,
        /// Why.
        source: MetaImageError,
    },
    /// Image and mask are not of the same grid.
    #[error("image and mask do not belong together: {0}")]
    Grid(String),
    /// The mask holds no labels.
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// The image's values cannot be used.
    #[error(transparent)]
    Intensity(#[from] IntensityError),
    /// The data folder failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] crate::index::IndexError),
}

/// The two files of one scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) scan: ScanId,
    pub(super) image: &'a SourceFile,
    pub(super) mask: &'a SourceFile,
    /// What was imported before, if files with the same checksums need not be converted.
    pub(super) verified_against: Option<&'a Imported>,
}

impl Pair<'_> {
    /// Changes when either file does.
    pub(super) fn fingerprint(&self) -> String {
        format!("{CONVERSION} {} {}", self.image.fingerprint(), self.mask.fingerprint())
    }

    /// Bytes of both files.
    pub(super) fn bytes(&self) -> u64 {
        self.image.bytes() + self.mask.bytes()
    }
}

/// Converts one scan into the store, where it is durable when this returns. `None`: the files are those that were imported before.
pub(super) fn convert(
    pair: Pair<'_>,
    store: &Store,
    runtime: &Handle,
    memory: &MemoryBudget,
) -> Result<Option<VolumeRecord>, ScanError> {
    let _lease = memory.take(memory_needed(pair.image)? + memory_needed(pair.mask)? / 2);
    let (mask_file, image_file) = (read(pair.mask)?, read(pair.image)?);
    let (image_sha256, mask_sha256) = (sha256(&image_file), sha256(&mask_file));
    let is_same = |known: &Imported| (&known.image_sha256, &known.mask_sha256) == (&image_sha256, &mask_sha256);
    if pair.verified_against.is_some_and(is_same) {
        return Ok(None);
    }
    let group = GroupName { scan: pair.scan, revision: revision(&image_sha256, &mask_sha256) };

    let image = parse(pair.image, &image_file)?;
    drop(image_file);
    let mask = parse(pair.mask, &mask_file)?;
    drop(mask_file);
    let (grid, element, mask_element) = (Grid::new(image.geometry), image.element, mask.element);
    let mut notes = grid::compare(&grid.source, &mask.geometry).map_err(ScanError::Grid)?;

    let pending = store.begin_writes()?;
    store.remove_unfinished(&group)?;
    let labels = write_mask(mask, grid.to_canonical, &group, store, runtime)?;
    notes.extend(labels::outside_the_scheme(&labels.whole));
    let intensity = write_image(image, grid.to_canonical, &group, store, runtime)?;
    let facts = GroupFacts {
        element,
        geometry: grid.canonical,
        labels: labels.whole.iter().map(|found| found.label).collect(),
        range: (intensity.min, intensity.max),
        window: intensity.foreground_window,
    };
    runtime.block_on(store.write_documents(&group, &facts))?;
    // The index must not name what a power failure could still take away.
    pending.sync()?;

    Ok(Some(VolumeRecord {
        group,
        fingerprint: pair.fingerprint(),
        image_sha256,
        mask_sha256,
        element,
        mask_element,
        grid,
        intensity,
        labels,
        notes,
    }))
}

fn write_mask(
    mask: Volume,
    orientation: Orientation,
    group: &GroupName,
    store: &Store,
    runtime: &Handle,
) -> Result<LabelStatistics, ScanError> {
    let mask = orientation.apply(labels::to_labels(mask)?);
    runtime.block_on(store.write_array(group, Array::Mask, &mask))?;
    Ok(LabelStatistics::of(&mask))
}

fn write_image(
    image: Volume,
    orientation: Orientation,
    group: &GroupName,
    store: &Store,
    runtime: &Handle,
) -> Result<Intensity, ScanError> {
    let image = orientation.apply(image);
    let intensity = Intensity::of(&image)?;
    runtime.block_on(store.write_array(group, Array::Image, &image))?;
    Ok(intensity)
}

/// The file, its voxels, and the voxels once more in the other order.
fn memory_needed(file: &SourceFile) -> Result<u64, ScanError> {
    if file.bytes() > LARGEST_VOLUME as u64 {
        return Err(ScanError::TooLarge { file: file.name(), bytes: file.bytes() });
    }
    let header = metaimage::read_header(&file.read_start(metaimage::HEADER_LIMIT)?).map_err(unusable(file))?;
    if header.voxel_bytes > LARGEST_VOLUME {
        // Before any memory is set aside for it: others are waiting for theirs.
        let source = MetaImageError::TooLarge { bytes: header.voxel_bytes, limit: LARGEST_VOLUME };
        return Err(unusable(file)(source));
    }
    Ok(file.bytes() + 2 * header.voxel_bytes as u64)
}

fn read(file: &SourceFile) -> Result<Vec<u8>, ScanError> {
    Ok(file.read()?)
}

fn parse(file: &SourceFile, bytes: &[u8]) -> Result<Volume, ScanError> {
    metaimage::read(bytes, LARGEST_VOLUME).map_err(unusable(file))
}

fn unusable(file: &SourceFile) -> impl Fn(MetaImageError) -> ScanError {
    let file = file.name();
    move |source| ScanError::MetaImage { file: file.clone(), source }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Twelve digits are enough to tell the few versions of one scan apart.
fn revision(image_sha256: &str, mask_sha256: &str) -> Arc<str> {
    sha256(format!("{CONVERSION} {image_sha256} {mask_sha256}").as_bytes())[..12].into()
}
