//! From a release to a data folder: list the source, check and convert every scan, write its voxels to the store and
//! then, in one transaction, what is known of it to the index. Scans that are there already are skipped, so an import
//! that was ended at any moment is simply run again.

mod budget;
mod convert;
pub mod demo;
mod destination;
mod grid;
mod index_target;
mod labels;
mod lock;
mod merge;
mod remove;
mod report;
mod source;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use crate::formats::tables;
use crate::formats::tables::{GradingsTable, OverviewTable, TableError};
use crate::index::{Imported, IndexError, Writer};
use crate::snapshots::{ImportShard, SnapshotError};
use crate::spider::{PatientId, ScanId, splits};
use crate::store::{GroupName, Store, StoreError};
use budget::MemoryBudget;
use convert::{Pair, convert};
use index_target::IndexTarget;

pub use convert::ScanError;
pub use destination::Destination;
pub use labels::MaskError;
pub use merge::{Finished, finish};
pub use remove::{Removed, remove};
pub use report::{Outcome, Report};
pub use source::{GRADINGS, OVERVIEW, Source, SourceError, SourceFile};

/// How an import is run.
#[derive(Debug, Clone, Copy)]
pub struct ImportOptions {
    /// Scans converted at once.
    pub jobs: usize,
    /// Convert scans that are there already too, which repairs damaged ones.
    pub again: bool,
    /// Compare the checksums of files that seem unchanged by length and time.
    pub verify: bool,
    /// Remove scans whose files are no longer in the source.
    pub prune: bool,
    /// Memory that the scans being converted may take together, in bytes.
    pub memory_bytes: u64,
}

/// What happens during an import, for a progress bar.
#[derive(Debug)]
pub enum Event<'a> {
    /// So much is to be read.
    Planned {
        /// Scans that are not there yet.
        scans: usize,
        /// Bytes of their source files.
        bytes: u64,
    },
    /// A scan is finished, one way or the other.
    Finished {
        /// Which.
        scan: ScanId,
        /// Bytes of its source files.
        bytes: u64,
        /// How it went.
        outcome: &'a Outcome,
    },
}

/// An import cannot be done at all. Single scans that cannot be imported are in the [`Report`] instead.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The data folder cannot be made.
    #[error("could not make the data folder {folder}; choose one that you may write to")]
    Folder {
        /// Which.
        folder: String,
        /// Why.
        source: std::io::Error,
    },
    /// Another import is at work there.
    #[error("another import is changing {folder}; run this one again when it has ended")]
    Busy {
        /// Where.
        folder: String,
    },
    /// Scans that are to be removed are not there.
    #[error("there is nothing of {} here, so nothing was removed; /v1/scans lists the scans", joined(.0))]
    UnknownScans(Vec<ScanId>),
    /// A table cannot be used.
    #[error("could not read {table}")]
    Table {
        /// Which.
        table: &'static str,
        /// Why.
        source: TableError,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index cannot be used.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The index cannot be fetched or published.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

fn joined(scans: &[ScanId]) -> String {
    scans.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Imports `source` into the folder `data`. Must not be called from an async thread; `runtime` drives its reads and writes.
///
/// # Errors
/// [`ImportError`] when nothing can be imported.
pub fn run(
    source: &Source,
    data: &Path,
    options: ImportOptions,
    runtime: &Handle,
    on_event: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Report, ImportError> {
    run_into(source, &Destination::folder(data), options, runtime, on_event)
}

/// Imports `source`, or the part of it that the destination names. As [`run`].
///
/// # Errors
/// [`ImportError`] when nothing can be imported, or when the index cannot be published.
pub fn run_into(
    source: &Source,
    destination: &Destination,
    options: ImportOptions,
    runtime: &Handle,
    on_event: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Report, ImportError> {
    let unusable = |table| move |source| ImportError::Table { table, source };
    let overview = tables::read_overview(&source.overview).map_err(unusable(OVERVIEW))?;
    let gradings = tables::read_gradings(&source.gradings).map_err(unusable(GRADINGS))?;

    let store = destination.open_store()?;
    let home = runtime.block_on(IndexTarget::open(&store, destination))?;
    let mut writer = runtime.block_on(home.writer())?;
    runtime.block_on(replace_tables(&mut writer, source, &overview, &gradings))?;
    let mut imported = runtime.block_on(writer.imported())?;
    imported.extend(home.imported_elsewhere().filter(|(scan, _)| !imported.contains_key(scan)).collect::<Vec<_>>());

    let mut report = Report::new(source, &overview, &gradings, &imported);
    report.gone.retain(|scan| destination.part.is_none_or(|part| part.takes(*scan)));
    let pairs = plan(source, &mut report, &imported, options, destination.part);
    on_event(Event::Planned { scans: pairs.len(), bytes: pairs.iter().map(Pair::bytes).sum() });
    let memory = MemoryBudget::new(options.memory_bytes);
    let workshop = ImportContext {
        store,
        writer: Mutex::new(writer),
        home: Mutex::new(home),
        overtaken: AtomicBool::new(false),
        memory,
        imported: &imported,
    };
    for (pair, outcome) in workshop.convert_all(&pairs, options.jobs, runtime, on_event) {
        report.outcomes.insert(pair.scan, outcome);
    }
    let (mut home, mut writer) = (unlocked(workshop.home), unlocked(workshop.writer));
    report.still_served = report.refused().map(|(scan, _)| scan).filter(|scan| imported.contains_key(scan)).collect();
    if options.prune && !report.gone.is_empty() {
        report.removed = std::mem::take(&mut report.gone);
        runtime.block_on(writer.remove_volumes(&report.removed))?;
        let groups = report.removed.iter().filter_map(|scan| Some(group_of(*scan, imported.get(scan)?).path()));
        runtime.block_on(home.delete(&mut writer, groups.collect(), destination.grace))?;
    }
    if let Some(edition) = runtime.block_on(home.prepare(&mut writer))? {
        runtime.block_on(home.publish(edition))?;
    }
    Ok(report)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unlocked<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}

async fn replace_tables(
    writer: &mut Writer,
    source: &Source,
    overview: &OverviewTable,
    gradings: &GradingsTable,
) -> Result<(), IndexError> {
    let mut hash = Sha256::new();
    hash.update(&source.overview);
    hash.update(&source.gradings);
    let sha256 = hex::encode(hash.finalize());
    // The split is drawn over the patients of the whole table, imported or not, so that it never changes.
    let patients: BTreeSet<PatientId> = overview.rows.iter().map(|row| row.scan.patient).collect();
    let patients: Vec<_> = patients.into_iter().collect();
    let splits: Vec<_> = splits::published(&patients).into_iter().collect();
    let rows: Vec<_> = overview.rows.iter().map(|row| (row.scan, &row.metadata)).collect();
    writer.replace_tables(&sha256, &rows, &gradings.gradings, &splits).await
}

fn group_of(scan: ScanId, imported: &Imported) -> GroupName {
    GroupName { scan, revision: imported.revision.clone() }
}

/// Sorts the scans into those to convert and those about which there is nothing to do or nothing that can be done.
fn plan<'a>(
    source: &'a Source,
    report: &mut Report,
    imported: &'a HashMap<ScanId, Imported>,
    options: ImportOptions,
    part: Option<ImportShard>,
) -> Vec<Pair<'a>> {
    let mut pairs = Vec::new();
    let here = |scan| part.is_none_or(|part| part.takes(scan));
    for (&scan, image) in source.images.iter().filter(|(scan, _)| here(**scan)) {
        let Some(mask) = source.masks.get(&scan) else {
            report.refuse(scan, ScanError::NoMask { image: image.name(), scan });
            continue;
        };
        let pair = Pair { scan, image, mask, verified_against: None };
        let seems_unchanged = |known: &&Imported| known.fingerprint == pair.fingerprint() && !options.again;
        match imported.get(&scan).filter(seems_unchanged) {
            None => pairs.push(pair),
            known if options.verify => pairs.push(Pair { verified_against: known, ..pair }),
            Some(_) => drop(report.outcomes.insert(scan, Outcome::Unchanged)),
        }
    }
    let without_image = |scan: &ScanId| !source.images.contains_key(scan) && here(*scan);
    for (&scan, mask) in source.masks.iter().filter(|(scan, _)| without_image(scan)) {
        report.refuse(scan, ScanError::NoImage { mask: mask.name(), scan });
    }
    pairs
}

/// What the threads of an import share.
struct ImportContext<'a> {
    store: Store,
    writer: Mutex<Writer>,
    home: Mutex<IndexTarget>,
    /// Another import has published meanwhile: going on is of no use.
    overtaken: AtomicBool,
    memory: MemoryBudget,
    imported: &'a HashMap<ScanId, Imported>,
}

impl ImportContext<'_> {
    fn convert_all<'p>(
        &self,
        pairs: &'p [Pair<'p>],
        jobs: usize,
        runtime: &Handle,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Vec<(Pair<'p>, Outcome)> {
        let todo = Mutex::new(pairs.iter());
        let next = || lock(&todo).next().filter(|_| !self.overtaken.load(Ordering::Relaxed));
        let (send, receive) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..jobs.clamp(1, pairs.len().max(1)) {
                let send = send.clone();
                scope.spawn(move || {
                    while let Some(pair) = next() {
                        let outcome = self.import(*pair, runtime);
                        on_event(Event::Finished { scan: pair.scan, bytes: pair.bytes(), outcome: &outcome });
                        // The receiver outlives every thread.
                        let _ = send.send((*pair, outcome));
                        self.publish_now_and_then(runtime);
                    }
                });
            }
        });
        drop(send);
        receive.into_iter().collect()
    }

    fn import(&self, pair: Pair<'_>, runtime: &Handle) -> Outcome {
        match self.try_import(pair, runtime) {
            Ok(Some(notes)) => Outcome::Imported { notes },
            Ok(None) => Outcome::Unchanged,
            Err(error) => Outcome::Refused(error),
        }
    }

    /// What is odd about the scan; `None` when there was nothing to do.
    fn try_import(&self, pair: Pair<'_>, runtime: &Handle) -> Result<Option<Vec<String>>, ScanError> {
        let Some(record) = convert(pair, &self.store, runtime, &self.memory)? else { return Ok(None) };
        runtime.block_on(lock(&self.writer).record_volume(&record))?;
        // Only now does nothing refer to the group that this one replaces.
        if let Some(before) = self.imported.get(&pair.scan).filter(|before| before.revision != record.group.revision) {
            let group = group_of(pair.scan, before).path();
            runtime.block_on(lock(&self.home).replaced(group))?;
        }
        Ok(Some(record.notes))
    }

    /// So that a long import shows what it has, and loses little when it is killed. One thread does this; the others go on.
    fn publish_now_and_then(&self, runtime: &Handle) {
        let Ok(mut home) = self.home.try_lock() else { return };
        if !home.is_due() {
            return;
        }
        let prepared = runtime.block_on(home.prepare(&mut lock(&self.writer)));
        let published = prepared.and_then(|edition| edition.map_or(Ok(()), |it| runtime.block_on(home.publish(it))));
        if let Err(error) = published {
            self.overtaken.fetch_or(matches!(error, SnapshotError::LostRace { .. }), Ordering::Relaxed);
            tracing::warn!(error = &error as &dyn std::error::Error, "could not publish the index in between");
        }
    }
}
