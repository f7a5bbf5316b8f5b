use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::SnapshotError;
use crate::index::path_in;
use crate::spider::ScanId;
use crate::store::{DataLocation, Store, StoreError};

/// Folder of the parts in a store.
const FOLDER: &str = "index/shards";

/// Most workers that can share an import.
const MOST: u32 = 100_000;

/// One worker's share of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImportShard {
    of: u32,
    /// From 1.
    number: u32,
}

/// The parts of an import cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// No worker has finished yet.
    #[error(
        "there are no shards in {place}/{FOLDER}; run `sagittal import --shard 1/N SOURCE --data {place}` and so on first"
    )]
    None {
        /// Where they were looked for.
        place: DataLocation,
    },
    /// Some workers have not finished.
    #[error("of {of} shards, {} are missing: {}; run `import --shard` for these again, then `--merge`", missing.len(), listed(missing))]
    Missing {
        /// Which.
        missing: Vec<ImportShard>,
        /// How many there should be.
        of: u32,
    },
    /// The import was divided in two ways.
    #[error("{place}/{FOLDER} holds shards of divisions into {}; delete the files of all but one", listed(of))]
    Mixed {
        /// Where.
        place: DataLocation,
        /// Into how many.
        of: Vec<u32>,
    },
    /// A worker had other tables than the rest.
    #[error(
        "shard {part} was made from other tables than shard {first}; give every worker the same release, and run it again"
    )]
    Tables {
        /// The odd one.
        part: ImportShard,
        /// The one that it was held against.
        first: ImportShard,
    },
}

fn listed(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for ImportShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for ImportShard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, of) = text.split_once('/').unwrap_or((text, ""));
        match (number.parse(), of.parse()) {
            (Ok(number), Ok(of)) if (1..=of).contains(&number) && of <= MOST => Ok(Self { of, number }),
            _ => Err(format!("give part and number of parts, from 1/1 to {MOST}/{MOST}, as in 3/16")),
        }
    }
}

impl ImportShard {
    /// Whether this part imports a scan: each scan belongs to exactly one part, whatever else the release holds.
    #[must_use]
    pub fn takes(self, scan: ScanId) -> bool {
        let hash = Sha256::digest(scan.to_string().as_bytes());
        let digits = hash.iter().take(8).fold(0, |digits, &byte| (digits << 8) | u64::from(byte));
        digits % u64::from(self.of) == u64::from(self.number - 1)
    }

    fn path(self) -> String {
        format!("{FOLDER}/{}-of-{}.sqlite", self.number, self.of)
    }

    fn of_path(path: &str) -> Option<Self> {
        let name = path.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".sqlite")?;
        name.replacen("-of-", "/", 1).parse().ok().filter(|part: &Self| part.path() == path)
    }

    /// Fetches what this part did before into a folder, if it was finished once.
    ///
    /// # Errors
    /// [`SnapshotError::Store`].
    pub async fn resume(self, store: &Store, folder: &Path) -> Result<(), SnapshotError> {
        match all(store).await?.get(&self) {
            Some(bytes) => FinishedShard { part: self, bytes: *bytes }.fetch(store, folder).await,
            None => Ok(()),
        }
    }

    /// Publishes what this part did.
    ///
    /// # Errors
    /// [`SnapshotError::Store`].
    pub async fn publish(self, store: &Store, copy: &Path) -> Result<(), SnapshotError> {
        Ok(store.upload(copy, &self.path()).await?)
    }
}

/// A part that a worker has finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinishedShard {
    /// Which.
    pub part: ImportShard,
    bytes: u64,
}

impl FinishedShard {
    /// Fetches its index into a folder.
    ///
    /// # Errors
    /// [`SnapshotError::Store`].
    pub async fn fetch(self, store: &Store, folder: &Path) -> Result<(), SnapshotError> {
        store.download(&self.part.path(), self.bytes, &path_in(folder)).await?;
        Ok(())
    }

    /// Deletes it.
    ///
    /// # Errors
    /// [`SnapshotError::Store`].
    pub async fn delete(self, store: &Store) -> Result<(), SnapshotError> {
        Ok(store.delete(&self.part.path()).await?)
    }
}

/// Every part of an import, in order, once all of them are finished.
///
/// # Errors
/// [`ShardError`] when they are not those of one import, [`SnapshotError::Store`].
pub async fn finished_parts(store: &Store) -> Result<Vec<FinishedShard>, SnapshotError> {
    Ok(complete(&all(store).await?, store.place())?)
}

async fn all(store: &Store) -> Result<BTreeMap<ImportShard, u64>, StoreError> {
    let files = store.files_under(FOLDER).await?;
    Ok(files.into_iter().filter_map(|(path, bytes)| Some((ImportShard::of_path(&path)?, bytes))).collect())
}

fn complete(found: &BTreeMap<ImportShard, u64>, place: &DataLocation) -> Result<Vec<FinishedShard>, ShardError> {
    let divisions: BTreeSet<u32> = found.keys().map(|part| part.of).collect();
    let of = match divisions.iter().copied().collect::<Vec<_>>()[..] {
        [] => return Err(ShardError::None { place: place.clone() }),
        [of] => of,
        ref several => return Err(ShardError::Mixed { place: place.clone(), of: several.to_vec() }),
    };
    let missing: Vec<_> =
        (1..=of).map(|number| ImportShard { of, number }).filter(|part| !found.contains_key(part)).collect();
    if missing.is_empty() {
        Ok(found.iter().map(|(&part, &bytes)| FinishedShard { part, bytes }).collect())
    } else {
        Err(ShardError::Missing { missing, of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(parts: &[&str]) -> BTreeMap<ImportShard, u64> {
        parts.iter().map(|part| (part.parse().unwrap(), 1)).collect()
    }

    #[test]
    fn parts_are_read_and_nothing_else_is() {
        for text in ["1/1", "3/16", "16/16"] {
            assert_eq!(text.parse::<ImportShard>().unwrap().to_string(), text);
        }
        for text in ["", "3", "0/4", "5/4", "-1/4", "1/0", "1/200000", "a/b", "1/2/3"] {
            assert!(text.parse::<ImportShard>().is_err(), "{text}");
        }
        assert_eq!(ImportShard::of_path("index/shards/3-of-16.sqlite"), Some("3/16".parse().unwrap()));
        for path in ["index/shards/03-of-16.sqlite", "index/shards/3-of-16.sqlite.part", "index/3-of-16.sqlite"] {
            assert_eq!(ImportShard::of_path(path), None, "{path}");
        }
    }

    #[test]
    fn every_scan_belongs_to_exactly_one_part_and_parts_are_alike() {
        for of in [2u32, 7, 16] {
            let parts: Vec<ImportShard> = (1..=of).map(|number| ImportShard { of, number }).collect();
            let mut taken = vec![0; of as usize];
            for patient in 1..=800 {
                for kind in ["t1", "t2"] {
                    let scan: ScanId = format!("{patient}_{kind}").parse().unwrap();
                    let takers: Vec<_> = parts.iter().filter(|part| part.takes(scan)).collect();
                    assert_eq!(takers.len(), 1);
                    taken[takers[0].number as usize - 1] += 1;
                }
            }
            let fair = 1600 / of;
            assert!(taken.iter().all(|&count| (fair * 2 / 3..=fair * 3 / 2).contains(&count)), "{taken:?}");
        }
    }

    #[test]
    fn what_is_missing_or_mixed_is_named() {
        let place = DataLocation::Folder("data".into());
        assert_eq!(complete(&found(&["1/2", "2/2"]), &place).unwrap().len(), 2);
        assert!(matches!(complete(&found(&[]), &place), Err(ShardError::None { .. })));
        let missing = complete(&found(&["2/4", "3/4"]), &place).unwrap_err().to_string();
        assert!(missing.contains("1/4, 4/4"), "{missing}");
        let mixed = complete(&found(&["1/2", "2/2", "1/3"]), &place).unwrap_err().to_string();
        assert!(mixed.contains("into 2, 3"), "{mixed}");
    }
}
