//! One import at a time changes a data folder.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::ImportError;

/// Held for as long as an import changes a folder; goes with the process, however it ends.
#[derive(Debug)]
pub(super) struct ImportLock {
    _folder: File,
}

impl ImportLock {
    /// Locks the folder itself, so that nothing is left behind in it.
    ///
    /// # Errors
    /// [`ImportError::Busy`] when another import holds it.
    pub(super) fn take(folder: &Path) -> Result<Self, ImportError> {
        let name = || folder.display().to_string();
        let opened = File::open(folder).map_err(|source| ImportError::Folder { folder: name(), source })?;
        match opened.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(ImportError::Busy { folder: name() }),
            // Some network file systems lock only files. Imports there follow each other, or go through `file://`.
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "could not lock the data folder"),
            Ok(()) => {}
        }
        Ok(Self { _folder: opened })
    }
}
