use csv::{ByteRecord, Reader, StringRecord};

use super::TableError;

/// A table whose columns have been found.
pub(super) struct Columns<'a, const N: usize> {
    table: &'static str,
    bytes: &'a [u8],
    reader: Reader<&'a [u8]>,
    /// Line breaks have been counted up to here.
    counted: usize,
    /// The line that begins there, counted from 1.
    line: u64,
    /// Where each wanted column stands.
    positions: [usize; N],
    /// Headers that nobody requested, in the table's order.
    pub(super) unknown: Vec<String>,
}

/// The wanted cells of one row.
pub(super) struct Row<const N: usize> {
    record: StringRecord,
    positions: [usize; N],
    /// Counted from 1, the header included.
    pub(super) line: u64,
}

impl<'a, const N: usize> Columns<'a, N> {
    pub(super) fn find(table: &'static str, bytes: &'a [u8], wanted: [&str; N]) -> Result<Self, TableError> {
        let mut reader = Reader::from_reader(bytes);
        let headers = reader.headers().map_err(|error| unreadable(table, 1, &error))?.clone();
        let headers: Vec<&str> = headers.iter().map(str::trim).collect();
        if let Some(n) = (0..headers.len()).find(|&n| headers[..n].contains(&headers[n])) {
            return Err(TableError::DuplicateColumn { table, column: headers[n].to_owned() });
        }
        let position = |column: &str| headers.iter().position(|header| *header == column);
        let missing: Vec<&str> = wanted.into_iter().filter(|column| position(column).is_none()).collect();
        if !missing.is_empty() {
            let (columns, found) = (missing.join(", "), headers.join(", "));
            return Err(TableError::MissingColumns { table, columns, found });
        }
        let unknown = headers.iter().filter(|header| !wanted.contains(header)).map(ToString::to_string).collect();
        let positions = wanted.map(|column| position(column).unwrap_or(usize::MAX));
        Ok(Self { table, bytes, reader, counted: 0, line: 1, positions, unknown })
    }

    /// The next row, or `None` after the last.
    pub(super) fn next_row(&mut self) -> Result<Option<Row<N>>, TableError> {
        let table = self.table;
        let mut record = ByteRecord::new();
        let start = self.reader.position().byte();
        let line = self.line_at(usize::try_from(start).unwrap_or(usize::MAX));
        if !self.reader.read_byte_record(&mut record).map_err(|error| unreadable(table, line, &error))? {
            return Ok(None);
        }
        let record = StringRecord::from_byte_record(record)
            .map_err(|_| TableError::Csv { table, reason: format!("line {line} is not UTF-8 text") })?;
        Ok(Some(Row { record, positions: self.positions, line }))
    }

    /// The line of the row that begins at or after this byte; later than the one before. (The reader's own count is one
    /// line behind when lines end in CRLF, because it has yet to see the LF.)
    fn line_at(&mut self, start: usize) -> u64 {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let breaks = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let start = self.bytes.len().min(start.saturating_add(breaks));
        let passed = self.bytes.get(self.counted..start).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.counted = start;
        self.line
    }
}

impl<const N: usize> Row<N> {
    /// The cell of the `n`-th wanted column.
    pub(super) fn cell(&self, n: usize) -> &str {
        self.positions.get(n).and_then(|&position| self.record.get(position)).unwrap_or_default()
    }
}

fn unreadable(table: &'static str, line: u64, error: &csv::Error) -> TableError {
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line} has {len} cells, its header {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "its header is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    };
    TableError::Csv { table, reason }
}
