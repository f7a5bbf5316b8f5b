//! Where the index of an import is while it grows, and how others come to see it.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::lock::ImportLock;
use super::{Destination, ImportError};
use crate::index::{Imported, Reader, Writer, path_in};
use crate::snapshots::{ImportShard, Publisher, Scratch, SnapshotError, fetch_newest};
use crate::spider::ScanId;
use crate::store::{DataLocation, GroupName, Store, StoreError};

/// The index of one import.
#[derive(Debug)]
pub(super) struct IndexTarget {
    store: Store,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A file that readers have open: every change is seen at once.
    InPlace { folder: PathBuf, _lock: ImportLock },
    /// A copy of which snapshots are published.
    Published { publisher: Box<Publisher>, every: Duration, last: Instant, obsolete: Vec<String> },
    /// What one worker does, to be merged later.
    Shard { part: ImportShard, scratch: Scratch, imported: HashMap<ScanId, Imported> },
}

/// A copy of the index at one moment.
#[derive(Debug)]
pub(super) struct IndexSnapshot {
    copy: PathBuf,
    revision: u64,
    /// The groups that it refers to.
    groups: BTreeSet<String>,
}

impl IndexTarget {
    pub(super) async fn open(store: &Store, destination: &Destination) -> Result<Self, ImportError> {
        let work = destination.work.as_deref();
        let kind = match (destination.part, &destination.place) {
            (Some(part), place) => {
                let scratch = Scratch::new(place, work)?;
                part.resume(store, scratch.folder()).await?;
                let imported = imported(store, place, work).await?;
                Kind::Shard { part, scratch, imported }
            }
            (None, DataLocation::Folder(folder)) => {
                let lock = ImportLock::take(folder)?;
                if destination.rebuild {
                    set_index_aside(folder)?;
                }
                Kind::InPlace { folder: folder.clone(), _lock: lock }
            }
            (None, DataLocation::Shared(_) | DataLocation::Bucket { .. }) => Kind::Published {
                publisher: Box::new(Publisher::begin(store, work, destination.rebuild).await?),
                every: destination.publish_every,
                last: Instant::now(),
                obsolete: Vec::new(),
            },
        };
        Ok(Self { store: store.clone(), kind })
    }

    /// The folder with the index in it.
    pub(super) fn folder(&self) -> &Path {
        match &self.kind {
            Kind::InPlace { folder, .. } => folder,
            Kind::Published { publisher, .. } => publisher.folder(),
            Kind::Shard { scratch, .. } => scratch.folder(),
        }
    }

    /// Opens the index for changes.
    pub(super) async fn writer(&self) -> Result<Writer, ImportError> {
        let opened = Writer::open(self.folder()).await;
        Ok(opened.map_err(|error| error.of_copy(&self.store.place().to_string()))?)
    }

    /// Scans that a part need not import because the whole has them.
    pub(super) fn imported_elsewhere(&self) -> impl Iterator<Item = (ScanId, Imported)> {
        let imported = match &self.kind {
            Kind::Shard { imported, .. } => Some(imported),
            Kind::InPlace { .. } | Kind::Published { .. } => None,
        };
        imported.into_iter().flatten().map(|(scan, imported)| (*scan, imported.clone()))
    }

    /// The index no longer refers to the group with this path. It is removed when nobody reads it any more.
    pub(super) async fn replaced(&mut self, group: String) -> Result<(), StoreError> {
        match &mut self.kind {
            Kind::InPlace { .. } => self.store.remove_group(&group).await,
            Kind::Published { obsolete, .. } => {
                obsolete.push(group);
                Ok(())
            }
            // The whole still refers to it.
            Kind::Shard { .. } => Ok(()),
        }
    }

    /// Whether it is time to publish what there is.
    pub(super) fn is_due(&self) -> bool {
        matches!(&self.kind, Kind::Published { every, last, .. } if last.elapsed() >= *every)
    }

    /// Copies what is to be published, while nothing is being written; `None` when everyone sees everything already.
    pub(super) async fn prepare(&self, writer: &mut Writer) -> Result<Option<IndexSnapshot>, SnapshotError> {
        let revision = writer.revision().await?;
        match &self.kind {
            Kind::InPlace { .. } => return Ok(None),
            Kind::Published { publisher, .. } if publisher.has_published(revision) => return Ok(None),
            Kind::Published { .. } | Kind::Shard { .. } => {}
        }
        let copy = copy(writer, self.folder()).await?;
        let groups = group_names(&writer.imported().await?).map(|group| group.path()).collect();
        Ok(Some(IndexSnapshot { copy, revision, groups }))
    }

    /// Publishes what was prepared.
    ///
    /// # Errors
    /// [`SnapshotError::LostRace`] when another import was faster, or another [`SnapshotError`].
    pub(super) async fn publish(&mut self, edition: IndexSnapshot) -> Result<(), SnapshotError> {
        match &mut self.kind {
            Kind::InPlace { .. } => Ok(()),
            Kind::Shard { part, .. } => part.publish(&self.store, &edition.copy).await,
            Kind::Published { publisher, last, obsolete, .. } => {
                *last = Instant::now();
                let IndexSnapshot { copy, revision, groups } = edition;
                publisher.publish(&copy, revision, obsolete.clone(), &groups).await?;
                obsolete.clear();
                Ok(())
            }
        }
    }

    /// Publishes what there is, and then deletes groups with all that tells of them: at once in a folder, elsewhere after `grace`,
    /// when servers have adopted the index that does not refer to them.
    pub(super) async fn delete(
        &mut self,
        writer: &mut Writer,
        groups: Vec<String>,
        grace: Duration,
    ) -> Result<(), ImportError> {
        for group in &groups {
            self.replaced(group.clone()).await?;
        }
        if let Some(edition) = self.prepare(writer).await? {
            self.publish(edition).await?;
        }
        if let Kind::Published { publisher, .. } = &self.kind {
            tokio::time::sleep(grace).await;
            publisher.forget(&groups).await?;
        }
        Ok(())
    }

    /// Takes over what parts have done, and publishes it.
    pub(super) async fn absorb(&mut self, writer: &mut Writer, merged: &Path) -> Result<(), ImportError> {
        let before: Vec<_> = group_names(&writer.imported().await?).collect();
        writer.absorb(merged).await?;
        let after = writer.imported().await?;
        for group in before {
            if after.get(&group.scan).is_none_or(|now| now.revision != group.revision) {
                self.replaced(group.path()).await?;
            }
        }
        match self.prepare(writer).await? {
            Some(edition) => Ok(self.publish(edition).await?),
            None => Ok(()),
        }
    }
}

async fn copy(writer: &mut Writer, folder: &Path) -> Result<PathBuf, SnapshotError> {
    let copy = folder.join("copy.sqlite");
    // One that could not be published.
    if let Err(source) = std::fs::remove_file(&copy)
        && source.kind() != std::io::ErrorKind::NotFound
    {
        return Err(SnapshotError::Scratch { folder: copy, source });
    }
    writer.copy_to(&copy).await?;
    Ok(copy)
}

/// What the whole has, without the parts.
async fn imported(
    store: &Store,
    place: &DataLocation,
    work: Option<&Path>,
) -> Result<HashMap<ScanId, Imported>, ImportError> {
    if let DataLocation::Folder(folder) = place {
        return if path_in(folder).is_file() { imported_in(folder).await } else { Ok(HashMap::new()) };
    }
    let scratch = Scratch::new(place, work)?;
    match fetch_newest(store, scratch.folder()).await? {
        Some(_) => imported_in(scratch.folder()).await,
        None => Ok(HashMap::new()),
    }
}

/// An index of an older version of this program says nothing: its scans are imported again.
async fn imported_in(folder: &Path) -> Result<HashMap<ScanId, Imported>, ImportError> {
    match Reader::open(folder).await {
        Ok(reader) => Ok(reader.begin().await?.imported().await?),
        Err(error) if error.is_outdated() => Ok(HashMap::new()),
        Err(error) => Err(error.into()),
    }
}

/// Where an index that `--rebuild` replaces goes, with the journal of a change that was never finished.
fn set_index_aside(folder: &Path) -> Result<(), ImportError> {
    let index = path_in(folder);
    let named = |ending: &str| {
        let mut name = index.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    for (from, to) in [(index.clone(), named(".replaced")), (named("-journal"), named(".replaced-journal"))] {
        match std::fs::rename(&from, to) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(ImportError::Folder { folder: folder.display().to_string(), source });
            }
            _ => {}
        }
    }
    Ok(())
}

fn group_names(imported: &HashMap<ScanId, Imported>) -> impl Iterator<Item = GroupName> {
    imported.iter().map(|(&scan, imported)| GroupName { scan, revision: imported.revision.clone() })
}
