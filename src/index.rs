//! The index: everything that is known of the data set except the voxels, in one SQLite file. All SQL lives here.
//!
//! [`Writer`] belongs to imports, [`Reader`] to everything that only reads. A reader is asked within a [`ReadTransaction`],
//! which is the index as it was at one moment. Every change increases the revision, which is how a running server learns of it.

mod convert;
mod reader;
mod records;
mod rows;
mod sql;
mod writer;

use std::path::{Path, PathBuf};

use sqlx::migrate::Migrator;

pub use reader::{FieldSummary, Group, Histogram, Page, ReadTransaction, Reader, Summary};
pub use records::{CatalogueEntry, DatasetCount, Imported, ScanRow, SliceRow, VolumeFacts, VolumeRecord};
pub use writer::Writer;

use crate::spider::{ScanId, ScanType};

/// How the schema came to be.
static MIGRATIONS: Migrator = sqlx::migrate!();

/// Name of the index file in a data folder.
const FILE: &str = "index.sqlite";

/// Something about the index failed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is no index.
    #[error("there is no index at {0}; run `sagittal import SOURCE --data {folder}` first", folder = .0.parent().unwrap_or(.0).display())]
    Missing(PathBuf),
    /// The index cannot be opened or brought up to date.
    #[error("could not open the index {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// An import was killed in the middle of a change, and the change cannot be undone.
    #[error(
        "an import was killed while it changed the index {path}, and the change cannot be undone; run `sagittal import` again, or let this program write to the folder"
    )]
    Interrupted {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The index cannot be opened for writing, or made.
    #[error("could not open or make the index {path} for writing; choose a data folder that you may write to")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The index is of another version of this program.
    #[error(
        "could not bring the index {path} up to date; you may not be allowed to write to it, or it comes from a newer version of sagittal"
    )]
    Migrate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// The index was written by another version of this program.
    #[error(
        "the index {path} has schema {found}, this version of sagittal reads schema {wanted}; run `sagittal import SOURCE --data {folder}` with this version to bring it up to date",
        folder = .path.parent().unwrap_or(.path).display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        wanted: i64,
    },
    /// Somebody else holds the index, or all connections.
    #[error("the index {path} is locked")]
    Busy {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The index was opened, and cannot be read any more.
    #[error("the index {path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// A question took longer than the reader allows.
    #[error("the question was cancelled after {} s", .0.as_secs_f64())]
    TooSlow(std::time::Duration),
    /// A question failed.
    #[error("could not read {what} from the index")]
    Read {
        /// What was asked for.
        what: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// A change failed.
    #[error("could not write {what} to the index")]
    Write {
        /// What was to be written.
        what: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// The index holds something that no version of this program writes.
    #[error("the index holds an unusable {what} ({value}); import again into an empty data folder")]
    Unusable {
        /// What.
        what: &'static str,
        /// What is there.
        value: String,
    },
}

/// SQLite's primary result codes for an index that another process holds.
const LOCKED: [i32; 2] = [5, 6];
/// Those for a file that is damaged, cut short, no index at all, or out of reach: PERM, IOERR, CORRUPT, CANTOPEN, NOTADB.
const DAMAGED: [i32; 5] = [3, 10, 11, 14, 26];

/// The primary result code of an error that SQLite reported.
fn result_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?.parse::<i32>().ok()?;
    Some(code & 0xff)
}

impl IndexError {
    /// What is wrong when the index cannot even be begun to be read.
    fn unreadable(path: &Path, source: sqlx::Error) -> Self {
        let is_locked = result_code(&source).is_some_and(|code| LOCKED.contains(&code));
        let path = path.to_owned();
        if is_locked || matches!(source, sqlx::Error::PoolTimedOut) {
            Self::Busy { path, source }
        } else {
            Self::Unreadable { path, source }
        }
    }

    /// Whether the index as a whole cannot be read at the moment, and not only this query of it.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Missing(_)
            | Self::Open { .. }
            | Self::Interrupted { .. }
            | Self::Schema { .. }
            | Self::Busy { .. }
            | Self::Unreadable { .. } => true,
            Self::Read { source, .. } => {
                result_code(source).is_some_and(|code| LOCKED.contains(&code) || DAMAGED.contains(&code))
            }
            Self::Unwritable { .. }
            | Self::Migrate { .. }
            | Self::TooSlow(_)
            | Self::Write { .. }
            | Self::Unusable { .. } => false,
        }
    }
}

/// Path of the index of a data folder.
#[must_use]
pub fn path_in(data: &Path) -> PathBuf {
    data.join(FILE)
}

/// Key of a scan: the natural order of scans (by patient number, then t1, t2, t2_SPACE), the same in every import.
fn scan_key(scan: ScanId) -> i64 {
    4 * i64::from(scan.patient.0) + scan.scan_type as i64
}

/// The reverse of [`scan_key`].
fn scan_of(key: i64) -> Option<ScanId> {
    let scan_type = *ScanType::ALL.get(usize::try_from(key & 3).ok()?)?;
    Some(ScanId { patient: crate::spider::PatientId(u32::try_from(key >> 2).ok()?), scan_type })
}

/// The smallest and the largest key of a patient's scans.
fn patient_keys(patient: crate::spider::PatientId) -> (i64, i64) {
    let key = |scan_type| scan_key(ScanId { patient, scan_type });
    (key(ScanType::T1), key(ScanType::T2Space))
}
