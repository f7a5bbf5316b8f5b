use std::collections::HashMap;

use super::TableError;
use super::columns::Columns;
use crate::spider::{FIELDS, Metadata, ScanId};

const TABLE: &str = "overview.csv";
const SCAN_COLUMN: &str = "new_file_name";

/// `overview.csv`, in the order of its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct OverviewTable {
    /// One for each scan; no scan is there twice.
    pub rows: Vec<OverviewRow>,
    /// Headers of columns that the release does not have; their cells are not read.
    pub unknown_columns: Vec<String>,
}

/// What the table says of one scan.
#[derive(Debug, Clone, PartialEq)]
pub struct OverviewRow {
    /// Which scan.
    pub scan: ScanId,
    /// Every other column.
    pub metadata: Metadata,
}

/// Reads `overview.csv`.
///
/// # Errors
/// When a column is missing or there twice, when a cell is not what its column takes, or when a scan is there twice.
pub fn read_overview(bytes: &[u8]) -> Result<OverviewTable, TableError> {
    let mut wanted = [SCAN_COLUMN; FIELDS.len() + 1];
    for (column, field) in wanted.iter_mut().skip(1).zip(&FIELDS) {
        *column = field.column;
    }
    let mut columns = Columns::find(TABLE, bytes, wanted)?;
    let mut rows = Vec::new();
    let mut lines: HashMap<ScanId, u64> = HashMap::new();
    while let Some(row) = columns.next_row()? {
        let refuse = |column: &'static str, cell: &str, expected: &str| TableError::Cell {
            table: TABLE,
            line: row.line,
            column,
            cell: cell.to_owned(),
            expected: expected.to_owned(),
        };
        let id = row.cell(0);
        let scan: ScanId =
            id.parse().map_err(|_| refuse(SCAN_COLUMN, id, "a scan id such as 1_t1, 1_t2 or 5_t2_SPACE"))?;
        if let Some(first_line) = lines.insert(scan, row.line) {
            return Err(TableError::DuplicateRow {
                table: TABLE,
                line: row.line,
                key: format!("scan {scan}"),
                first_line,
            });
        }
        let metadata = Metadata::from_cells(std::array::from_fn(|n| row.cell(n + 1)))
            .map_err(|invalid| refuse(invalid.column, &invalid.cell, invalid.expected))?;
        rows.push(OverviewRow { scan, metadata });
    }
    Ok(OverviewTable { rows, unknown_columns: columns.unknown })
}
