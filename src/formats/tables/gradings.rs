use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::TableError;
use super::columns::{Columns, Row};
use crate::spider::{CONDITIONS, Grading, PatientId};

const TABLE: &str = "radiological_gradings.csv";
const PATIENT_COLUMN: &str = "Patient";
const LEVEL_COLUMN: &str = "IVD label";
const COLUMNS: usize = CONDITIONS.len() + 2;

/// `radiological_gradings.csv`, in the order of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GradingsTable {
    /// One for each patient and disc; none is there twice.
    pub gradings: Vec<Grading>,
    /// Headers of columns that the release does not have; their cells are not read.
    pub unknown_columns: Vec<String>,
}

/// Reads `radiological_gradings.csv`.
///
/// # Errors
/// When a column is missing or there twice, when a cell is not what its column takes, or when a disc is there twice.
pub fn read_gradings(bytes: &[u8]) -> Result<GradingsTable, TableError> {
    let mut wanted = [PATIENT_COLUMN; COLUMNS];
    wanted[1] = LEVEL_COLUMN;
    for (column, condition) in wanted.iter_mut().skip(2).zip(&CONDITIONS) {
        *column = condition.column;
    }
    let mut columns = Columns::find(TABLE, bytes, wanted)?;
    let mut gradings = Vec::new();
    let mut lines: HashMap<(PatientId, u8), u64> = HashMap::new();
    while let Some(row) = columns.next_row()? {
        let grading = grading(&row)?;
        if let Some(first_line) = lines.insert((grading.patient, grading.level), row.line) {
            let key = format!("patient {} IVD label {}", grading.patient, grading.level);
            return Err(TableError::DuplicateRow { table: TABLE, line: row.line, key, first_line });
        }
        gradings.push(grading);
    }
    Ok(GradingsTable { gradings, unknown_columns: columns.unknown })
}

fn grading(row: &Row<COLUMNS>) -> Result<Grading, TableError> {
    let patient = row.cell(0).trim();
    let patient =
        patient.parse().map_err(|_| refuse(row, 0, PATIENT_COLUMN, "a patient's number such as 7".to_owned()))?;
    let levels = 0..=Grading::MAX_LEVEL;
    let level = whole_number(row, 1, LEVEL_COLUMN, &levels)?
        .ok_or_else(|| refuse(row, 1, LEVEL_COLUMN, format!("a whole number from 0 to {}", levels.end())))?;
    let mut values = [None; CONDITIONS.len()];
    for (n, (value, condition)) in values.iter_mut().zip(&CONDITIONS).enumerate() {
        *value = whole_number(row, n + 2, condition.column, &(condition.min..=condition.max))?;
    }
    Ok(Grading::from_values(patient, level, values))
}

/// A number within the range, `None` for an empty cell.
fn whole_number(
    row: &Row<COLUMNS>,
    n: usize,
    column: &'static str,
    allowed: &RangeInclusive<u8>,
) -> Result<Option<u8>, TableError> {
    let text = row.cell(n).trim();
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|number| allowed.contains(number));
    number
        .map(Some)
        .ok_or_else(|| refuse(row, n, column, format!("a whole number from {} to {}", allowed.start(), allowed.end())))
}

fn refuse(row: &Row<COLUMNS>, n: usize, column: &'static str, expected: String) -> TableError {
    TableError::Cell { table: TABLE, line: row.line, column, cell: row.cell(n).to_owned(), expected }
}
