//! The two tables of the release: `overview.csv` and `radiological_gradings.csv`.
//!
//! Columns are found by their headers, in any order. Lines may end in CRLF or LF, a UTF-8 byte order mark is skipped.
//! A table is read whole or not at all: a cell that cannot be right is an error that says where it is, because a row
//! left out silently would change every number that is derived from the table.

mod columns;
mod gradings;
mod overview;
#[cfg(test)]
mod tests;

pub use gradings::{GradingsTable, read_gradings};
pub use overview::{OverviewRow, OverviewTable, read_overview};

/// Why a table was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Not CSV: a row with too many or too few cells, or text that is not UTF-8.
    #[error("cannot read {table}: {reason}")]
    Csv {
        /// The file's name in the release.
        table: &'static str,
        /// What the CSV reader says, with the line.
        reason: String,
    },
    /// Columns that must be there and are not.
    #[error("{table} has no column {columns}; its columns are {found}")]
    MissingColumns {
        /// The file's name in the release.
        table: &'static str,
        /// The missing headers.
        columns: String,
        /// The headers that are there.
        found: String,
    },
    /// Two columns with the same header.
    #[error("{table} has the column {column:?} twice; keep one of them")]
    DuplicateColumn {
        /// The file's name in the release.
        table: &'static str,
        /// The header.
        column: String,
    },
    /// A cell that is not what its column takes.
    #[error("{table} line {line}: {column} is {cell:?}, expected {expected}")]
    Cell {
        /// The file's name in the release.
        table: &'static str,
        /// Counted from 1, the header included.
        line: u64,
        /// The column's header.
        column: &'static str,
        /// The cell.
        cell: String,
        /// What is allowed.
        expected: String,
    },
    /// Two rows about the same thing.
    #[error("{table} line {line}: {key} is already on line {first_line}; keep one of the two rows")]
    DuplicateRow {
        /// The file's name in the release.
        table: &'static str,
        /// Counted from 1, the header included.
        line: u64,
        /// What both rows are about.
        key: String,
        /// The line of the other row.
        first_line: u64,
    },
}
