use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::formats::parquet::{EncodeError, Field, FieldType, ParquetWriter, Value};
use crate::query::{Cell, Column, ColumnKind, Row};

/// A Parquet file in the making: batches of rows in, bytes out. Every column is nullable; whole numbers are `int64`,
/// numbers `double`, texts UTF-8, lists Parquet lists.
#[derive(Debug)]
pub struct ParquetTable {
    writer: ParquetWriter,
}

impl ParquetTable {
    /// A file without rows.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn new(columns: &[&'static Column]) -> Result<Self, EncodeError> {
        let field = |column: &&'static Column| -> Field { (column.name.to_owned(), field_type(column.kind)) };
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        Ok(Self { writer: ParquetWriter::new(columns.iter().map(field).collect(), properties)? })
    }

    /// Adds rows, each with a cell for every column, as a row group.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn add(&mut self, rows: &[Row]) -> Result<(), EncodeError> {
        rows.iter().for_each(|row| self.writer.add(&row.cells.iter().map(value).collect::<Vec<_>>()));
        self.writer.end_row_group()
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes_so_far(&self) -> usize {
        self.writer.bytes_so_far()
    }

    /// The whole file.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        self.writer.finish()
    }
}

fn field_type(kind: ColumnKind) -> FieldType {
    match kind {
        ColumnKind::Integer => FieldType::Int64,
        ColumnKind::Real => FieldType::Double,
        ColumnKind::Text => FieldType::Text,
        ColumnKind::Flag => FieldType::Boolean,
        ColumnKind::Integers => FieldType::List(Box::new(FieldType::Int64)),
        ColumnKind::Reals => FieldType::List(Box::new(FieldType::Double)),
        ColumnKind::Texts => FieldType::List(Box::new(FieldType::Text)),
    }
}

fn value(cell: &Cell) -> Value<'_> {
    match cell {
        Cell::Null => Value::Missing,
        Cell::Flag(flag) => Value::Boolean(*flag),
        Cell::Integer(n) => Value::Integer(*n),
        Cell::Real(n) => Value::Real(*n),
        Cell::Text(text) => Value::Text(text),
        Cell::List(items) => Value::List(items.iter().map(Value::from).collect()),
    }
}
