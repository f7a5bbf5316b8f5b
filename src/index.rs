//! The index: everything that is known of the data set except the voxels, in one SQLite file. All SQL lives here.
//!
//! [`Writer`] belongs to imports, [`Reader`] to everything that only reads. A reader is queried within a [`ReadTransaction`],
//! which is the index as it was at one moment. Every change increases the revision, which is how a running server learns of it.

mod convert;
mod reader;
mod records;
mod rows;
mod sql;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

pub use reader::{FieldSummary, Group, Histogram, Page, ReadTransaction, Reader, Summary};
pub use records::{CatalogueEntry, DatasetCount, Imported, ScanRow, SliceRow, VolumeFacts, VolumeRecord};
pub use writer::Writer;

use crate::spider::{ScanId, ScanType};

/// The files of `migrations/`: version, description and SQL. Listed here rather than by `sqlx::migrate!`, which would compile
/// SQLite and sqlx a second time, for the macro.
const MIGRATION_FILES: [(i64, &str, &str); 4] = [
    (1, "initial", include_str!("../migrations/0001_initial.sql")),
    (2, "filters", include_str!("../migrations/0002_filters.sql")),
    (3, "sizes", include_str!("../migrations/0003_sizes.sql")),
    (4, "fields", include_str!("../migrations/0004_fields.sql")),
];

/// How the schema came to be.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let migration = |(version, description, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATION_FILES.map(migration).into())
});

/// Name of the index file in a data folder.
const FILE: &str = "index.sqlite";

/// Something about the index failed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is no index.
    #[error("there is no index at {0}; run `sagittal import SOURCE --data {folder}` first", folder = .0.parent().unwrap_or(.0).display())]
    Missing(PathBuf),
    /// An import was ended before it recorded anything.
    #[error("there is nothing in the index {path} yet; run `sagittal import SOURCE --data {folder}`", folder = folder_of(path))]
    Empty {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The operating system does not let this process read the index.
    #[error(
        "could not read the index {path}; the user who runs this program must be able to enter its folder and read it"
    )]
    Forbidden {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what was written.
    #[error(
        "the index {path} is damaged, or is not one; `sagittal import SOURCE --data {folder} --rebuild` makes it anew from the \
         release",
        folder = folder_of(path)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it shows.
        source: sqlx::Error,
    },
    /// The index cannot be opened.
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
    /// The index cannot be brought up to date.
    #[error(
        "could not bring the index {path} up to date; `sagittal import SOURCE --data {folder} --rebuild` makes it anew from the \
         release",
        folder = folder_of(path)
    )]
    Migrate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// The index was written by an older version of this program.
    #[error(
        "the index {path} has schema {found}, this version of sagittal reads schema {wanted}; run `sagittal import SOURCE --data {folder}` with this version to bring it up to date",
        folder = folder_of(path)
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        wanted: i64,
    },
    /// Someone else holds the index, or all connections.
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
    /// The index was written by a newer version of this program.
    #[error(
        "the index {path} was written by a newer version of sagittal (schema {found}; this version has {wanted}); use that version, \
         or make the index anew: `sagittal import SOURCE --data {folder} --rebuild`",
        folder = folder_of(path)
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        wanted: i64,
    },
    /// The index was written by a version of this program with other metadata fields.
    #[error(
        "the index {path} has other metadata fields than this version of sagittal; run `sagittal import SOURCE --data {folder}` \
         with this version, which reads the tables again and converts no scan that has not changed",
        folder = folder_of(path)
    )]
    Fields {
        /// The file.
        path: PathBuf,
    },
    /// A query took longer than the reader allows.
    #[error("the query was cancelled after {} s", .0.as_secs_f64())]
    TooSlow(std::time::Duration),
    /// A query failed.
    #[error("could not read {what} from the index")]
    Read {
        /// What was requested.
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

/// Those for contents that are not what was written: CORRUPT, NOTADB.
const NOT_AN_INDEX: [i32; 2] = [11, 26];
/// That for a statement about tables that are not there.
const GENERIC_ERROR: i32 = 1;

/// The primary result code of an error that SQLite reported.
fn result_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?.parse::<i32>().ok()?;
    Some(code & 0xff)
}

impl IndexError {
    /// What is wrong when the index cannot even be begun to be read.
    fn unreadable(path: &Path, source: sqlx::Error) -> Self {
        let code = result_code(&source);
        let path = path.to_owned();
        match source {
            source if code.is_some_and(|code| LOCKED.contains(&code)) => Self::Busy { path, source },
            source @ sqlx::Error::PoolTimedOut => Self::Busy { path, source },
            sqlx::Error::Io(source) if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Self::Forbidden { path, source }
            }
            // There is no such table: everything is read after the tables are there.
            source if code == Some(GENERIC_ERROR) => Self::Empty { path, source },
            source if code.is_some_and(|code| NOT_AN_INDEX.contains(&code)) => Self::Damaged { path, source },
            source => Self::Unreadable { path, source },
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
            | Self::Newer { .. }
            | Self::Fields { .. }
            | Self::Empty { .. }
            | Self::Forbidden { .. }
            | Self::Damaged { .. }
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

    /// Whether the index is whole, but was written by another version of this program, which an import puts right.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        matches!(self, Self::Schema { .. } | Self::Fields { .. } | Self::Empty { .. })
    }

    /// The same of a copy, as of the place of data that it was fetched from.
    #[must_use]
    pub fn of_copy(self, place: &str) -> Self {
        let path = path_in(Path::new(place));
        match self {
            Self::Empty { source, .. } => Self::Empty { path, source },
            Self::Damaged { source, .. } => Self::Damaged { path, source },
            Self::Migrate { source, .. } => Self::Migrate { path, source },
            Self::Schema { found, wanted, .. } => Self::Schema { path, found, wanted },
            Self::Newer { found, wanted, .. } => Self::Newer { path, found, wanted },
            Self::Fields { .. } => Self::Fields { path },
            other => other,
        }
    }

    /// What SQLite says of a file that is no whole index.
    fn of_damage(path: &Path, source: sqlx::Error) -> Result<Self, sqlx::Error> {
        if result_code(&source).is_some_and(|code| NOT_AN_INDEX.contains(&code)) {
            Ok(Self::Damaged { path: path.to_owned(), source })
        } else {
            Err(source)
        }
    }
}

fn folder_of(path: &Path) -> std::path::Display<'_> {
    path.parent().unwrap_or(path).display()
}

/// The schema that this version of the program writes.
fn schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_file_of_the_migrations_folder_is_listed_as_sqlx_reads_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let on_disk = Migrator::new(&*folder).await.unwrap();
        let facts = |migrator: &Migrator| -> Vec<_> {
            let of = |m: &Migration| (m.version, m.description.clone(), m.migration_type, m.checksum.clone(), m.no_tx);
            migrator.iter().map(of).collect()
        };
        assert_eq!(facts(&MIGRATIONS), facts(&on_disk));
    }
}
