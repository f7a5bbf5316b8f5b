use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ImportError;
use crate::snapshots::ImportShard;
use crate::store::{DataLocation, KeptSlices, Store};

/// Where an import goes, and which part of it.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Where the scans and the index go.
    pub place: DataLocation,
    /// Folder for working copies of an index that travels as snapshots; the system's folder for temporary files if it is `None`.
    pub work: Option<PathBuf>,
    /// How often such an index is published while an import runs.
    pub publish_every: Duration,
    /// The part to import, if it is not the whole.
    pub part: Option<ImportShard>,
    /// Begin a new index instead of going on from the one that is there, which may be unusable.
    pub rebuild: bool,
    /// Where the index travels as snapshots: how long servers elsewhere may take to adopt an index without scans that were removed,
    /// before the voxels of these are deleted.
    pub grace: Duration,
}

impl Destination {
    /// A folder of this machine.
    #[must_use]
    pub fn folder(folder: &Path) -> Self {
        Self::new(DataLocation::Folder(folder.to_owned()))
    }

    /// A place, with what is usual.
    #[must_use]
    pub fn new(place: DataLocation) -> Self {
        Self {
            place,
            work: None,
            publish_every: Duration::from_mins(5),
            part: None,
            rebuild: false,
            grace: Duration::from_secs(30),
        }
    }

    /// Opens the store; makes the folder, if it is one.
    pub(super) fn open_store(&self) -> Result<Store, ImportError> {
        if let DataLocation::Folder(folder) | DataLocation::Shared(folder) = &self.place {
            std::fs::create_dir_all(folder)
                .map_err(|source| ImportError::Folder { folder: folder.display().to_string(), source })?;
        }
        self.existing_store()
    }

    /// Opens a store that was made before.
    pub(super) fn existing_store(&self) -> Result<Store, ImportError> {
        // What is written is not read again.
        Ok(Store::open(&self.place, &KeptSlices::default())?)
    }
}
