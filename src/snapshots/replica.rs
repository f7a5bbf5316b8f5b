use std::time::{Duration, Instant};

use super::{Pointer, Scratch, SnapshotError, fetch, pointer};
use crate::index::{Reader, path_in};
use crate::store::{Store, Version};

/// After a snapshot that could not be used, the same one is tried again: what failed may have been this machine.
const SECOND_TRY: Duration = Duration::from_secs(60);

/// A snapshot that could be opened.
#[derive(Debug)]
pub struct Offer {
    /// Its index.
    pub reader: Reader,
    pointer: Pointer,
}

/// Follows the snapshots of a place of data.
///
/// The copy on this machine loses its name as soon as it is open, so that nobody can take it away from a running server, and a
/// server that was killed leaves nothing behind.
#[derive(Debug)]
pub struct Replica {
    store: Store,
    scratch: Scratch,
    taken: Pointer,
    /// The newest pointer that was looked at, whether it could be used or not.
    seen: Version,
    in_backoff: Option<Instant>,
}

impl Replica {
    /// Fetches the newest snapshot and opens it.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub async fn open(store: &Store) -> Result<(Self, Reader), SnapshotError> {
        let missing = || SnapshotError::Missing { place: store.place().clone() };
        let (taken, seen) = pointer(store, None).await?.ok_or_else(missing)?;
        let scratch = Scratch::new(store.place(), None)?;
        let reader = open(store, &scratch, &taken).await?;
        tracing::info!(revision = taken.revision, place = %store.place(), "fetched the index");
        Ok((Self { store: store.clone(), scratch, taken, seen, in_backoff: None }, reader))
    }

    /// The newest snapshot, if it is not the one that `current` reads, or if `current` has become unusable. Anyone who serves it
    /// from then on says so with [`Replica::take`].
    ///
    /// # Errors
    /// [`SnapshotError`] when a newer one cannot be used: it is tried again after a minute, a newer one than that at once.
    pub async fn newer(&mut self, current: &Reader) -> Result<Option<Offer>, SnapshotError> {
        let again = self.in_backoff.map_or(current.has_lost_connections(), |since| since.elapsed() >= SECOND_TRY);
        let Some((pointer, version)) = pointer(&self.store, (!again).then_some(&self.seen)).await? else {
            return Ok(None);
        };
        self.seen = version;
        self.in_backoff = None;
        if pointer.sha256 == self.taken.sha256 && !current.has_lost_connections() {
            return Ok(None);
        }
        // Until it is taken.
        self.in_backoff = Some(Instant::now());
        if pointer.sha256 != self.taken.sha256 && pointer.revision <= self.taken.revision {
            let (file, known) = (pointer.file, self.taken.revision);
            return Err(SnapshotError::NotNewer { file, found: pointer.revision, known });
        }
        let reader = open(&self.store, &self.scratch, &pointer).await?;
        Ok(Some(Offer { reader, pointer }))
    }

    /// The folder into which snapshots are fetched. Empty but while one is.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.scratch.folder()
    }

    /// Whether a newer snapshot is there that could not be used.
    #[must_use]
    pub fn is_put_off(&self) -> bool {
        self.in_backoff.is_some()
    }

    /// An offer is served now.
    pub fn take(&mut self, offer: Offer) {
        self.in_backoff = None;
        self.taken = offer.pointer;
    }
}

async fn open(store: &Store, scratch: &Scratch, pointer: &Pointer) -> Result<Reader, SnapshotError> {
    let path = path_in(scratch.folder());
    // Anyone who clears the system's folder for temporary files may have taken the folder itself.
    let made = std::fs::create_dir_all(scratch.folder());
    made.map_err(|source| SnapshotError::Scratch { folder: scratch.folder().to_owned(), source })?;
    let opened = match fetch(store, pointer, &path).await {
        Ok(()) => Reader::open_copy(&path).await.map_err(|error| error.of_copy(&store.place().to_string()).into()),
        Err(error) => Err(error),
    };
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::debug!(%error, "there was no copy of the index to remove");
    }
    let reader = opened?;
    let revision = reader.begin().await?.revision();
    if revision == pointer.revision {
        Ok(reader)
    } else {
        let value = format!("revision {revision} in {}", pointer.file);
        Err(crate::index::IndexError::Unusable { what: "revision", value }.into())
    }
}
