//! Taking scans out of the index.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;

use super::merge::VOLUME_COLUMNS;
use super::{Change, VOLUME_ROWS, Writer, derived, finish};
use crate::index::convert::Columns;
use crate::index::{IndexError, scan_key};
use crate::spider::ScanId;

/// How much of a scan goes.
#[derive(Clone, Copy)]
enum Removal {
    Volume,
    Everything,
}

impl Writer {
    /// Every scan that the index knows, with or without a volume.
    ///
    /// # Errors
    /// [`IndexError::Read`].
    pub async fn scans(&mut self) -> Result<BTreeSet<ScanId>, IndexError> {
        let rows = sqlx::query("SELECT scan_id FROM scans").fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|source| self.unread("the scans", source))?;
        rows.iter().map(|row| Columns(row).parsed("scan_id")).collect()
    }

    /// Removes the volumes of scans. Their rows of overview.csv stay, as those of scans that were never imported.
    ///
    /// # Errors
    /// [`IndexError::Write`]; nothing is changed then.
    pub async fn remove_volumes(&mut self, scans: &[ScanId]) -> Result<(), IndexError> {
        self.remove(scans, Removal::Volume).await
    }

    /// Removes everything about scans: volumes, rows of overview.csv, and the gradings of patients of whom no scan is left. The
    /// next import reads the tables again, whether they changed or not.
    ///
    /// # Errors
    /// [`IndexError::Write`]; nothing is changed then.
    pub async fn remove_scans(&mut self, scans: &[ScanId]) -> Result<(), IndexError> {
        self.remove(scans, Removal::Everything).await
    }

    async fn remove(&mut self, scans: &[ScanId], removal: Removal) -> Result<(), IndexError> {
        let removed = async {
            // What is deleted is overwritten as well: it may have to be gone, and not only out of sight.
            sqlx::query("PRAGMA secure_delete = ON").execute(&mut self.connection).await?;
            let mut change = sqlx::Connection::begin(&mut self.connection).await?;
            for &scan in scans {
                match removal {
                    Removal::Volume => remove_volume(&mut change, scan).await?,
                    Removal::Everything => remove_scan(&mut change, scan).await?,
                }
            }
            derived::renew(&mut change).await?;
            finish(change).await
        };
        let removed = removed.await;
        removed.map_err(|source| self.unwritten("that scans were removed", source))
    }
}

async fn remove_volume(change: &mut Change<'_>, scan: ScanId) -> sqlx::Result<()> {
    let key = scan_key(scan);
    delete_volume(change, key).await?;
    sqlx::query("DELETE FROM scans WHERE scan_key = ? AND scan_key NOT IN (SELECT scan_key FROM scan_cells)")
        .bind(key)
        .execute(&mut **change)
        .await?;
    let columns: Vec<_> = VOLUME_COLUMNS.split(',').map(|name| format!("{} = NULL", name.trim())).collect();
    // Safe: the names are constants.
    let clear = AssertSqlSafe(format!("UPDATE scans SET {} WHERE scan_key = ?", columns.join(", ")));
    sqlx::query(clear).bind(key).execute(&mut **change).await.map(drop)
}

async fn remove_scan(change: &mut Change<'_>, scan: ScanId) -> sqlx::Result<()> {
    let (key, patient) = (scan_key(scan), scan.patient.0);
    delete_volume(change, key).await?;
    for table in ["scan_cells", "scans"] {
        // Safe: the names are the two literals above.
        let delete = AssertSqlSafe(format!("DELETE FROM {table} WHERE scan_key = ?"));
        sqlx::query(delete).bind(key).execute(&mut **change).await?;
    }
    for table in ["gradings", "patients"] {
        // Safe: the names are the two literals above.
        let delete = AssertSqlSafe(format!(
            "DELETE FROM {table} WHERE patient_id = ?1 AND NOT EXISTS (SELECT 1 FROM scans WHERE patient_id = ?1)"
        ));
        sqlx::query(delete).bind(patient).execute(&mut **change).await?;
    }
    sqlx::query("UPDATE state SET tables_sha256 = NULL").execute(&mut **change).await.map(drop)
}

async fn delete_volume(change: &mut Change<'_>, key: i64) -> sqlx::Result<()> {
    for table in VOLUME_ROWS {
        // Safe: the names are constants.
        let delete = AssertSqlSafe(format!("DELETE FROM {table} WHERE scan_key = ?"));
        sqlx::query(delete).bind(key).execute(&mut **change).await?;
    }
    Ok(())
}
