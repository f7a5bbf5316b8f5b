use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::error::{DownloadError, unreadable};

/// Whether `needed` more bytes fit into the file system of `folder`.
pub(super) fn check(folder: &Path, needed: u64) -> Result<(), DownloadError> {
    let facts = statvfs(folder).map_err(|errno| unreadable(folder)(errno.into()))?;
    // Some network file systems do not tell.
    if facts.blocks() == 0 {
        return Ok(());
    }
    let free = facts.blocks_available().saturating_mul(facts.fragment_size());
    if needed > free {
        return Err(DownloadError::NoSpace { folder: folder.display().to_string(), needed, free });
    }
    Ok(())
}
