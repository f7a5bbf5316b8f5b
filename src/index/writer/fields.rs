//! Indexes of versions of this program that had other metadata fields.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Row};

use super::Change;
use crate::spider::{FIELDS, Field, FieldKind};

/// Gives the table of scans a column of the right type for each of [`FIELDS`]. Columns of fields that are no more are left alone;
/// nothing reads them.
pub(super) async fn align(change: &mut Change<'_>) -> sqlx::Result<()> {
    let rows = sqlx::query("SELECT name, type FROM pragma_table_info('scans')").fetch_all(&mut **change).await?;
    let column = |row: &sqlx::sqlite::SqliteRow| Ok((row.try_get(0)?, row.try_get(1)?));
    let columns: HashMap<String, String> = rows.iter().map(column).collect::<sqlx::Result<_>>()?;
    for field in &FIELDS {
        let found = columns.get(field.name);
        if found.is_some_and(|found| found != sql_type(field)) {
            alter(change, format!("DROP COLUMN {}", field.name)).await?;
        }
        if found.is_none_or(|found| found != sql_type(field)) {
            alter(change, format!("ADD COLUMN {} {}", field.name, sql_type(field))).await?;
        }
    }
    Ok(())
}

async fn alter(change: &mut Change<'_>, how: String) -> sqlx::Result<()> {
    // Safe: the names are those of FIELDS.
    sqlx::query(AssertSqlSafe(format!("ALTER TABLE scans {how}"))).execute(&mut **change).await.map(drop)
}

fn sql_type(field: &Field) -> &'static str {
    match field.kind {
        FieldKind::Integer => "INTEGER",
        FieldKind::Real => "REAL",
        FieldKind::Text | FieldKind::Reals | FieldKind::Texts => "TEXT",
    }
}
