mod derived;
mod fields;
mod merge;
mod remove;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Sqlite, Transaction};

use super::convert::{Columns, geometry_to_json};
use super::records::{Imported, VolumeRecord};
use super::rows::{IMPORTED, imported};
use super::{IndexError, path_in, scan_key, schema};
use crate::spider::{FIELDS, Grading, Metadata, PatientId, ScanId, Split, Value, fields_digest};
use crate::volume::{Grid, Orientation};

/// How long a change waits for another process's change or query to end.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Gives the index its next revision: the time, in milliseconds since 1970, as long as that is larger than the last one. So a
/// data folder that is made anew, or goes on from a copy, never says that it is what another one was.
const GROW: &str = "UPDATE state SET revision = max(revision + 1, CAST(unixepoch('subsec') * 1000 AS INTEGER))";

/// The tables with rows of a volume.
const VOLUME_ROWS: [&str; 5] = ["volumes", "slices", "slice_labels", "scan_labels", "discs"];

/// Changes the index. Each change is one transaction.
#[derive(Debug)]
pub struct Writer {
    connection: SqliteConnection,
    path: PathBuf,
}

type Change<'a> = Transaction<'a, Sqlite>;

impl Writer {
    /// Opens the index of a data folder; makes it, or brings its schema up to date, first.
    ///
    /// # Errors
    /// [`IndexError::Unwritable`], [`IndexError::Damaged`], [`IndexError::Newer`] or [`IndexError::Migrate`].
    pub async fn open(data: &Path) -> Result<Self, IndexError> {
        let path = path_in(data);
        // A rollback journal: finished, the index is one file that a read-only folder can serve.
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Delete)
            // Also the removal of the journal, which is what commits, is on the disk before anything that a commit allows, such as
            // the deletion of voxels that nothing refers to any more.
            .synchronous(SqliteSynchronous::Extra)
            .busy_timeout(BUSY_TIMEOUT);
        let unopened = |source| {
            IndexError::of_damage(&path, source)
                .unwrap_or_else(|source| IndexError::Unwritable { path: path.clone(), source })
        };
        let mut connection = options.connect().await.map_err(unopened)?;
        let migrated = crate::index::MIGRATIONS.run(&mut connection).await;
        migrated.map_err(|error| unmigrated(&path, error))?;
        let mut writer = Self { connection, path };
        writer.place_labels().await?;
        Ok(writer)
    }

    fn unread(&self, what: &'static str, source: sqlx::Error) -> IndexError {
        IndexError::of_damage(&self.path, source).unwrap_or_else(|source| IndexError::Read { what, source })
    }

    fn unwritten(&self, what: &'static str, source: sqlx::Error) -> IndexError {
        IndexError::of_damage(&self.path, source).unwrap_or_else(|source| IndexError::Write { what, source })
    }

    /// Grows with every change, and differs between data folders: the time of the last change in milliseconds since 1970, or
    /// one more than before if the clock did not move on. 0 before the first.
    ///
    /// # Errors
    /// [`IndexError::Read`].
    pub async fn revision(&mut self) -> Result<u64, IndexError> {
        let row = sqlx::query("SELECT revision FROM state").fetch_one(&mut self.connection).await;
        Columns(&row.map_err(|source| self.unread("the revision", source))?).count("revision")
    }

    /// Writes everything that is in the index at this moment as one new file.
    ///
    /// # Errors
    /// [`IndexError::Write`], also when there is a file already.
    pub async fn copy_to(&mut self, path: &Path) -> Result<(), IndexError> {
        let copied = sqlx::query("VACUUM INTO ?").bind(path.to_string_lossy()).execute(&mut self.connection).await;
        copied.map(drop).map_err(|source| self.unwritten("a copy of the index", source))
    }

    /// The scans whose volumes are in the index.
    ///
    /// # Errors
    /// [`IndexError::Read`].
    pub async fn imported(&mut self) -> Result<HashMap<ScanId, Imported>, IndexError> {
        let rows = sqlx::query(IMPORTED).fetch_all(&mut self.connection).await;
        rows.map_err(|source| self.unread("the imported scans", source))?.iter().map(imported).collect()
    }

    /// Replaces the contents of both tables. Volumes stay. Does nothing when the index has tables with this checksum, read with
    /// the metadata fields of this version.
    ///
    /// # Errors
    /// [`IndexError::Write`]; nothing is changed then.
    pub async fn replace_tables(
        &mut self,
        sha256: &str,
        overview: &[(ScanId, &Metadata)],
        gradings: &[Grading],
        splits: &[(PatientId, Split)],
    ) -> Result<(), IndexError> {
        let replaced = async {
            let mut change = self.connection.begin().await?;
            let known: (Option<String>, Option<String>) =
                sqlx::query_as("SELECT tables_sha256, fields FROM state").fetch_one(&mut *change).await?;
            let fields = fields_digest();
            if known == (Some(sha256.to_owned()), Some(fields.clone())) {
                return Ok(());
            }
            fields::align(&mut change).await?;
            clear_tables(&mut change).await?;
            for (scan, metadata) in overview {
                upsert_scan(&mut change, *scan, metadata).await?;
            }
            insert_gradings(&mut change, gradings).await?;
            insert_splits(&mut change, splits).await?;
            derived::renew(&mut change).await?;
            let state = sqlx::query("UPDATE state SET tables_sha256 = ?, fields = ?").bind(sha256).bind(fields);
            state.execute(&mut *change).await?;
            finish(change).await
        };
        let replaced = replaced.await;
        replaced.map_err(|source| self.unwritten("the tables", source))
    }

    /// Makes one scan visible, with its slices and labels; replaces what was there of it.
    ///
    /// # Errors
    /// [`IndexError::Write`]; nothing is changed then.
    pub async fn record_volume(&mut self, record: &VolumeRecord) -> Result<(), IndexError> {
        let recorded = async {
            let mut change = self.connection.begin().await?;
            let key = scan_key(record.group.scan);
            insert_scan_if_missing(&mut change, record.group.scan).await?;
            derived::count_label_pixels(&mut change, key, -1).await?;
            for table in VOLUME_ROWS {
                // Safe: the names are constants.
                let delete = AssertSqlSafe(format!("DELETE FROM {table} WHERE scan_key = ?"));
                sqlx::query(delete).bind(key).execute(&mut *change).await?;
            }
            insert_volume(&mut change, key, record).await?;
            insert_labels(&mut change, key, record).await?;
            derived::count_label_pixels(&mut change, key, 1).await?;
            derived::join_discs(&mut change, Some(key)).await?;
            finish(change).await
        };
        let recorded = recorded.await;
        recorded.map_err(|source| self.unwritten("a scan", source))
    }
}

fn unmigrated(path: &Path, error: MigrateError) -> IndexError {
    let path = path.to_owned();
    match error {
        // One that this version does not know.
        MigrateError::VersionMissing(found) => IndexError::Newer { path, found, wanted: schema() },
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
            IndexError::of_damage(&path, source)
                .unwrap_or_else(|source| IndexError::Migrate { path, source: MigrateError::Execute(source) })
        }
        source => IndexError::Migrate { path, source },
    }
}

/// Every change ends here, so that none is overlooked.
async fn finish(mut change: Change<'_>) -> sqlx::Result<()> {
    sqlx::query(GROW).execute(&mut *change).await?;
    change.commit().await
}

/// Removes everything that came from the tables. Scans with a volume keep a bare row.
async fn clear_tables(change: &mut Change<'_>) -> sqlx::Result<()> {
    for table in ["gradings", "patients", "scan_cells"] {
        // Safe: the names are the three literals above.
        sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(&mut **change).await?;
    }
    let without_volume = "DELETE FROM scans WHERE scan_key NOT IN (SELECT scan_key FROM volumes)";
    sqlx::query(without_volume).execute(&mut **change).await?;
    let columns: Vec<_> = FIELDS.iter().map(|field| format!("{} = NULL", field.name)).collect();
    // Safe: the names are those of FIELDS.
    let clear = AssertSqlSafe(format!("UPDATE scans SET {}", columns.join(", ")));
    sqlx::query(clear).execute(&mut **change).await.map(drop)
}

async fn insert_scan_if_missing(change: &mut Change<'_>, scan: ScanId) -> sqlx::Result<()> {
    let insert = "INSERT OR IGNORE INTO scans (scan_key, scan_id, patient_id, scan_type, split)
        VALUES (?1, ?2, ?3, ?4, (SELECT split FROM patients WHERE patient_id = ?3))";
    sqlx::query(insert)
        .bind(scan_key(scan))
        .bind(scan.to_string())
        .bind(scan.patient.0)
        .bind(scan.scan_type.name())
        .execute(&mut **change)
        .await
        .map(drop)
}

async fn upsert_scan(change: &mut Change<'_>, scan: ScanId, metadata: &Metadata) -> sqlx::Result<()> {
    insert_scan_if_missing(change, scan).await?;
    let columns: Vec<_> = FIELDS.iter().map(|field| format!("{} = ?", field.name)).collect();
    // Safe: the names are those of FIELDS; the values are bound.
    let update = AssertSqlSafe(format!("UPDATE scans SET {} WHERE scan_key = ?", columns.join(", ")));
    let mut query = sqlx::query(update);
    for (_, value, _) in metadata.iter() {
        query = match value {
            None => query.bind(None::<String>),
            Some(Value::Integer(value)) => query.bind(*value),
            Some(Value::Real(value)) => query.bind(*value),
            Some(Value::Text(value)) => query.bind(value.clone()),
            Some(list @ (Value::Reals(_) | Value::Texts(_))) => {
                query.bind(serde_json::to_string(list).unwrap_or_default())
            }
        };
    }
    query.bind(scan_key(scan)).execute(&mut **change).await?;
    let cells: Vec<_> = metadata.iter().map(|(_, _, raw)| raw).collect();
    sqlx::query("INSERT INTO scan_cells VALUES (?, ?)")
        .bind(scan_key(scan))
        .bind(serde_json::to_string(&cells).unwrap_or_default())
        .execute(&mut **change)
        .await
        .map(drop)
}

async fn insert_gradings(change: &mut Change<'_>, gradings: &[Grading]) -> sqlx::Result<()> {
    for grading in gradings {
        let insert = "INSERT INTO gradings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let mut query = sqlx::query(insert).bind(grading.patient.0).bind(grading.level);
        for value in grading.values() {
            query = query.bind(value);
        }
        query.execute(&mut **change).await?;
    }
    Ok(())
}

async fn insert_splits(change: &mut Change<'_>, splits: &[(PatientId, Split)]) -> sqlx::Result<()> {
    for (patient, split) in splits {
        sqlx::query("INSERT INTO patients (patient_id, split) VALUES (?, ?)")
            .bind(patient.0)
            .bind(split.name())
            .execute(&mut **change)
            .await?;
    }
    Ok(())
}

async fn insert_volume(change: &mut Change<'_>, key: i64, record: &VolumeRecord) -> sqlx::Result<()> {
    let Grid { source, canonical, .. } = &record.grid;
    let ([slices, rows, columns], spacing) = (canonical.shape(), canonical.spacing_mm());
    let intensity = &record.intensity;
    let quantiles: Vec<u8> = intensity.quantiles.iter().flat_map(|q| q.to_le_bytes()).collect();
    sqlx::query(
        "UPDATE scans SET slices = ?, rows = ?, columns = ?, slice_spacing_mm = ?, row_spacing_mm = ?,
         column_spacing_mm = ?, source_axis_codes = ?, element_type = ?, value_min = ?, value_max = ?, value_mean = ?,
         best_slice = ?, bytes = ? WHERE scan_key = ?",
    )
    .bind(slices as i64)
    .bind(rows as i64)
    .bind(columns as i64)
    .bind(spacing[0])
    .bind(spacing[1])
    .bind(spacing[2])
    .bind(Orientation::axis_codes(source))
    .bind(record.element.name())
    .bind(intensity.min)
    .bind(intensity.max)
    .bind(intensity.mean)
    .bind(record.labels.best_slice() as i64)
    .bind((canonical.voxels() * (record.element.size() + 1)) as i64)
    .bind(key)
    .execute(&mut **change)
    .await?;
    sqlx::query("INSERT INTO volumes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(key)
        .bind(&*record.group.revision)
        .bind(&record.fingerprint)
        .bind(&record.image_sha256)
        .bind(&record.mask_sha256)
        .bind(record.mask_element.name())
        .bind(geometry_to_json(source))
        .bind(intensity.foreground_window.0)
        .bind(intensity.foreground_window.1)
        .bind(quantiles)
        .bind(serde_json::to_string(&intensity.histogram).unwrap_or_default())
        .bind(serde_json::to_string(&record.notes).unwrap_or_default())
        .execute(&mut **change)
        .await
        .map(drop)
}

async fn insert_labels(change: &mut Change<'_>, key: i64, record: &VolumeRecord) -> sqlx::Result<()> {
    for (slice, pixels) in record.labels.labelled_pixels.iter().enumerate() {
        let found = record.labels.slices.iter().filter(|found| found.slice == slice);
        let classes = derived::ClassesInSlice::of(found);
        let insert = sqlx::query("INSERT INTO slices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        let insert = insert.bind(key).bind(slice as i64).bind(*pixels as i64);
        classes.bind_to(insert).execute(&mut **change).await?;
    }
    for found in &record.labels.slices {
        sqlx::query("INSERT INTO slice_labels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(key)
            .bind(found.slice as i64)
            .bind(found.label.0)
            .bind(found.pixels as i64)
            .bind(found.rows.0 as i64)
            .bind(found.rows.1 as i64)
            .bind(found.columns.0 as i64)
            .bind(found.columns.1 as i64)
            .bind(found.centroid[0])
            .bind(found.centroid[1])
            .execute(&mut **change)
            .await?;
    }
    for found in &record.labels.whole {
        let [x_mm, y_mm, z_mm] = record.grid.canonical.world(found.centroid);
        sqlx::query("INSERT INTO scan_labels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(key)
            .bind(found.label.0)
            .bind(found.voxels as i64)
            .bind(found.best_slice as i64)
            .bind(found.slices.0 as i64)
            .bind(found.slices.1 as i64)
            .bind(found.rows.0 as i64)
            .bind(found.rows.1 as i64)
            .bind(found.columns.0 as i64)
            .bind(found.columns.1 as i64)
            .bind(found.centroid[0])
            .bind(found.centroid[1])
            .bind(found.centroid[2])
            .bind(x_mm)
            .bind(y_mm)
            .bind(z_mm)
            .execute(&mut **change)
            .await?;
    }
    Ok(())
}
