//! Columns and tables that are made from others, so that queries are cheap. Anyone who changes the others renews them in the
//! same transaction.

use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite};

use super::{Change, Writer};
use crate::index::IndexError;
use crate::index::convert::Columns;
use crate::spider::LabelClass;
use crate::volume::SliceLabel;

type Insert<'a> = sqlx::query::Query<'a, Sqlite, SqliteArguments>;

/// Which levels of each class of labels a slice shows, the pixels of the largest of them, and those of each.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ClassesInSlice {
    /// Vertebrae, partly visible ones, discs; bit n − 1 is level n.
    levels: [i64; 3],
    /// Vertebrae, partly visible ones, discs, canal.
    pixels: [i64; 4],
    /// Vertebrae, partly visible ones, discs; level n is a big-endian `u32` at byte 4 (n − 1).
    sizes: [Vec<u8>; 3],
}

impl ClassesInSlice {
    pub(super) fn of<'a>(labels: impl Iterator<Item = &'a SliceLabel>) -> Self {
        let mut classes = Self::default();
        for found in labels {
            let class = match found.label.class() {
                LabelClass::Vertebra => 0,
                LabelClass::PartialVertebra => 1,
                LabelClass::Disc => 2,
                LabelClass::Canal => 3,
                LabelClass::Background | LabelClass::Unknown => continue,
            };
            if let Some(level) = found.label.level() {
                classes.levels[class] |= 1 << (level - 1);
                let (sizes, end) = (&mut classes.sizes[class], 4 * usize::from(level));
                sizes.resize(sizes.len().max(end), 0);
                sizes[end - 4..end].copy_from_slice(&u32::try_from(found.pixels).unwrap_or(u32::MAX).to_be_bytes());
            }
            classes.pixels[class] = classes.pixels[class].max(found.pixels as i64);
        }
        classes
    }

    /// Binds them in the order of the table.
    pub(super) fn bind_to(self, insert: Insert<'_>) -> Insert<'_> {
        let insert = self.levels.into_iter().chain(self.pixels).fold(insert, Insert::bind);
        self.sizes.into_iter().fold(insert, Insert::bind)
    }
}

/// Adds a scan's labels to the count of slices by pixels, or takes them away.
pub(super) async fn count_label_pixels(change: &mut Change<'_>, key: i64, sign: i64) -> sqlx::Result<()> {
    let add = "INSERT INTO label_pixels
        SELECT label, coalesce(split, ''), scan_type, pixels, ?2 * count(*) FROM slice_labels JOIN scans USING (scan_key)
        WHERE scan_key = ?1 GROUP BY label, coalesce(split, ''), scan_type, pixels
        ON CONFLICT DO UPDATE SET slices = slices + excluded.slices";
    sqlx::query(add).bind(key).bind(sign).execute(&mut **change).await?;
    let gone = "DELETE FROM label_pixels WHERE slices = 0 AND ? > 0";
    sqlx::query(gone).bind(sign).execute(&mut **change).await.map(drop)
}

/// Joins the discs of one scan, or of all, with their gradings.
pub(super) async fn join_discs(change: &mut Change<'_>, key: Option<i64>) -> sqlx::Result<()> {
    let join = "INSERT INTO discs
        SELECT scan_key, label, label - 200, split, scan_type, modic, upper_endplate, lower_endplate, spondylolisthesis,
               disc_herniation, disc_narrowing, disc_bulging, pfirrmann,
               voxels, voxels * (slice_spacing_mm * row_spacing_mm * column_spacing_mm), scan_labels.best_slice,
               slice_min, slice_max, row_min, row_max, column_min, column_max,
               centroid_slice, centroid_row, centroid_column, x_mm, y_mm, z_mm
        FROM scan_labels JOIN scans USING (scan_key)
        LEFT JOIN gradings ON gradings.patient_id = scans.patient_id AND gradings.level = label - 200
        WHERE label BETWEEN 201 AND 225 AND scan_key BETWEEN ? AND ?";
    let query = sqlx::query(join).bind(key.unwrap_or(i64::MIN)).bind(key.unwrap_or(i64::MAX));
    query.execute(&mut **change).await.map(drop)
}

/// Everything that depends on the two tables of the release.
pub(super) async fn renew(change: &mut Change<'_>) -> sqlx::Result<()> {
    for statement in [
        "UPDATE scans SET split = (SELECT split FROM patients WHERE patients.patient_id = scans.patient_id)",
        "UPDATE patients SET
            sex = (SELECT sex FROM scans WHERE scans.patient_id = patients.patient_id AND sex IS NOT NULL
                   ORDER BY scan_key LIMIT 1),
            age = (SELECT age FROM scans WHERE scans.patient_id = patients.patient_id AND age IS NOT NULL
                   ORDER BY scan_key LIMIT 1)",
        "DELETE FROM label_pixels",
        "INSERT INTO label_pixels
            SELECT label, coalesce(split, ''), scan_type, pixels, count(*) FROM slice_labels JOIN scans USING (scan_key)
            GROUP BY label, coalesce(split, ''), scan_type, pixels",
        "DELETE FROM discs",
    ] {
        sqlx::query(statement).execute(&mut **change).await?;
    }
    join_discs(change, None).await
}

impl Writer {
    /// Fills in the places, in millimetres, of labels that a version of the index recorded that had no room for them.
    pub(super) async fn place_labels(&mut self) -> Result<(), IndexError> {
        let read = |source| IndexError::Read { what: "labels without a place", source };
        let write = |source| IndexError::Write { what: "the places of labels", source };
        let unplaced = "SELECT scan_key, label, centroid_slice, centroid_row, centroid_column, source_geometry
            FROM scan_labels JOIN volumes USING (scan_key) WHERE x_mm IS NULL";
        let rows = sqlx::query(AssertSqlSafe(unplaced)).fetch_all(&mut self.connection).await.map_err(read)?;
        let mut change = sqlx::Connection::begin(&mut self.connection).await.map_err(write)?;
        for row in &rows {
            let columns = Columns(row);
            let centroid =
                [columns.get("centroid_slice")?, columns.get("centroid_row")?, columns.get("centroid_column")?];
            let [x_mm, y_mm, z_mm] = columns.grid("source_geometry")?.canonical.world(centroid);
            sqlx::query("UPDATE scan_labels SET x_mm = ?, y_mm = ?, z_mm = ? WHERE scan_key = ? AND label = ?")
                .bind(x_mm)
                .bind(y_mm)
                .bind(z_mm)
                .bind(columns.get::<i64>("scan_key")?)
                .bind(columns.get::<i64>("label")?)
                .execute(&mut *change)
                .await
                .map_err(write)?;
        }
        if !rows.is_empty() {
            join_discs(&mut change, None).await.map_err(write)?;
        }
        change.commit().await.map_err(write)
    }
}
