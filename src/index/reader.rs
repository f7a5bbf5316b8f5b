mod answers;
mod recovery;
mod statistics;
mod whole;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, SqlitePool};

use super::convert::Columns;
use super::records::{CatalogueEntry, DatasetCount, Imported, ScanRow, SliceRow};
use super::rows::{IMPORTED, catalogue_entry, grading, imported, quantiles, scan_row, slice_label, volume_label};
use super::{IndexError, MIGRATIONS, path_in, patient_keys, scan_key};
use crate::spider::{Grading, PatientId, ScanId};
use crate::store::GroupName;
use crate::volume::VolumeLabel;

pub use answers::Page;
pub use statistics::{FieldSummary, Group, Histogram, Summary};

/// How long a question waits for an import's commit.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a question about tables may take, when nothing else is said.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Of the index file, to be read without copying.
const MAPPED_BYTES: &str = "8589934592";

/// Questions that may run at once.
const CONNECTIONS: u32 = 8;

/// Answers questions; cannot change anything. Clones share the index that is read, also when it is replaced.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: Arc<RwLock<SqlitePool>>,
    path: Arc<Path>,
    /// What a question about tables may take.
    time_limit: Duration,
}

/// Connections of which each begins without the deadline that a question left behind for which nobody waited to the end.
fn connections() -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(CONNECTIONS).before_acquire(|connection, _| {
        Box::pin(async {
            connection.lock_handle().await?.remove_progress_handler();
            Ok(true)
        })
    })
}

const SCAN_COLUMNS: &str = "SELECT scan_id, split, cells, revision, image_sha256, mask_sha256, element_type, mask_element_type,
    source_geometry, source_axis_codes, value_min, value_max, value_mean, auto_low, auto_high, histogram, best_slice, bytes,
    notes FROM scans LEFT JOIN scan_cells USING (scan_key) LEFT JOIN volumes USING (scan_key)";

impl Reader {
    /// Opens the index of a data folder.
    ///
    /// # Errors
    /// [`IndexError::Missing`] when there is none, [`IndexError::Open`] when it cannot be opened,
    /// [`IndexError::Interrupted`] as of [`Reader::undo_interrupted_change`].
    pub async fn open(data: &Path) -> Result<Self, IndexError> {
        let path = path_in(data);
        if !path.is_file() {
            return Err(IndexError::Missing(path));
        }
        recovery::undo_interrupted_change(&path).await?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .read_only(true)
            .pragma("mmap_size", MAPPED_BYTES)
            .journal_mode(SqliteJournalMode::Delete)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = connections().connect_with(options).await;
        Self::over(pool, path).await
    }

    /// Opens a copy of an index that nobody changes. All connections are opened at once and kept, so that the file may be
    /// removed as soon as this returns: its contents stay until the last connection is closed.
    ///
    /// # Errors
    /// [`IndexError`] when the file is no index of this version.
    pub async fn open_copy(path: &Path) -> Result<Self, IndexError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .immutable(true)
            .pragma("mmap_size", MAPPED_BYTES);
        let pool = connections().idle_timeout(None).max_lifetime(None).connect_with(options).await;
        let reader = Self::over(pool, path.to_owned()).await?;
        let pool = reader.pool();
        let open = |source| IndexError::Open { path: path.to_owned(), source };
        let all = futures_util::future::try_join_all((0..CONNECTIONS).map(|_| pool.acquire())).await.map_err(open)?;
        drop(all);
        Ok(reader)
    }

    async fn over(pool: sqlx::Result<SqlitePool>, path: PathBuf) -> Result<Self, IndexError> {
        let pool = pool.map_err(|source| IndexError::Open { path: path.clone(), source })?;
        let reader = Self { pool: Arc::new(RwLock::new(pool)), path: path.as_path().into(), time_limit: TIME_LIMIT };
        reader.check_schema(path).await?;
        reader.revision().await?;
        Ok(reader)
    }

    /// Reads the index of `other` from now on, in every clone. Questions that are being answered end on the one before.
    pub fn replace_with(&self, other: &Self) {
        let pool = other.pool();
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = pool;
    }

    /// Whether a copy has lost connections, which a removed file cannot give back.
    #[must_use]
    pub fn is_worn(&self) -> bool {
        self.pool().size() < CONNECTIONS
    }

    fn pool(&self) -> SqlitePool {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same reader with another limit for questions about tables.
    #[must_use]
    pub fn within(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    async fn check_schema(&self, path: PathBuf) -> Result<(), IndexError> {
        let newest = sqlx::query("SELECT coalesce(max(version), 0) AS version FROM _sqlx_migrations");
        let rows = self.all("the schema", newest).await?;
        let found = rows.first().map_or(Ok(0), |row| Columns(row).get("version"))?;
        let wanted = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        if found == wanted { Ok(()) } else { Err(IndexError::Schema { path, found, wanted }) }
    }

    /// Grows with every change.
    ///
    /// # Errors
    /// [`IndexError::Read`].
    pub async fn revision(&self) -> Result<u64, IndexError> {
        let row = sqlx::query("SELECT revision FROM state").fetch_one(&self.pool()).await;
        Columns(&row.map_err(|source| IndexError::Read { what: "the revision", source })?).count("revision")
    }

    /// The scans whose volumes are in the index.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn imported(&self) -> Result<HashMap<ScanId, Imported>, IndexError> {
        self.all("the imported scans", sqlx::query(IMPORTED)).await?.iter().map(imported).collect()
    }

    /// Checksum of the two tables of the release, once they were imported.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn tables_sha256(&self) -> Result<Option<String>, IndexError> {
        let rows = self.all("the state", sqlx::query("SELECT tables_sha256 FROM state")).await?;
        rows.first().map_or(Ok(None), |row| Columns(row).get("tables_sha256"))
    }

    /// Everything pictures need, of every imported scan.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn catalogue(&self) -> Result<Vec<CatalogueEntry>, IndexError> {
        let sql = "SELECT scan_id, revision, element_type, source_geometry, value_min, value_max, auto_low, auto_high,
            window_center, window_width, best_slice FROM volumes JOIN scans USING (scan_key) ORDER BY scan_key";
        self.all("the catalogue", sqlx::query(sql)).await?.iter().map(catalogue_entry).collect()
    }

    /// The value below which `per_mille` thousandths of a scan's voxels lie, stored units; `None` when the index does not, or
    /// no longer, refer to this group.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn quantiles(&self, group: &GroupName) -> Result<Option<Vec<f64>>, IndexError> {
        let query = sqlx::query("SELECT quantiles FROM volumes WHERE scan_key = ? AND revision = ?")
            .bind(scan_key(group.scan))
            .bind(group.revision.to_string());
        let rows = self.all("the quantiles", query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        quantiles(&Columns(row)).map(Some)
    }

    /// How many scans, volumes and slices there are, by split and scan type.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn counts(&self) -> Result<Vec<DatasetCount>, IndexError> {
        let sql = "SELECT split, scan_type, count(*) AS scans, count(slices) AS volumes,
            coalesce(sum(slices), 0) AS slices FROM scans GROUP BY split, scan_type ORDER BY split, min(scan_key & 3)";
        let rows = self.all("the counts", sqlx::query(sql)).await?;
        let count = |row| {
            let columns = Columns(row);
            Ok(DatasetCount {
                split: columns.split("split")?,
                scan_type: columns.parsed("scan_type")?,
                scans: columns.count("scans")?,
                volumes: columns.count("volumes")?,
                slices: columns.count("slices")?,
            })
        };
        rows.iter().map(count).collect()
    }

    /// One scan, if the index knows it.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn scan(&self, scan: ScanId) -> Result<Option<ScanRow>, IndexError> {
        // Safe: a constant.
        let sql = AssertSqlSafe(format!("{SCAN_COLUMNS} WHERE scan_key = ?"));
        let rows = self.all("a scan", sqlx::query(sql).bind(scan_key(scan))).await?;
        rows.first().map(scan_row).transpose()
    }

    /// The scans of one patient, in their natural order.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn scans_of(&self, patient: PatientId) -> Result<Vec<ScanRow>, IndexError> {
        let (first, last) = patient_keys(patient);
        // Safe: a constant.
        let sql = AssertSqlSafe(format!("{SCAN_COLUMNS} WHERE scan_key BETWEEN ? AND ? ORDER BY scan_key"));
        self.all("a patient's scans", sqlx::query(sql).bind(first).bind(last)).await?.iter().map(scan_row).collect()
    }

    /// Every scan's patient with the subset that the table gives the scan.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn subsets(&self) -> Result<Vec<(PatientId, Option<String>)>, IndexError> {
        // Scans without a row in the table belong to no split.
        let query =
            sqlx::query("SELECT patient_id, orig_subset FROM scans JOIN patients USING (patient_id) ORDER BY scan_key");
        let row = |row| {
            let columns = Columns(row);
            Ok((PatientId(columns.count("patient_id")? as u32), columns.get("orig_subset")?))
        };
        self.all("the subsets", query).await?.iter().map(row).collect()
    }

    /// A patient's gradings, lowest disc first.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn gradings(&self, patient: PatientId) -> Result<Vec<Grading>, IndexError> {
        let query = sqlx::query("SELECT * FROM gradings WHERE patient_id = ? ORDER BY level").bind(patient.0);
        self.all("the gradings", query).await?.iter().map(grading).collect()
    }

    /// Every slice of a scan with its labels; empty for a scan without a volume.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn slices(&self, scan: ScanId) -> Result<Vec<SliceRow>, IndexError> {
        let key = scan_key(scan);
        let query =
            sqlx::query("SELECT slice, labelled_pixels FROM slices WHERE scan_key = ? ORDER BY slice").bind(key);
        let rows = self.all("the slices", query).await?;
        let slice = |row| {
            let columns = Columns(row);
            let (slice, labelled_pixels) = (columns.index("slice")?, columns.count("labelled_pixels")?);
            Ok(SliceRow { slice, labelled_pixels, labels: Vec::new() })
        };
        let mut slices: Vec<SliceRow> = rows.iter().map(slice).collect::<Result<_, IndexError>>()?;
        let query = sqlx::query("SELECT * FROM slice_labels WHERE scan_key = ? ORDER BY slice, label").bind(key);
        for label in self.all("the labels of slices", query).await?.iter().map(slice_label) {
            let label = label?;
            if let Some(row) = slices.get_mut(label.slice) {
                row.labels.push(label);
            }
        }
        Ok(slices)
    }

    /// The labels of a scan.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn labels(&self, scan: ScanId) -> Result<Vec<VolumeLabel>, IndexError> {
        let query = sqlx::query("SELECT * FROM scan_labels WHERE scan_key = ? ORDER BY label").bind(scan_key(scan));
        self.all("the labels of a scan", query).await?.iter().map(volume_label).collect()
    }

    async fn all(
        &self,
        what: &'static str,
        query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<Vec<SqliteRow>, IndexError> {
        query.fetch_all(&self.pool()).await.map_err(|source| IndexError::Read { what, source })
    }
}
