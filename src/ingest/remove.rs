//! Taking scans out of a place of data, for instance because a patient withdrew consent.

use tokio::runtime::Handle;

use super::index_target::IndexTarget;
use super::{Destination, ImportError};
use crate::index::{IndexError, path_in};
use crate::spider::ScanId;

/// What a removal did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Groups that were deleted from the store.
    pub groups: Vec<String>,
    /// Exported files. They were made of everything that was imported then, and are as they were.
    pub exports: Vec<String>,
}

/// Removes scans: first from the index, then from the store. One that was interrupted in between is run again. Must not be called
/// from an async thread.
///
/// # Errors
/// [`ImportError::UnknownScans`] when there is nothing of some of them, in index or store; nothing is changed then. Another
/// [`ImportError`] when index or store fail.
pub fn remove(scans: &[ScanId], destination: &Destination, runtime: &Handle) -> Result<Removed, ImportError> {
    runtime.block_on(async {
        let store = destination.existing_store()?;
        let mut home = IndexTarget::open(&store, destination).await?;
        let index = path_in(home.folder());
        if !index.is_file() {
            return Err(IndexError::Missing(index).into());
        }
        let mut writer = home.writer().await?;
        let known = writer.scans().await?;
        let (mut groups, mut unknown) = (Vec::new(), Vec::new());
        for &scan in scans {
            let found = store.groups_of(scan).await?;
            if found.is_empty() && !known.contains(&scan) {
                unknown.push(scan);
            }
            groups.extend(found);
        }
        if !unknown.is_empty() {
            return Err(ImportError::UnknownScans(unknown));
        }
        let recorded: Vec<_> = scans.iter().copied().filter(|scan| known.contains(scan)).collect();
        if !recorded.is_empty() {
            writer.remove_scans(&recorded).await?;
        }
        home.delete(&mut writer, groups.clone(), destination.grace).await?;
        let exports = store.exports().await?;
        let exports = exports.iter().flat_map(|export| export.files.iter().map(|file| export.path_of(&file.path)));
        let exports = exports.collect();
        Ok(Removed { groups, exports })
    })
}
