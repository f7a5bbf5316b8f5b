//! Queries of one state of the index.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Sqlite, SqlitePool, Transaction};
use tokio::sync::Mutex;

use crate::index::convert::Columns;
use crate::index::records::{CatalogueEntry, DatasetCount, Imported, ScanRow, SliceRow};
use crate::index::rows::{
    IMPORTED, catalogue_entry, grading, imported, quantiles, scan_row, slice_label, volume_label,
};
use crate::index::{IndexError, patient_keys, scan_key};
use crate::spider::{Grading, PatientId, ScanId};
use crate::store::GroupName;
use crate::volume::VolumeLabel;

pub(super) const SCAN_COLUMNS: &str = "SELECT scan_id, split, cells, revision, image_sha256, mask_sha256, element_type, mask_element_type,
    source_geometry, source_axis_codes, value_min, value_max, value_mean, auto_low, auto_high, histogram, best_slice, bytes,
    notes FROM scans LEFT JOIN scan_cells USING (scan_key) LEFT JOIN volumes USING (scan_key)";

/// The index as it was at one moment, however many queries are made of it.
///
/// An import cannot commit while one is open. So it must end before a client is sent anything: it never waits for the network.
#[derive(Debug)]
pub struct ReadTransaction {
    transaction: Mutex<Transaction<'static, Sqlite>>,
    revision: u64,
    time_limit: Duration,
}

impl ReadTransaction {
    pub(super) async fn begin(pool: &SqlitePool, path: &Path, time_limit: Duration) -> Result<Self, IndexError> {
        let begun = async {
            let mut transaction = pool.begin().await?;
            // SQLite takes its lock, and with it the state that it reads, with the first query.
            let row = sqlx::query("SELECT revision FROM state").fetch_one(&mut *transaction).await?;
            Ok((transaction, row))
        };
        let (transaction, row) = begun.await.map_err(|source| IndexError::unreadable(path, source))?;
        let revision = Columns(&row).count("revision")?;
        Ok(Self { transaction: Mutex::new(transaction), revision, time_limit })
    }

    /// Grows with every change of the index.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What a query of tables may take.
    pub(super) fn time_limit(&self) -> Duration {
        self.time_limit
    }

    pub(super) fn transaction(&self) -> &Mutex<Transaction<'static, Sqlite>> {
        &self.transaction
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

    /// Everything images need, of every imported scan.
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

    pub(super) async fn all(
        &self,
        what: &'static str,
        query: sqlx::query::Query<'_, Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<Vec<SqliteRow>, IndexError> {
        let mut transaction = self.transaction.lock().await;
        query.fetch_all(&mut **transaction).await.map_err(|source| IndexError::Read { what, source })
    }
}
