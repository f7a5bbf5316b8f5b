//! Which file a path names, so that one that is put in its place is noticed.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use crate::index::IndexError;

/// A file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The file that the path names at this moment, which may be read.
    ///
    /// The file is not opened for that: to close one would drop the locks that SQLite holds on it in this process (POSIX).
    pub(super) async fn of(path: &Path) -> Result<Self, IndexError> {
        let owned = path.to_owned();
        let look = move || {
            let found = std::fs::metadata(&owned)?;
            access(&owned, AccessFlags::R_OK).map_err(io::Error::from)?;
            Ok::<_, io::Error>(found)
        };
        let found = tokio::task::spawn_blocking(look).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        match found {
            Ok(found) if found.is_file() => Ok(Self { device: found.dev(), inode: found.ino() }),
            Ok(_) => Err(IndexError::Missing(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(IndexError::Missing(path.to_owned())),
            Err(error) => Err(IndexError::unreadable(path, error.into())),
        }
    }
}
