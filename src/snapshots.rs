//! The index on its way between machines. SQLite wants its file on a disk of its own, so an import works on a copy and, when it
//! is done, publishes what it has as a snapshot: one file that never changes, and then a small document that points to it.
//! Replicas look at the document every few seconds and take over the snapshot that it names.
//!
//! ```text
//! index/current.json                        {"revision": 451, "file": "index/451-9f2c….sqlite", "sha256": …, "bytes": …, …}
//! index/451-9f2c41d07be3a865.sqlite         a whole index; the name carries its revision and the start of its SHA-256
//! index/448-….sqlite                        the one before, for replicas that are just fetching it
//! index/shards/3-of-16.sqlite                what one worker of a divided import did
//! ```
//!
//! Chunks first, then the snapshot, then the pointer: anyone who reads the pointer finds everything that it leads to. The pointer
//! is replaced only by who has seen the last one, so that of two imports at once the second is refused and none is lost.

mod publisher;
mod replica;
mod scratch;
mod shards;

use serde::{Deserialize, Serialize};

use crate::index::{IndexError, Reader, path_in};
use crate::store::{DataLocation, Found, KeptSlices, Store, StoreError, Version};

pub use publisher::Publisher;
pub use replica::{Offer, Replica};
pub use scratch::Scratch;
pub use shards::{FinishedShard, ImportShard, ShardError, finished_parts};

/// Folder of the index in a store.
const FOLDER: &str = "index";

/// The document that names the newest snapshot.
const POINTER: &str = "index/current.json";

/// What `index/current.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// Revision of the index.
    pub revision: u64,
    /// Path of the snapshot.
    pub file: String,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// When it was published, as in HTTP headers.
    pub created: String,
    /// Groups that the snapshot before referred to and this one does not. The next import deletes them: by then no replica
    /// reads them any more.
    #[serde(default)]
    pub obsolete: Vec<String>,
}

/// A snapshot could not be fetched or published.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Nothing was imported yet.
    #[error("there is no index in {place}; run `sagittal import SOURCE --data {place}` first")]
    Missing {
        /// Where it was looked for.
        place: DataLocation,
    },
    /// The pointer is not one.
    #[error("{POINTER} is not what an import writes")]
    Pointer(#[source] serde_json::Error),
    /// The file is not the one that was published.
    #[error("{file} has the SHA-256 {found}, not {expected}")]
    Damaged {
        /// Which.
        file: String,
        /// Of what is there.
        found: String,
        /// Of what was published.
        expected: String,
    },
    /// The pointer names an older revision, or another index with the same one.
    #[error(
        "{file} has revision {found}, which is not newer than {known}; if the data were imported anew from nothing, restart \
         this server"
    )]
    NotNewer {
        /// The snapshot.
        file: String,
        /// Its revision.
        found: u64,
        /// The one that is served.
        known: u64,
    },
    /// Another import published in the meantime.
    #[error(
        "another import published to {place} meanwhile, so this one's index is not published; nothing is lost: run the same \
         import again, it starts from the other one's index"
    )]
    LostRace {
        /// Where.
        place: DataLocation,
    },
    /// A folder for the working copy cannot be used.
    #[error("could not use {folder} for a working copy of the index; choose another with --work or TMPDIR")]
    Scratch {
        /// Which.
        folder: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The parts of an import cannot be put together.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The snapshot is no index of this version.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// Opens the store and the index of a place, with what keeps an index up to date that travels as snapshots.
///
/// # Errors
/// [`SnapshotError`], when nothing was imported there yet.
pub async fn open(place: &DataLocation, keep: &KeptSlices) -> Result<(Store, Reader, Option<Replica>), SnapshotError> {
    if let DataLocation::Folder(folder) = place {
        let reader = Reader::open(folder).await?;
        return Ok((Store::local(folder)?, reader, None));
    }
    let store = Store::open(place, keep)?;
    let (replica, reader) = Replica::open(&store).await?;
    Ok((store, reader, Some(replica)))
}

/// The newest pointer, unless it is the one with the version `known`.
async fn pointer(store: &Store, known: Option<&Version>) -> Result<Option<(Pointer, Version)>, SnapshotError> {
    match store.document(POINTER, known).await? {
        Found::Known => Ok(None),
        Found::Nothing => Err(SnapshotError::Missing { place: store.place().clone() }),
        Found::Document(text, version) => {
            Ok(Some((serde_json::from_slice(&text).map_err(SnapshotError::Pointer)?, version)))
        }
    }
}

/// Fetches the newest snapshot into a folder, as its index. `None` when nothing was published yet.
///
/// # Errors
/// [`SnapshotError`].
pub async fn fetch_newest(
    store: &Store,
    folder: &std::path::Path,
) -> Result<Option<(Pointer, Version)>, SnapshotError> {
    let newest = newest(store).await?;
    if let Some((pointer, _)) = &newest {
        fetch(store, pointer, &path_in(folder)).await?;
    }
    Ok(newest)
}

/// The newest pointer, if anything was published.
async fn newest(store: &Store) -> Result<Option<(Pointer, Version)>, SnapshotError> {
    match pointer(store, None).await {
        Err(SnapshotError::Missing { .. }) => Ok(None),
        found => found,
    }
}

/// Copies a snapshot to this machine and holds it against its checksum.
async fn fetch(store: &Store, pointer: &Pointer, to: &std::path::Path) -> Result<(), SnapshotError> {
    let found = store.download(&pointer.file, pointer.bytes, to).await?;
    if found == pointer.sha256 {
        Ok(())
    } else {
        Err(SnapshotError::Damaged { file: pointer.file.clone(), found, expected: pointer.sha256.clone() })
    }
}
