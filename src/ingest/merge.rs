//! Putting the parts of an import together that was spread over workers.

use tokio::runtime::Handle;

use super::index_target::IndexTarget;
use super::{Destination, ImportError};
use crate::index::{Reader, Writer};
use crate::snapshots::{FinishedShard, Scratch, ShardError, SnapshotError, finished_parts};
use crate::store::Store;

/// What became of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Parts that were merged.
    pub parts: usize,
    /// Scans whose volumes are in the index now.
    pub scans: usize,
    /// Its revision.
    pub revision: u64,
}

/// Merges every part into the index, publishes it, and deletes the parts. What it gives is what one import of everything
/// gives. Must not be called from an async thread.
///
/// # Errors
/// [`ImportError`]: parts are missing, or do not belong together. Nothing is changed then.
pub fn finish(destination: &Destination, runtime: &Handle) -> Result<Finished, ImportError> {
    runtime.block_on(async {
        let store = destination.open_store()?;
        let parts = finished_parts(&store).await?;
        // All parts in one index first: readers of an index in a folder see all of them or none.
        let merged = merge(&store, destination, &parts).await?;
        let mut home = IndexTarget::open(&store, &Destination { part: None, ..destination.clone() }).await?;
        let mut writer = home.writer().await?;
        home.absorb(&mut writer, merged.folder()).await?;
        for part in &parts {
            part.delete(&store).await?;
        }
        let (scans, revision) = (writer.imported().await?.len(), writer.revision().await?);
        Ok(Finished { parts: parts.len(), scans, revision })
    })
}

async fn merge(store: &Store, destination: &Destination, parts: &[FinishedShard]) -> Result<Scratch, ImportError> {
    let work = destination.work.as_deref();
    let merged = Scratch::new(&destination.place, work)?;
    let mut writer = Writer::open(merged.folder()).await?;
    let mut first = None;
    for found in parts {
        let scratch = Scratch::new(&destination.place, work)?;
        found.fetch(store, scratch.folder()).await?;
        let tables = Reader::open(scratch.folder()).await?.begin().await?.tables_sha256().await?;
        let (first, expected) = first.get_or_insert_with(|| (found.part, tables.clone()));
        if tables != *expected {
            return Err(SnapshotError::from(ShardError::Tables { part: found.part, first: *first }).into());
        }
        writer.gather(scratch.folder()).await?;
    }
    Ok(merged)
}
