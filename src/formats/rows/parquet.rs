use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError as WriteError;
use parquet::file::properties::WriterProperties;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use serde_json::Value as Json;

use crate::query::{Cell, Column, ColumnKind, Row};

/// A Parquet file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ParquetError {
    /// The rows do not make a table.
    #[error("could not make columns of rows")]
    Columns(#[from] ArrowError),
    /// The file could not be encoded.
    #[error("could not encode a Parquet file")]
    Encode(#[from] WriteError),
}

/// A Parquet file in the making: batches of rows in, bytes out. Every column is nullable; whole numbers are `int64`,
/// numbers `double`, texts UTF-8, lists Parquet lists.
#[derive(Debug)]
pub struct ParquetTable {
    columns: Vec<&'static Column>,
    schema: Arc<Schema>,
    writer: ArrowWriter<Vec<u8>>,
}

impl ParquetTable {
    /// A file without rows.
    ///
    /// # Errors
    /// [`ParquetError`].
    pub fn new(columns: &[&'static Column]) -> Result<Self, ParquetError> {
        let field = |column: &&'static Column| Field::new(column.name, data_type(column.kind), true);
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
        Ok(Self { columns: columns.to_vec(), schema, writer })
    }

    /// Adds rows, each with a cell for every column.
    ///
    /// # Errors
    /// [`ParquetError`].
    pub fn add(&mut self, rows: &[Row]) -> Result<(), ParquetError> {
        let arrays = self
            .columns
            .iter()
            .enumerate()
            .map(|(n, column)| array(column.kind, rows.iter().map(|row| row.cells.get(n).unwrap_or(&Cell::Null))));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays.collect())?;
        Ok(self.writer.write(&batch)?)
    }

    /// Bytes so far, written or about to be.
    #[must_use]
    pub fn bytes_so_far(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    /// The whole file.
    ///
    /// # Errors
    /// [`ParquetError`].
    pub fn finish(self) -> Result<Vec<u8>, ParquetError> {
        Ok(self.writer.into_inner()?)
    }
}

fn data_type(kind: ColumnKind) -> DataType {
    let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
    match kind {
        ColumnKind::Integer => DataType::Int64,
        ColumnKind::Real => DataType::Float64,
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Flag => DataType::Boolean,
        ColumnKind::Integers => list(DataType::Int64),
        ColumnKind::Reals => list(DataType::Float64),
        ColumnKind::Texts => list(DataType::Utf8),
    }
}

fn array<'a>(kind: ColumnKind, cells: impl Iterator<Item = &'a Cell>) -> ArrayRef {
    match kind {
        ColumnKind::Integer => {
            let mut builder = Int64Builder::new();
            cells.for_each(|cell| builder.append_option(if let Cell::Integer(n) = cell { Some(*n) } else { None }));
            Arc::new(builder.finish())
        }
        ColumnKind::Real => {
            let mut builder = Float64Builder::new();
            cells.for_each(|cell| builder.append_option(if let Cell::Real(n) = cell { Some(*n) } else { None }));
            Arc::new(builder.finish())
        }
        ColumnKind::Text => {
            let mut builder = StringBuilder::new();
            cells.for_each(|cell| builder.append_option(if let Cell::Text(text) = cell { Some(text) } else { None }));
            Arc::new(builder.finish())
        }
        ColumnKind::Flag => {
            let mut builder = BooleanBuilder::new();
            cells.for_each(|cell| builder.append_option(if let Cell::Flag(flag) = cell { Some(*flag) } else { None }));
            Arc::new(builder.finish())
        }
        ColumnKind::Integers => {
            let mut builder = ListBuilder::new(Int64Builder::new());
            cells.for_each(|cell| append(&mut builder, cell, |items, item| items.append_option(item.as_i64())));
            Arc::new(builder.finish())
        }
        ColumnKind::Reals => {
            let mut builder = ListBuilder::new(Float64Builder::new());
            cells.for_each(|cell| append(&mut builder, cell, |items, item| items.append_option(item.as_f64())));
            Arc::new(builder.finish())
        }
        ColumnKind::Texts => {
            let mut builder = ListBuilder::new(StringBuilder::new());
            cells.for_each(|cell| append(&mut builder, cell, |items, item| items.append_option(item.as_str())));
            Arc::new(builder.finish())
        }
    }
}

fn append<B: arrow_array::builder::ArrayBuilder>(list: &mut ListBuilder<B>, cell: &Cell, push: impl Fn(&mut B, &Json)) {
    let Cell::List(items) = cell else { return list.append_null() };
    items.iter().for_each(|item| push(list.values(), item));
    list.append(true);
}
