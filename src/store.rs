//! Converted scans at rest: one OME-Zarr 0.5 group (Zarr v3) per scan, one chunk per sagittal slice, so that a slice is
//! one read. Any program that reads Zarr can open the groups without this one.
//!
//! ```text
//! scans/5_t2_SPACE-3f1c9a02b7de.ome.zarr/
//!   zarr.json                   group: OME multiscales, axes, spacing
//!   image/zarr.json             array (slices, rows, columns), the source's element type
//!   image/c/{slice}/0/0         chunk: raw little-endian voxels, then their CRC-32C
//!   labels/zarr.json            group: OME list of label images
//!   labels/spider/zarr.json     group: OME image-label, multiscales
//!   labels/spider/0/zarr.json   array (slices, rows, columns), uint8
//!   labels/spider/0/c/{slice}/0/0   chunk: zstd, then its CRC-32C
//! ```
//!
//! Why these codecs: `docs/store.md`.
//!
//! Bytes go through the `object_store` crate, a local folder being one of its stores: above this module only [`DataLocation`] tells a
//! folder from a bucket. A group's name carries the revision of its contents, so a group is never rewritten with other
//! voxels: a scan that is imported again with other files gets another group, and readers of the old one are not disturbed.

mod bucket;
mod chunk;
mod documents;
mod durability;
mod exports;
mod files;
mod location;
mod read;
#[cfg(target_os = "linux")]
mod read_buffer;
mod slice_cache;
mod slice_disk;
mod write;

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;

use crate::spider::ScanId;
use crate::volume::ElementType;

pub use chunk::ChunkError;
pub use documents::GroupFacts;
pub use durability::PendingWrites;
pub use exports::{ExportManifest, ExportedFile, MANIFEST, ManifestFile};
pub use files::{Found, ReplaceError, Version};
pub use location::{DataLocation, DataLocationError};
pub use read::{SliceKey, StoredSlice};

use slice_cache::SliceCache;

/// Folder of all groups.
const GROUPS: &str = "scans";

/// Requests to a bucket that one piece of work has under way at once: what a disk answers in microseconds, a network does in
/// milliseconds.
const REQUESTS_AT_ONCE: usize = 8;

/// What is kept of slices that came over the network. A folder has the operating system's cache instead.
#[derive(Debug, Clone, Default)]
pub struct KeptSlices {
    /// Most bytes of memory.
    pub memory_bytes: u64,
    /// A folder of this machine for this process alone, and how many bytes may lie there.
    pub disk: Option<(PathBuf, u64)>,
}

/// The converted scans of one place of data.
#[derive(Debug, Clone)]
pub struct Store {
    place: DataLocation,
    objects: Arc<dyn ObjectStore>,
    slices: Option<SliceCache>,
}

/// Which of a scan's two arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Array {
    /// The scan itself, in the element type of its source.
    Image,
    /// Its labels, `uint8`.
    Mask,
}

impl Array {
    /// Path of the array inside the scan's group.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Mask => "labels/spider/0",
        }
    }

    fn element(self, image: ElementType) -> ElementType {
        match self {
            Self::Image => image,
            Self::Mask => ElementType::Uint8,
        }
    }
}

/// Name of one converted scan's group: the scan and the revision of its contents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupName {
    /// Which scan.
    pub scan: ScanId,
    /// Which contents: hexadecimal digits derived from the source files.
    pub revision: Arc<str>,
}

impl GroupName {
    /// Path of the group, relative to the data folder.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{GROUPS}/{}-{}.ome.zarr", self.scan, self.revision)
    }
}

/// Something about a store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot hold a store.
    #[error("could not use {folder} as a data folder")]
    Open {
        /// The folder.
        folder: String,
        /// Why.
        source: object_store::Error,
    },
    /// The settings of a bucket contradict each other.
    #[error(
        "could not use {place}; look at AWS_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and \
         AWS_ALLOW_HTTP=true for an endpoint without TLS)"
    )]
    Settings {
        /// The bucket.
        place: String,
        /// Why.
        source: object_store::Error,
    },
    /// A file of this machine failed, where something was copied from or to.
    #[error("could not copy to or from {path} on this machine")]
    Local {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Slices cannot be kept on this machine's disk.
    #[error("could not keep slices in {folder}; choose a folder that you may write to, or none")]
    KeptSlices {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Reading failed; [`StoreError::is_missing`] tells whether because nothing is there.
    #[error("could not read {path}")]
    Read {
        /// Path inside the data folder.
        path: String,
        /// Why.
        source: object_store::Error,
    },
    /// The bucket did not answer, or not with what was requested, however often it was requested again.
    #[error("could not reach the storage to read {path}")]
    Unreachable {
        /// Path inside the bucket.
        path: String,
        /// Why.
        source: object_store::Error,
    },
    /// Writing failed.
    #[error("could not write {path}")]
    Write {
        /// Path inside the data folder.
        path: String,
        /// Why.
        source: object_store::Error,
    },
    /// What was written may not survive a power failure.
    #[error("could not write everything below {path} to the disk")]
    Sync {
        /// The data folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bytes read are not those that were written.
    #[error("{path} is damaged; import with --again to repair it")]
    Damaged {
        /// Path inside the data folder.
        path: String,
        /// How it shows.
        source: ChunkError,
    },
}

impl StoreError {
    /// Whether there was nothing at the path.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Read { source: object_store::Error::NotFound { .. }, .. })
    }

    /// Whether it may be well again by itself, as a network is.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    fn path(&self) -> Option<&str> {
        match self {
            Self::Read { path, .. }
            | Self::Unreachable { path, .. }
            | Self::Write { path, .. }
            | Self::Damaged { path, .. } => Some(path),
            Self::Open { .. }
            | Self::Settings { .. }
            | Self::Local { .. }
            | Self::KeptSlices { .. }
            | Self::Sync { .. } => None,
        }
    }
}

impl Store {
    /// Opens the store of a place of data.
    ///
    /// # Errors
    /// [`StoreError::Open`] when a folder is not there, [`StoreError::Settings`] when a bucket's settings are unusable,
    /// [`StoreError::KeptSlices`] when slices cannot be kept where they should be. A bucket is not contacted yet.
    pub fn open(place: &DataLocation, keep: &KeptSlices) -> Result<Self, StoreError> {
        match place {
            DataLocation::Folder(folder) => Self::local(folder),
            DataLocation::Shared(folder) => Ok(Self { place: place.clone(), ..Self::local(folder)? }),
            DataLocation::Bucket { bucket, prefix } => {
                let objects = bucket::open(bucket, prefix);
                let objects = objects.map_err(|source| StoreError::Settings { place: place.to_string(), source })?;
                Ok(Self { place: place.clone(), objects, slices: SliceCache::open(keep)? })
            }
        }
    }

    /// Opens the store in a local folder that exists.
    ///
    /// # Errors
    /// [`StoreError::Open`] when the folder is not there.
    pub fn local(folder: &FsPath) -> Result<Self, StoreError> {
        let objects = LocalFileSystem::new_with_prefix(folder)
            .map_err(|source| StoreError::Open { folder: folder.display().to_string(), source })?;
        // Emptied folders go with their last chunk.
        let objects = Arc::new(objects.with_automatic_cleanup(true));
        Ok(Self { place: DataLocation::Folder(folder.to_owned()), objects, slices: None })
    }

    /// Where the store is.
    #[must_use]
    pub fn place(&self) -> &DataLocation {
        &self.place
    }

    /// How many requests are worth having under way at once.
    #[must_use]
    pub fn requests_at_once(&self) -> usize {
        if matches!(self.place, DataLocation::Bucket { .. }) { REQUESTS_AT_ONCE } else { 1 }
    }

    /// What went wrong with reading `path`. A bucket's errors without a name of their own are those of the way to it.
    fn unread(&self, path: &str, source: object_store::Error) -> StoreError {
        let path = path.to_owned();
        match (&self.place, &source) {
            (DataLocation::Bucket { .. }, object_store::Error::Generic { .. }) => {
                StoreError::Unreachable { path, source }
            }
            _ => StoreError::Read { path, source },
        }
    }

    fn slice_path(group: &GroupName, array: Array, slice: usize) -> Path {
        Path::from(format!("{}/{}/c/{slice}/0/0", group.path(), array.path()))
    }
}
