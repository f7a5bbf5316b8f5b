use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use super::{FOLDER, POINTER, Pointer, Scratch, SnapshotError, fetch_newest, newest, pointer};
use crate::store::{ReplaceError, Store, Version};

/// Snapshots that are kept, the newest included: a replica may be fetching the one before.
const KEPT: usize = 3;

/// The document that is written only to see whether the store keeps conditions.
const CONDITION: &str = "index/condition";

/// Publishes the index of an import, beginning with the newest one there is.
#[derive(Debug)]
pub struct Publisher {
    store: Store,
    scratch: Scratch,
    /// What this import starts from; what it replaces.
    seen: Option<(Pointer, Version)>,
}

impl Publisher {
    /// Fetches the newest snapshot into a working folder, where an import goes on from it; or, to `rebuild` the index, only notes
    /// which it is.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub async fn begin(store: &Store, work: Option<&Path>, rebuild: bool) -> Result<Self, SnapshotError> {
        let scratch = Scratch::new(store.place(), work)?;
        let seen = if rebuild { newest(store).await? } else { fetch_newest(store, scratch.folder()).await? };
        Ok(Self { store: store.clone(), scratch, seen })
    }

    /// The working folder, with the index in it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.scratch.folder()
    }

    /// Whether this revision is published already.
    #[must_use]
    pub fn has_published(&self, revision: u64) -> bool {
        self.seen.as_ref().is_some_and(|(pointer, _)| pointer.revision == revision)
    }

    /// Publishes a copy of the index with its revision, and removes the copy. `obsolete` are the groups that it no longer
    /// refers to, `referred` those that it does.
    ///
    /// # Errors
    /// [`SnapshotError::LostRace`] when another import was faster, or another [`SnapshotError`]. What was published before stays.
    pub async fn publish(
        &mut self,
        copy: &Path,
        revision: u64,
        obsolete: Vec<String>,
        referred: &BTreeSet<String>,
    ) -> Result<(), SnapshotError> {
        let (sha256, bytes) = measure(copy)?;
        let file = format!("{FOLDER}/{revision}-{}.sqlite", &sha256[..16]);
        self.store.upload(copy, &file).await?;
        let created = httpdate::fmt_http_date(SystemTime::now());
        let next = Pointer { revision, file, sha256, bytes, created, obsolete };
        let version = match self.replace_pointer(&next).await {
            Ok(version) => version,
            Err(error) => {
                if matches!(error, SnapshotError::LostRace { .. }) {
                    self.discard(&next).await;
                }
                return Err(error);
            }
        };
        tracing::info!(revision, bytes, place = %self.store.place(), "published the index");
        let before = self.seen.replace((next, version));
        if let Err(error) = std::fs::remove_file(copy) {
            tracing::debug!(%error, "could not remove a copy of the index");
        }
        if let Err(error) = self.clear_up(before.map(|(pointer, _)| pointer), referred).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not delete what is no longer needed");
        }
        Ok(())
    }

    /// Deletes groups, and every snapshot but the newest, since those before tell of them.
    ///
    /// # Errors
    /// [`SnapshotError::Store`].
    pub async fn forget(&self, groups: &[String]) -> Result<(), SnapshotError> {
        let newest = self.seen.as_ref().map(|(pointer, _)| pointer);
        for (path, _) in self.store.files_under(FOLDER).await? {
            let is_older = |pointer: &Pointer| revision_of(&path).is_some_and(|revision| revision < pointer.revision);
            if newest.is_some_and(is_older) {
                self.store.delete(&path).await?;
            }
        }
        for group in groups {
            self.store.remove_group(group).await?;
        }
        Ok(())
    }

    async fn replace_pointer(&self, next: &Pointer) -> Result<Version, SnapshotError> {
        let text = serde_json::to_vec_pretty(next).map_err(SnapshotError::Pointer)?;
        let seen = self.seen.as_ref().map(|(_, version)| version);
        if !self.store.keeps_conditions(CONDITION).await? {
            tracing::warn!(
                place = %self.store.place(),
                "this store ignores conditional writes: let only one import at a time publish to it"
            );
        }
        match self.store.replace_document(POINTER, text.into(), seen).await {
            // A store that ignores conditions lets the last one win: the other should hear of it.
            Ok(_) | Err(ReplaceError::Changed) => match pointer(&self.store, None).await {
                // Also when the answer got lost, and the second attempt found the first one's success.
                Ok(Some((now, version))) if (&now.file, &now.sha256) == (&next.file, &next.sha256) => Ok(version),
                Ok(_) | Err(SnapshotError::Pointer(_) | SnapshotError::Missing { .. }) => {
                    Err(SnapshotError::LostRace { place: self.store.place().clone() })
                }
                Err(error) => Err(error),
            },
            Err(ReplaceError::Store(error)) => Err(error.into()),
        }
    }

    /// Nobody will point to this snapshot.
    async fn discard(&self, lost: &Pointer) {
        if let Err(error) = self.store.delete(&lost.file).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not delete a snapshot that is not needed");
        }
    }

    async fn clear_up(&self, before: Option<Pointer>, referred: &BTreeSet<String>) -> Result<(), SnapshotError> {
        let named = |(path, _): (String, u64)| Some((revision_of(&path)?, path));
        let mut snapshots: Vec<_> = self.store.files_under(FOLDER).await?.into_iter().filter_map(named).collect();
        snapshots.sort_unstable();
        // A newer one than ours may be another import's that is just about to point to it. Imports that were overtaken may have
        // left others of the same revision.
        let current = self.seen.as_ref().map(|(pointer, _)| pointer);
        let kept: Vec<_> = current.into_iter().chain(&before).map(|pointer| pointer.file.as_str()).collect();
        let newest = current.map_or(0, |pointer| pointer.revision);
        snapshots.retain(|(revision, path)| *revision <= newest && !kept.contains(&path.as_str()));
        for (_, path) in snapshots.iter().rev().skip(KEPT.saturating_sub(kept.len())) {
            self.store.delete(path).await?;
        }
        for group in before.into_iter().flat_map(|pointer| pointer.obsolete) {
            if !referred.contains(&group) {
                self.store.remove_group(&group).await?;
            }
        }
        Ok(())
    }
}

/// `index/451-9f2c41d07be3a865.sqlite` → 451.
fn revision_of(path: &str) -> Option<u64> {
    let name = path.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".sqlite")?;
    name.split_once('-').filter(|(_, digits)| digits.len() == 16)?.0.parse().ok()
}

/// SHA-256, hexadecimal, and length of a file.
fn measure(path: &Path) -> Result<(String, u64), SnapshotError> {
    use sha2::{Digest, Sha256};
    let failed = |source| SnapshotError::Scratch { folder: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let bytes = std::io::copy(&mut file, &mut HashWriter(&mut hash)).map_err(failed)?;
    Ok((hex::encode(hash.finalize()), bytes))
}

struct HashWriter<'a>(&'a mut sha2::Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        sha2::Digest::update(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_reported_from_other_files() {
        assert_eq!(revision_of("index/451-9f2c41d07be3a865.sqlite"), Some(451));
        for other in
            ["index/current.json", "index/shards/3-of-16.sqlite", "index/x-9f2c41d07be3a865.sqlite", "index/1-2.sqlite"]
        {
            assert_eq!(revision_of(other), None, "{other}");
        }
    }
}
