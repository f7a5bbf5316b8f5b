//! Whole tables at once, for those who look at the data set as a whole.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;

use super::ReadTransaction;
use super::transaction::SCAN_COLUMNS;
use crate::index::convert::Columns;
use crate::index::rows::{grading, quantiles, scan_row, volume_label};
use crate::index::{IndexError, ScanRow};
use crate::spider::{Grading, PatientId, ScanId};
use crate::volume::{QUANTILES, VolumeLabel};

impl ReadTransaction {
    /// Every scan, in their natural order, with or without a volume.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn every_scan(&self) -> Result<Vec<ScanRow>, IndexError> {
        // Safe: a constant.
        let sql = AssertSqlSafe(format!("{SCAN_COLUMNS} ORDER BY scan_key"));
        self.all("the scans", sqlx::query(sql)).await?.iter().map(scan_row).collect()
    }

    /// The labels of every scan, by label.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn every_label(&self) -> Result<HashMap<ScanId, Vec<VolumeLabel>>, IndexError> {
        let query = sqlx::query(
            "SELECT scan_id, scan_labels.* FROM scan_labels JOIN scans USING (scan_key) ORDER BY scan_key, label",
        );
        let mut labels = HashMap::<ScanId, Vec<_>>::new();
        for row in &self.all("the labels of scans", query).await? {
            labels.entry(Columns(row).parsed("scan_id")?).or_default().push(volume_label(row)?);
        }
        Ok(labels)
    }

    /// The gradings of every patient, lowest disc first.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn every_grading(&self) -> Result<HashMap<PatientId, Vec<Grading>>, IndexError> {
        let query = sqlx::query("SELECT * FROM gradings ORDER BY patient_id, level");
        let mut gradings = HashMap::<PatientId, Vec<_>>::new();
        for row in &self.all("the gradings", query).await? {
            let found = grading(row)?;
            gradings.entry(found.patient).or_default().push(found);
        }
        Ok(gradings)
    }

    /// The share of every scan's voxels that have its largest value, in steps of a thousandth.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn saturation(&self) -> Result<HashMap<ScanId, f64>, IndexError> {
        let query = sqlx::query("SELECT scan_id, quantiles FROM volumes JOIN scans USING (scan_key)");
        let share = |row| {
            let columns = Columns(row);
            let quantiles = quantiles(&columns)?;
            let largest = quantiles.last().copied().unwrap_or(0.0);
            let below = quantiles.partition_point(|&quantile| quantile < largest);
            Ok((
                columns.parsed("scan_id")?,
                (quantiles.len() - 1 - below.min(quantiles.len() - 1)) as f64 / (QUANTILES - 1) as f64,
            ))
        };
        self.all("the quantiles", query).await?.iter().map(share).collect()
    }
}
