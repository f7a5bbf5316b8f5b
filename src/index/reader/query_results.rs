//! Listings: a page of rows, how many there are, and how the index goes about it.

use std::time::Instant;

use serde_json::Value as Json;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, SqliteConnection, ValueRef};

use super::ReadTransaction;
use crate::index::convert::Columns;
use crate::index::sql;
use crate::index::sql::Sql;
use crate::index::{IndexError, scan_of};
use crate::query::{Cell, Column, ColumnKind, Cursor, Filter, Listing, Row};
use crate::spider::ScanId;

/// Instructions of SQLite's machine between two looks at the clock: less than a tenth of a millisecond.
const STEPS_PER_LOOK: i32 = 1_000;

/// Keys that are read at once.
const KEYS_AT_ONCE: u32 = 50_000;

/// A part of a listing.
#[derive(Debug, Clone)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Row>,
    /// What the next part starts after; `None` at the end.
    pub next: Option<Cursor>,
}

impl ReadTransaction {
    /// The first `limit` rows of a listing, from its cursor on.
    ///
    /// # Errors
    /// [`IndexError::TooSlow`] past the time limit, and [`IndexError::Read`].
    pub async fn page(&self, listing: &Listing, limit: u32) -> Result<Page, IndexError> {
        let found = self.within_limit("a listing", sql::page(listing, limit.saturating_add(1))).await?;
        let more = found.len() > limit as usize;
        let shown = found.get(..limit as usize).unwrap_or(&found);
        let rows = shown.iter().map(|row| read(listing, row)).collect::<Result<Vec<_>, _>>()?;
        let next = if more { shown.last().map(|row| cursor(listing, row)).transpose()? } else { None };
        Ok(Page { rows, next })
    }

    /// How many rows a filter chooses.
    ///
    /// # Errors
    /// As of [`ReadTransaction::page`].
    pub async fn total(&self, filter: &Filter) -> Result<u64, IndexError> {
        let rows = self.within_limit("a count", sql::total(filter)).await?;
        rows.first().map_or(Ok(0), |row| Columns(row).count("total"))
    }

    /// The slices that a filter chooses, in their natural order.
    ///
    /// # Errors
    /// As of [`ReadTransaction::page`], and [`IndexError::Unusable`] for a filter of another table.
    pub async fn slices_chosen(&self, filter: &Filter) -> Result<Vec<(ScanId, usize)>, IndexError> {
        let filter = filter.clone();
        let mut listing = Listing { filter, order: Vec::new(), columns: Vec::new(), after: None, limit: None };
        let mut chosen = Vec::new();
        loop {
            let page = self.page(&listing, KEYS_AT_ONCE).await?;
            for row in page.rows {
                let slice = match row.key[..] {
                    [key, slice] => scan_of(key).zip(usize::try_from(slice).ok()),
                    _ => None,
                };
                chosen.push(
                    slice.ok_or_else(|| IndexError::Unusable { what: "slice", value: format!("{:?}", row.key) })?,
                );
            }
            listing.after = page.next;
            if listing.after.is_none() {
                return Ok(chosen);
            }
        }
    }

    /// How SQLite goes about a page and its total: one line for every table it reads, and with which index.
    ///
    /// # Errors
    /// As of [`ReadTransaction::page`].
    pub async fn plan(&self, listing: &Listing) -> Result<[Vec<String>; 2], IndexError> {
        let [page, total] = [sql::page(listing, 100), sql::total(&listing.filter)];
        Ok([self.steps(page).await?, self.steps(total).await?])
    }

    async fn steps(&self, sql: Sql) -> Result<Vec<String>, IndexError> {
        let rows = self.within_limit("a plan", sql.prefixed("EXPLAIN QUERY PLAN ")).await?;
        rows.iter().map(|row| Columns(row).get("detail")).collect()
    }

    /// Runs a query whose cost depends on what a client typed.
    async fn within_limit(&self, what: &'static str, sql: Sql) -> Result<Vec<SqliteRow>, IndexError> {
        self.by(self.deadline(), what, sql).await
    }

    /// When a query that begins now has to be answered.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.time_limit()
    }

    /// The same for a query in several parts, which have one deadline.
    pub(super) async fn by(
        &self,
        deadline: Instant,
        what: &'static str,
        sql: Sql,
    ) -> Result<Vec<SqliteRow>, IndexError> {
        let read = |source| IndexError::Read { what, source };
        let mut transaction = self.transaction().lock().await;
        watch(&mut transaction, deadline).await.map_err(read)?;
        tracing::trace!(sql = sql.text(), "asking");
        let found = sql.query().fetch_all(&mut **transaction).await;
        transaction.lock_handle().await.map_err(read)?.remove_progress_handler();
        // SQLITE_INTERRUPT is how a progress handler ends a statement.
        found.map_err(|source| match source.as_database_error().and_then(sqlx::error::DatabaseError::code) {
            Some(code) if code == "9" => IndexError::TooSlow(self.time_limit()),
            _ => read(source),
        })
    }
}

/// Ends a statement that still runs at the deadline.
async fn watch(connection: &mut SqliteConnection, deadline: Instant) -> sqlx::Result<()> {
    connection.lock_handle().await?.set_progress_handler(STEPS_PER_LOOK, move || Instant::now() < deadline);
    Ok(())
}

/// Columns are in the order in which [`sql::page`] names them: those that are shown, those that the listing is sorted by,
/// the key.
fn read(listing: &Listing, row: &SqliteRow) -> Result<Row, IndexError> {
    let mut n = 0;
    let mut cells = Vec::with_capacity(listing.columns.len());
    for column in &listing.columns {
        cells.push(if sql::parts(column).is_some() { list(row, n, column)? } else { cell(row, n, column)? });
        n += width(column);
    }
    Ok(Row { key: key(listing, row)?, cells })
}

fn width(column: &Column) -> usize {
    sql::parts(column).map_or(1, |parts| parts.len())
}

fn cursor(listing: &Listing, row: &SqliteRow) -> Result<Cursor, IndexError> {
    let first: usize = listing.columns.iter().map(|column| width(column)).sum();
    let sorted_by = listing.order.iter().enumerate().map(|(n, order)| cell(row, first + n, order.column));
    Ok(Cursor { sorted_by: sorted_by.collect::<Result<_, _>>()?, key: key(listing, row)? })
}

fn key(listing: &Listing, row: &SqliteRow) -> Result<Vec<i64>, IndexError> {
    let columns = row.len();
    (columns - listing.filter.table.key_columns()..columns).map(|n| get(row, n, "a key")).collect()
}

/// A list of numbers that are columns of their own; missing when they are.
fn list(row: &SqliteRow, first: usize, column: &Column) -> Result<Cell, IndexError> {
    let numbers = (first..first + width(column)).map(|n| {
        Ok(match column.kind {
            ColumnKind::Integers => get::<Option<i64>>(row, n, column.name)?.map(Json::from),
            _ => get::<Option<f64>>(row, n, column.name)?.map(Json::from),
        })
    });
    let numbers: Vec<_> = numbers.collect::<Result<_, IndexError>>()?;
    Ok(numbers.into_iter().collect::<Option<_>>().map_or(Cell::Null, Cell::List))
}

pub(super) fn cell(row: &SqliteRow, n: usize, column: &Column) -> Result<Cell, IndexError> {
    let raw = row.try_get_raw(n).map_err(|source| IndexError::Read { what: column.name, source })?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    Ok(match column.kind {
        ColumnKind::Integer => Cell::Integer(get(row, n, column.name)?),
        ColumnKind::Real => Cell::Real(get(row, n, column.name)?),
        ColumnKind::Flag => Cell::Flag(get::<i64>(row, n, column.name)? != 0),
        ColumnKind::Text => Cell::Text(get(row, n, column.name)?),
        ColumnKind::Integers | ColumnKind::Reals | ColumnKind::Texts => {
            let text: &str = get(row, n, column.name)?;
            let unusable = |_| IndexError::Unusable { what: column.name, value: text.to_owned() };
            Cell::List(serde_json::from_str(text).map_err(unusable)?)
        }
    })
}

pub(super) fn get<'r, T>(row: &'r SqliteRow, n: usize, what: &'static str) -> Result<T, IndexError>
where
    T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    row.try_get(n).map_err(|source| IndexError::Read { what, source })
}
