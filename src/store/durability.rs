//! Writes that survive a power failure. A file system may keep written data, and the names of files, in memory for many seconds;
//! what refers to them must not reach the disk before they do.

use std::fs::File;
use std::io;
use std::path::{Path as FsPath, PathBuf};

use super::{DataLocation, Store, StoreError};

/// Writes that may not have reached the disk. Begin before the first write, so that an error of the disk in between is reported.
#[derive(Debug)]
#[must_use = "writes are durable only after `sync`"]
pub struct PendingWrites(Option<(PathBuf, File)>);

impl Store {
    /// Begins writes to the store that [`PendingWrites::sync`] makes durable. A bucket needs neither: what it accepted is durable.
    ///
    /// # Errors
    /// [`StoreError::Local`] when the data folder cannot be opened.
    pub fn begin_writes(&self) -> Result<PendingWrites, StoreError> {
        let (DataLocation::Folder(folder) | DataLocation::Shared(folder)) = &self.place else {
            return Ok(PendingWrites(None));
        };
        let opened = File::open(folder).map_err(|source| StoreError::Local { path: folder.clone(), source })?;
        Ok(PendingWrites(Some((folder.clone(), opened))))
    }
}

impl PendingWrites {
    /// Waits until everything written to the data folder since [`Store::begin_writes`] is on the disk, names included.
    ///
    /// # Errors
    /// [`StoreError::Sync`] when the disk failed: nothing may refer to what was written.
    pub fn sync(self) -> Result<(), StoreError> {
        let Some((path, folder)) = self.0 else { return Ok(()) };
        sync_file_system(&path, &folder).map_err(|source| StoreError::Sync { path, source })
    }
}

/// One call for the file system that holds the folder: a scan has hundreds of files and folders, and a separate `fsync` of each
/// takes several times as long.
#[cfg(target_os = "linux")]
fn sync_file_system(_: &FsPath, folder: &File) -> io::Result<()> {
    Ok(nix::unistd::syncfs(folder)?)
}

/// Elsewhere there is no such call: every file and folder is synchronised by itself.
#[cfg(not(target_os = "linux"))]
fn sync_file_system(path: &FsPath, folder: &File) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            sync_file_system(&path, &File::open(&path)?)?;
        } else if kind.is_file() {
            File::open(&path)?.sync_all()?;
        }
    }
    folder.sync_all()
}
