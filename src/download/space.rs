use std::fmt;
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

/// Bytes, as people say them.
pub(super) struct Amount(pub(super) u64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..10_000 => write!(f, "{} bytes", self.0),
            10_000..1_000_000_000 => write!(f, "{:.1} MB", self.0 as f64 / 1e6),
            _ => write!(f, "{:.2} GB", self.0 as f64 / 1e9),
        }
    }
}
