//! Rows of nested values → Parquet. Each row is split into leaf columns: values, with the level to which each is defined and
//! the level at which it repeats.
//!
//! Source: <https://parquet.apache.org/docs/file-format/nestedencoding/>; lists have the three levels of
//! <https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#lists>.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

/// A Parquet file could not be encoded.
#[derive(Debug, thiserror::Error)]
#[error("could not encode a Parquet file")]
pub struct EncodeError(#[from] ParquetError);

/// What a field holds. Every value may be missing.
#[derive(Debug, Clone)]
pub(super) enum FieldType {
    Boolean,
    Int32,
    Int64,
    Float,
    Double,
    Text,
    Binary,
    List(Box<FieldType>),
    Struct(Vec<Field>),
}

/// Name and type of a field.
pub(super) type Field = (String, FieldType);

/// A value. One that does not fit its field's type is written as missing.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Missing,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Binary(&'a Bytes),
    List(Vec<Value<'a>>),
    Struct(Vec<Value<'a>>),
}

impl<'a> From<&'a serde_json::Value> for Value<'a> {
    fn from(json: &'a serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Bool(value) => Self::Boolean(*value),
            Json::Number(number) => {
                number.as_i64().map(Self::Integer).or_else(|| number.as_f64().map(Self::Real)).unwrap_or(Self::Missing)
            }
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Json::Null | Json::Object(_) => Self::Missing,
        }
    }
}

/// Encodes rows as a file in memory.
#[derive(Debug)]
pub(super) struct ParquetWriter {
    fields: Vec<Field>,
    /// The row group that has not been written yet.
    leaves: Vec<Leaf>,
    file: SerializedFileWriter<Vec<u8>>,
}

impl ParquetWriter {
    pub(super) fn new(fields: Vec<Field>, properties: WriterProperties) -> Result<Self, EncodeError> {
        let nodes = fields.iter().map(|(name, of)| node(name, of)).collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("schema").with_fields(nodes).build()?;
        let file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        let leaves = empty_leaves(&fields);
        Ok(Self { fields, leaves, file })
    }

    /// Adds a row to the current row group: a value for every field.
    pub(super) fn add(&mut self, row: &[Value<'_>]) {
        append_fields(&self.fields, row, Level::default(), &mut self.leaves);
    }

    /// Writes the current row group, if it has rows, and begins another.
    pub(super) fn end_row_group(&mut self) -> Result<(), EncodeError> {
        let leaves = std::mem::replace(&mut self.leaves, empty_leaves(&self.fields));
        if leaves.iter().all(|leaf| leaf.definitions.is_empty()) {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for leaf in &leaves {
            if let Some(mut column) = group.next_column()? {
                leaf.write(&mut column)?;
                column.close()?;
            }
        }
        group.close()?;
        Ok(())
    }

    /// Bytes so far: those written, and the texts and binary values of the current row group.
    pub(super) fn bytes_so_far(&self) -> usize {
        self.file.bytes_written() + self.leaves.iter().map(|leaf| leaf.values.bytes()).sum::<usize>()
    }

    /// The whole file.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, EncodeError> {
        self.end_row_group()?;
        Ok(self.file.into_inner()?)
    }
}

fn node(name: &str, of: &FieldType) -> Result<TypePtr, ParquetError> {
    let group = |fields| Type::group_type_builder(name).with_repetition(Repetition::OPTIONAL).with_fields(fields);
    let primitive = |of| Type::primitive_type_builder(name, of).with_repetition(Repetition::OPTIONAL);
    let node = match of {
        FieldType::Boolean => primitive(PhysicalType::BOOLEAN).build()?,
        FieldType::Int32 => primitive(PhysicalType::INT32).build()?,
        FieldType::Int64 => primitive(PhysicalType::INT64).build()?,
        FieldType::Float => primitive(PhysicalType::FLOAT).build()?,
        FieldType::Double => primitive(PhysicalType::DOUBLE).build()?,
        FieldType::Text => primitive(PhysicalType::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)).build()?,
        FieldType::Binary => primitive(PhysicalType::BYTE_ARRAY).build()?,
        FieldType::List(item) => {
            let items = Type::group_type_builder("list").with_repetition(Repetition::REPEATED);
            let items = items.with_fields(vec![node("element", item)?]).build()?;
            group(vec![Arc::new(items)]).with_logical_type(Some(LogicalType::List)).build()?
        }
        FieldType::Struct(fields) => {
            group(fields.iter().map(|(name, of)| node(name, of)).collect::<Result<_, _>>()?).build()?
        }
    };
    Ok(Arc::new(node))
}

/// How far the ancestors of a value are defined, and in which list it goes on.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    definition: i16,
    repetition: i16,
    /// Number of lists around the value.
    lists: i16,
}

fn append_fields(fields: &[Field], values: &[Value<'_>], level: Level, mut leaves: &mut [Leaf]) {
    for (n, (_, of)) in fields.iter().enumerate() {
        let (own, others) = leaves.split_at_mut(leaf_count(of));
        append(of, values.get(n).unwrap_or(&Value::Missing), level, own);
        leaves = others;
    }
}

/// Appends a value to the leaves of its field.
fn append(of: &FieldType, value: &Value<'_>, level: Level, leaves: &mut [Leaf]) {
    match (of, value) {
        (FieldType::List(item), Value::List(items)) if !items.is_empty() => {
            let lists = level.lists + 1;
            for (n, value) in items.iter().enumerate() {
                let repetition = if n == 0 { level.repetition } else { lists };
                append(item, value, Level { definition: level.definition + 2, repetition, lists }, leaves);
            }
        }
        (FieldType::List(_), Value::List(_)) => {
            append_missing(Level { definition: level.definition + 1, ..level }, leaves);
        }
        (FieldType::Struct(fields), Value::Struct(values)) => {
            append_fields(fields, values, Level { definition: level.definition + 1, ..level }, leaves);
        }
        (FieldType::List(_) | FieldType::Struct(_), _) => append_missing(level, leaves),
        _ => leaves.iter_mut().for_each(|leaf| leaf.append(value, level)),
    }
}

fn append_missing(level: Level, leaves: &mut [Leaf]) {
    leaves.iter_mut().for_each(|leaf| leaf.append(&Value::Missing, level));
}

fn leaf_count(of: &FieldType) -> usize {
    match of {
        FieldType::List(item) => leaf_count(item),
        FieldType::Struct(fields) => fields.iter().map(|(_, of)| leaf_count(of)).sum(),
        _ => 1,
    }
}

/// The leaves of fields, in the order of the file's columns.
fn empty_leaves(fields: &[Field]) -> Vec<Leaf> {
    fn collect(of: &FieldType, leaves: &mut Vec<Leaf>) {
        let values = match of {
            FieldType::Boolean => Values::Boolean(Vec::new()),
            FieldType::Int32 => Values::Int32(Vec::new()),
            FieldType::Int64 => Values::Int64(Vec::new()),
            FieldType::Float => Values::Float(Vec::new()),
            FieldType::Double => Values::Double(Vec::new()),
            FieldType::Text | FieldType::Binary => Values::Bytes(Vec::new()),
            FieldType::List(item) => return collect(item, leaves),
            FieldType::Struct(fields) => return fields.iter().for_each(|(_, of)| collect(of, leaves)),
        };
        leaves.push(Leaf { values, definitions: Vec::new(), repetitions: Vec::new() });
    }
    let mut leaves = Vec::new();
    fields.iter().for_each(|(_, of)| collect(of, &mut leaves));
    leaves
}

/// A leaf column of a row group: the values that are there, and two levels for every value, there or missing.
#[derive(Debug)]
struct Leaf {
    values: Values,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

impl Leaf {
    fn append(&mut self, value: &Value<'_>, level: Level) {
        let present = self.values.push(value);
        self.definitions.push(level.definition + i16::from(present));
        self.repetitions.push(level.repetition);
    }

    fn write(&self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let (definitions, repetitions) = (Some(&*self.definitions), Some(&*self.repetitions));
        match &self.values {
            Values::Boolean(values) => column.typed::<BoolType>().write_batch(values, definitions, repetitions)?,
            Values::Int32(values) => column.typed::<Int32Type>().write_batch(values, definitions, repetitions)?,
            Values::Int64(values) => column.typed::<Int64Type>().write_batch(values, definitions, repetitions)?,
            Values::Float(values) => column.typed::<FloatType>().write_batch(values, definitions, repetitions)?,
            Values::Double(values) => column.typed::<DoubleType>().write_batch(values, definitions, repetitions)?,
            Values::Bytes(values) => column.typed::<ByteArrayType>().write_batch(values, definitions, repetitions)?,
        };
        Ok(())
    }
}

#[derive(Debug)]
enum Values {
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
}

impl Values {
    /// Appends a value if it is of this type.
    fn push(&mut self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Boolean(values), Value::Boolean(value)) => values.push(*value),
            (Self::Int32(values), Value::Integer(value)) => match i32::try_from(*value) {
                Ok(value) => values.push(value),
                Err(_) => return false,
            },
            (Self::Int64(values), Value::Integer(value)) => values.push(*value),
            (Self::Float(values), Value::Integer(value)) => values.push(*value as f32),
            (Self::Float(values), Value::Real(value)) => values.push(*value as f32),
            (Self::Double(values), Value::Integer(value)) => values.push(*value as f64),
            (Self::Double(values), Value::Real(value)) => values.push(*value),
            (Self::Bytes(values), Value::Text(text)) => values.push(ByteArray::from(*text)),
            (Self::Bytes(values), Value::Binary(bytes)) => values.push(ByteArray::from((*bytes).clone())),
            _ => return false,
        }
        true
    }

    /// Bytes of texts and binary values; numbers are too small to count.
    fn bytes(&self) -> usize {
        if let Self::Bytes(values) = self { values.iter().map(ByteArray::len).sum() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field as Record, Row};
    use serde_json::{Value as Json, json};

    use super::*;

    fn field(name: &str, of: FieldType) -> Field {
        (name.to_owned(), of)
    }

    fn list(of: FieldType) -> FieldType {
        FieldType::List(Box::new(of))
    }

    /// What the crate's own reader makes of the file.
    fn read(file: Vec<u8>) -> Vec<Json> {
        let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
        reader.get_row_iter(None).unwrap().map(|row| object(&row.unwrap())).collect()
    }

    fn object(row: &Row) -> Json {
        row.get_column_iter().map(|(name, value)| (name.clone(), plain(value))).collect()
    }

    fn plain(value: &Record) -> Json {
        match value {
            Record::Null => Json::Null,
            Record::Bool(value) => json!(value),
            Record::Int(value) => json!(value),
            Record::Long(value) => json!(value),
            Record::Float(value) => json!(value),
            Record::Double(value) => json!(value),
            Record::Str(value) => json!(value),
            Record::Bytes(value) => json!(value.data()),
            Record::Group(row) => object(row),
            Record::ListInternal(items) => items.elements().iter().map(plain).collect(),
            other => panic!("{other:?} is not written here"),
        }
    }

    #[test]
    fn missing_values_and_empty_lists_stay_apart_at_every_depth() {
        let fields = vec![
            field("number", FieldType::Int64),
            field("texts", list(FieldType::Text)),
            field("lists", list(list(FieldType::Double))),
            field(
                "of",
                FieldType::Struct(vec![
                    field("flag", FieldType::Boolean),
                    field("sizes", list(FieldType::Int32)),
                    field("ratio", FieldType::Float),
                ]),
            ),
        ];
        let mut writer = ParquetWriter::new(fields, WriterProperties::default()).unwrap();
        let texts = || Value::List(vec![Value::Text("a"), Value::Missing, Value::Text("")]);
        let lists = || {
            let inner = Value::List(vec![Value::Real(0.5), Value::Missing, Value::Integer(2)]);
            Value::List(vec![inner, Value::List(vec![]), Value::Missing, Value::List(vec![Value::Real(-1.0)])])
        };
        let sizes = || Value::List(vec![Value::Integer(7), Value::Integer(1 << 40)]);
        writer.add(&[Value::Integer(1 << 40), texts(), lists(), Value::Struct(vec![Value::Boolean(true), sizes()])]);
        writer.add(&[Value::Missing, Value::List(vec![]), Value::List(vec![]), Value::Missing]);
        writer.end_row_group().unwrap();
        // A text where a number belongs, and too few values.
        writer.add(&[Value::Text("7"), Value::Missing]);
        let of = Value::Struct(vec![Value::Missing, Value::List(vec![]), Value::Real(0.25)]);
        writer.add(&[Value::Integer(-3), texts(), Value::Missing, of]);
        let expected = [
            json!({ "number": 1_i64 << 40, "texts": ["a", null, ""], "lists": [[0.5, null, 2.0], [], null, [-1.0]],
                "of": { "flag": true, "sizes": [7, null], "ratio": null } }),
            json!({ "number": null, "texts": [], "lists": [], "of": null }),
            json!({ "number": null, "texts": null, "lists": null, "of": null }),
            json!({ "number": -3, "texts": ["a", null, ""], "lists": null, "of": { "flag": null, "sizes": [], "ratio": 0.25 } }),
        ];
        assert_eq!(read(writer.finish().unwrap()), expected);
    }

    #[test]
    fn lists_of_structs_keep_their_fields_together() {
        let item = FieldType::Struct(vec![field("bytes", FieldType::Binary), field("path", FieldType::Text)]);
        let fields = vec![field("image", list(item))];
        let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
        let mut writer = ParquetWriter::new(fields, properties).unwrap();
        let (a, b) = (Bytes::from_static(b"\xffPNG"), Bytes::from_static(b""));
        let images = vec![
            Value::Struct(vec![Value::Binary(&a), Value::Missing]),
            Value::Missing,
            Value::Struct(vec![Value::Binary(&b), Value::Text("b.png")]),
        ];
        writer.add(&[Value::List(images)]);
        assert_eq!(writer.bytes_so_far(), 4 + a.len() + "b.png".len());
        let rows = read(writer.finish().unwrap());
        let (first, last) = (json!({ "bytes": a.to_vec(), "path": null }), json!({ "bytes": [], "path": "b.png" }));
        assert_eq!(rows, [json!({ "image": [first, null, last] })]);
    }

    #[test]
    fn a_file_without_rows_has_its_columns() {
        let writer = ParquetWriter::new(vec![field("n", FieldType::Int64)], WriterProperties::default()).unwrap();
        let reader = SerializedFileReader::new(Bytes::from(writer.finish().unwrap())).unwrap();
        let file = reader.metadata().file_metadata();
        assert_eq!((file.num_rows(), reader.num_row_groups(), file.schema_descr().num_columns()), (0, 0, 1));
    }
}
