use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::SnapshotError;
use crate::store::Place;

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
    pub fn new(place: &Place, work: Option<&Path>) -> Result<Self, SnapshotError> {
        let hash = Sha256::digest(place.to_string().as_bytes());
        let name: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let parent = work.map_or_else(std::env::temp_dir, Path::to_owned).join(format!("sagittal-{name}"));
        let failed = |source| SnapshotError::Scratch { folder: parent.clone(), source };
        std::fs::create_dir_all(&parent).map_err(failed)?;
        // Processes of several containers may have the same number.
        for _ in 0..16 {
            let folder = parent.join(format!("{}-{:08x}", std::process::id(), fastrand::u32(..)));
            match std::fs::create_dir(&folder) {
                Ok(()) => return Ok(Self { folder }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(failed(source)),
            }
        }
        Err(failed(std::io::ErrorKind::AlreadyExists.into()))
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
    }
}
