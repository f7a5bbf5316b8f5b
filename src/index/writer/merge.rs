//! Taking over what another index has: the parts of an import that was spread over workers.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection};

use super::{Change, GROW, Writer, clear_tables, derived, fields};
use crate::index::{FILE, IndexError, schema};
use crate::spider::{FIELDS, fields_digest};

/// The columns of `scans` that come with a volume.
pub(super) const VOLUME_COLUMNS: &str = "slices, rows, columns, slice_spacing_mm, row_spacing_mm, column_spacing_mm,
    source_axis_codes, element_type, value_min, value_max, value_mean, best_slice, bytes";

/// What is kept of a volume; discs and counts are made from it.
const VOLUME_TABLES: [&str; 4] = ["volumes", "slices", "slice_labels", "scan_labels"];

/// What becomes of discs and counts.
#[derive(Clone, Copy, PartialEq)]
enum Derived {
    Renewed,
    Missing,
}

impl Writer {
    /// Takes over the tables of the index in `folder` and the volumes that it has in another version than this one, or that
    /// this one does not have. The result is that of importing the same scans here.
    ///
    /// # Errors
    /// [`IndexError::Schema`] when it comes from another version of this program, or [`IndexError::Write`]; nothing is changed
    /// then.
    pub async fn absorb(&mut self, folder: &Path) -> Result<(), IndexError> {
        self.take_over(folder, Derived::Renewed).await
    }

    /// The same without what is made from other tables: for an index that is only there to be absorbed.
    ///
    /// # Errors
    /// As of [`Writer::absorb`].
    pub async fn gather(&mut self, folder: &Path) -> Result<(), IndexError> {
        self.take_over(folder, Derived::Missing).await
    }

    async fn take_over(&mut self, folder: &Path, derived: Derived) -> Result<(), IndexError> {
        let path = folder.join(FILE);
        let open = |source| IndexError::Open { path: path.clone(), source };
        let attach = sqlx::query("ATTACH DATABASE ? AS part").bind(path.to_string_lossy().into_owned());
        attach.execute(&mut self.connection).await.map_err(open)?;
        let absorbed = self.absorb_attached(&path, derived).await;
        let detached = sqlx::query("DETACH DATABASE part").execute(&mut self.connection).await;
        absorbed.and(detached.map(drop).map_err(open))
    }

    async fn absorb_attached(&mut self, path: &Path, derived: Derived) -> Result<(), IndexError> {
        let newest = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM part._sqlx_migrations");
        let found: i64 = newest
            .fetch_one(&mut self.connection)
            .await
            .map_err(|source| IndexError::Open { path: path.to_owned(), source })?;
        let wanted = schema();
        if found != wanted {
            return Err(IndexError::Schema { path: path.to_owned(), found, wanted });
        }
        let other_fields = "SELECT count(*) FROM part.state WHERE fields IS NOT NULL AND fields <> ?";
        let other_fields: i64 = sqlx::query_scalar(other_fields)
            .bind(fields_digest())
            .fetch_one(&mut self.connection)
            .await
            .map_err(|source| IndexError::Open { path: path.to_owned(), source })?;
        if other_fields != 0 {
            return Err(IndexError::Fields { path: path.to_owned() });
        }
        let absorbed = async {
            let mut change = self.connection.begin().await?;
            let tables = absorb_tables(&mut change).await?;
            let volumes = absorb_volumes(&mut change).await?;
            if tables + volumes > 0 && derived == Derived::Renewed {
                derived::renew(&mut change).await?;
            }
            if tables + volumes > 0 {
                sqlx::query(GROW).execute(&mut *change).await?;
            }
            change.commit().await
        };
        absorbed.await.map_err(|source| IndexError::Write { what: "a part of an import", source })
    }
}

/// Takes over what comes from the two tables of the release. Gives 1 if that was something else than before, or 0.
async fn absorb_tables(change: &mut Change<'_>) -> sqlx::Result<u64> {
    let differs = "SELECT part.state.tables_sha256 IS NOT NULL AND (part.state.tables_sha256, part.state.fields)
            IS NOT (main.state.tables_sha256, main.state.fields)
        FROM part.state, main.state";
    if !sqlx::query_scalar::<_, bool>(differs).fetch_one(&mut **change).await? {
        return Ok(0);
    }
    fields::align(change).await?;
    clear_tables(change).await?;
    absorb_new_scans(change).await?;
    let columns: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
    for statement in [
        set_from_part(&columns.join(", "), "SELECT scan_key FROM part.scan_cells"),
        "INSERT INTO main.scan_cells SELECT * FROM part.scan_cells".to_owned(),
        "INSERT INTO main.gradings SELECT * FROM part.gradings".to_owned(),
        "INSERT INTO main.patients SELECT * FROM part.patients".to_owned(),
        "UPDATE main.state SET (tables_sha256, fields) = (SELECT tables_sha256, fields FROM part.state)".to_owned(),
    ] {
        // Safe: the names are constants and those of FIELDS.
        sqlx::query(AssertSqlSafe(statement)).execute(&mut **change).await?;
    }
    Ok(1)
}

/// Takes over the volumes that are not here in the same version. Gives how many.
async fn absorb_volumes(change: &mut Change<'_>) -> sqlx::Result<u64> {
    sqlx::query("DROP TABLE IF EXISTS temp.absorbed").execute(&mut **change).await?;
    let absorbed = "CREATE TEMP TABLE absorbed AS SELECT scan_key FROM part.volumes AS theirs WHERE NOT EXISTS (
        SELECT 1 FROM main.volumes AS ours WHERE ours.scan_key = theirs.scan_key
        AND ours.revision = theirs.revision AND ours.fingerprint = theirs.fingerprint)";
    sqlx::query(absorbed).execute(&mut **change).await?;
    absorb_new_scans(change).await?;
    let chosen = "SELECT scan_key FROM temp.absorbed";
    let mut statements = vec![set_from_part(VOLUME_COLUMNS, chosen)];
    for table in VOLUME_TABLES {
        statements.push(format!("DELETE FROM main.{table} WHERE scan_key IN ({chosen})"));
        statements.push(format!("INSERT INTO main.{table} SELECT * FROM part.{table} WHERE scan_key IN ({chosen})"));
    }
    for statement in statements {
        // Safe: all of it is constant.
        sqlx::query(AssertSqlSafe(statement)).execute(&mut **change).await?;
    }
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM temp.absorbed").fetch_one(&mut **change).await?;
    sqlx::query("DROP TABLE temp.absorbed").execute(&mut **change).await?;
    Ok(count.unsigned_abs())
}

/// Scans that only the other index knows get a bare row.
async fn absorb_new_scans(change: &mut Change<'_>) -> sqlx::Result<()> {
    let insert = "INSERT OR IGNORE INTO main.scans (scan_key, scan_id, patient_id, scan_type)
        SELECT scan_key, scan_id, patient_id, scan_type FROM part.scans";
    sqlx::query(insert).execute(&mut **change).await.map(drop)
}

/// Sets columns of `scans` to what the other index has for the chosen scans.
fn set_from_part(columns: &str, chosen: &str) -> String {
    let names = columns.split(',').map(str::trim);
    let set: Vec<_> = names.map(|name| format!("{name} = theirs.{name}")).collect();
    format!(
        "UPDATE main.scans SET {} FROM part.scans AS theirs
         WHERE theirs.scan_key = main.scans.scan_key AND theirs.scan_key IN ({chosen})",
        set.join(", ")
    )
}
