use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::SnapshotError;
use crate::store::DataLocation;

/// A folder of this process alone, for copies of the index of one place. Removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Makes a folder inside `work`, or inside the system's folder for temporary files.
    ///
    /// # Errors
    /// [`SnapshotError::Scratch`].
    pub fn new(place: &DataLocation, work: Option<&Path>) -> Result<Self, SnapshotError> {
        let hash = Sha256::digest(place.to_string().as_bytes());
        let name = hex::encode(&hash[..6]);
        let parent = work.map_or_else(std::env::temp_dir, Path::to_owned).join(format!("sagittal-{name}"));
        let failed = |source| SnapshotError::Scratch { folder: parent.clone(), source };
        // Processes of several containers may have the same number, and one that ends takes the folder above away.
        for _ in 0..16 {
            std::fs::create_dir_all(&parent).map_err(failed)?;
            let folder = parent.join(format!("{}-{:08x}", std::process::id(), fastrand::u32(..)));
            match std::fs::create_dir(&folder) {
                Ok(()) => return Ok(Self { folder }),
                Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {}
                Err(source) => return Err(failed(source)),
            }
        }
        Err(failed(ErrorKind::AlreadyExists.into()))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::debug!(%error, folder = %self.folder.display(), "could not remove a working copy");
        }
        // Not while another process has a folder in it.
        if let Some(parent) = self.folder.parent() {
            let _ = std::fs::remove_dir(parent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_when_the_last_one_is_done() {
        let work = tempfile::tempdir().unwrap();
        let place = DataLocation::Folder("data".into());
        let new = || Scratch::new(&place, Some(work.path())).unwrap();
        let (one, other) = (new(), new());
        std::fs::write(other.folder().join("index.sqlite"), b"x").unwrap();
        drop(one);
        assert!(other.folder().join("index.sqlite").is_file());
        drop(other);
        assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0);
    }
}
