//! Rows of a table → CSV, NDJSON, Parquet.
//!
//! A missing value is an empty cell in CSV and null elsewhere; an empty text, which no column has, would be `""`. Lists
//! are JSON in CSV and lists elsewhere. Numbers are written so that they read back to the same bits.

mod parquet;

use serde::ser::{Serialize, SerializeMap, Serializer};

pub use parquet::ParquetTable;

use crate::query::{Cell, Column};

/// A row as a map from column to value, in the columns' order.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The columns.
    pub columns: &'a [&'static Column],
    /// One for each of them.
    pub cells: &'a [Cell],
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (column, cell) in self.columns.iter().zip(self.cells) {
            map.serialize_entry(column.name, cell)?;
        }
        map.end()
    }
}

/// The header line of a CSV table.
#[must_use]
pub fn csv_header(columns: &[&'static Column]) -> Vec<u8> {
    csv_lines(std::iter::once(columns.iter().map(|column| column.name.to_owned()).collect()))
}

/// Lines of a CSV table (RFC 4180, but with LF, as every reader of it takes both).
#[must_use]
pub fn csv_rows<'a>(rows: impl Iterator<Item = &'a [Cell]>) -> Vec<u8> {
    csv_lines(rows.map(|cells| cells.iter().map(csv_cell).collect()))
}

fn csv_lines(lines: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for line in lines {
        // Writing to memory fails for lines of different length only, and every row has the columns' number of cells.
        let written = writer.write_record(line);
        debug_assert!(written.is_ok());
    }
    writer.into_inner().unwrap_or_default()
}

fn csv_cell(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Flag(value) => value.to_string(),
        Cell::Integer(value) => value.to_string(),
        // 59.0 stays 59.0, so that a reader who infers types sees a column of numbers with a fraction.
        Cell::Real(value) => format!("{value:?}"),
        Cell::Text(text) => text.clone(),
        Cell::List(items) => serde_json::to_string(items).unwrap_or_default(),
    }
}

/// Lines of an NDJSON table: one object per row.
#[must_use]
pub fn ndjson_rows<'a>(columns: &[&'static Column], rows: impl Iterator<Item = &'a [Cell]>) -> Vec<u8> {
    let mut lines = Vec::new();
    for cells in rows {
        // Writing to memory does not fail, and every key is a text.
        let written = serde_json::to_writer(&mut lines, &Record { columns, cells });
        debug_assert!(written.is_ok());
        lines.push(b'\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::query::Table;

    fn columns(names: &[&str]) -> Vec<&'static Column> {
        let of_scans = Table::Scans.columns();
        names.iter().map(|name| of_scans.iter().find(|column| column.name == *name).unwrap()).collect()
    }

    #[test]
    fn texts_are_quoted_where_they_must_be_and_missing_values_are_empty() {
        let columns = columns(&["scan_id", "age", "sex", "shape", "has_volume"]);
        let cells = [
            Cell::Text("a \"b\", c".to_owned()),
            Cell::Real(59.0),
            Cell::Null,
            Cell::List(vec![json!(1), json!(2)]),
            Cell::Flag(true),
        ];
        let rows = || std::iter::once(cells.as_slice());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert_eq!(text(csv_header(&columns)), "scan_id,age,sex,shape,has_volume\n");
        assert_eq!(text(csv_rows(rows())), "\"a \"\"b\"\", c\",59.0,,\"[1,2]\",true\n");
        let object = r#"{"scan_id":"a \"b\", c","age":59.0,"sex":null,"shape":[1,2],"has_volume":true}"#;
        assert_eq!(text(ndjson_rows(&columns, rows())), format!("{object}\n"));
    }
}
