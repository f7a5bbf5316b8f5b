//! Shards for Hugging Face `datasets`: Parquet with the features of the published edition (`cdoswald/SPIDER`), one row per
//! scan, images as lists of encoded pictures.
//!
//! The features stand in the schema's metadata under `huggingface`, which is where `datasets` looks for them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Float32Builder, Float64Builder, Int32Builder, ListBuilder, StringBuilder, StructBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, StructArray};
use arrow_schema::{ArrowError, DataType, Field as ArrowField, FieldRef, Fields, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::{Value as Json, json};

use super::rows::ParquetError;
use crate::spider::{CONDITIONS, FIELDS, Field, HuggingFaceType};

/// Rows of a row group: few, because a row is a whole scan and readers load a group at a time.
const ROWS_IN_GROUP: usize = 2;

/// One scan, as the edition has it.
#[derive(Debug, Clone)]
pub struct EditionRow {
    /// As text.
    pub patient_id: String,
    /// `t1`, `t2` or `t2_SPACE`.
    pub scan_type: String,
    /// Encoded pictures, slice by slice.
    pub image: Vec<Bytes>,
    /// Encoded masks, slice by slice.
    pub mask: Vec<Bytes>,
    /// Where the image is.
    pub image_path: String,
    /// Where the mask is.
    pub mask_path: String,
    /// The edition's dictionary, as JSON.
    pub metadata: Json,
    /// The edition's dictionary of lists, as JSON.
    pub rad_gradings: Json,
}

/// A shard in the making.
#[derive(Debug)]
pub struct EditionShard {
    schema: Arc<Schema>,
    writer: ArrowWriter<Vec<u8>>,
}

impl EditionShard {
    /// A shard without rows.
    ///
    /// # Errors
    /// [`ParquetError`].
    pub fn new() -> Result<Self, ParquetError> {
        let described = [("huggingface".to_owned(), json!({ "info": { "features": features() } }).to_string())];
        let schema = Arc::new(Schema::new(columns()).with_metadata(HashMap::from(described)));
        // Pictures are compressed already.
        let properties = WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(Some(ROWS_IN_GROUP))
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
        Ok(Self { schema, writer })
    }

    /// Adds a scan.
    ///
    /// # Errors
    /// [`ParquetError`].
    pub fn add(&mut self, row: &EditionRow) -> Result<(), ParquetError> {
        let text = |text: &str| -> ArrayRef { Arc::new(arrow_array::StringArray::from(vec![text])) };
        let arrays = vec![
            text(&row.patient_id),
            text(&row.scan_type),
            pictures(&row.image),
            pictures(&row.mask),
            text(&row.image_path),
            text(&row.mask_path),
            metadata(&row.metadata)?,
            gradings(&row.rad_gradings)?,
        ];
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)?;
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

/// The name of a metadata field in the edition.
fn name(field: &Field) -> &'static str {
    if field.name == "orig_subset" { "OrigSubset" } else { field.column }
}

/// The features, as `datasets` writes them.
fn features() -> Json {
    let value = |kind: &str| json!({ "dtype": kind, "_type": "Value" });
    let pictures = json!({ "feature": { "_type": "Image" }, "_type": "Sequence" });
    let texts = json!({ "feature": value("string"), "_type": "Sequence" });
    let metadata: serde_json::Map<_, _> =
        FIELDS.iter().map(|field| (name(field).to_owned(), value(dtype(field)))).collect();
    let gradings: serde_json::Map<_, _> = grading_names().map(|name| (name.to_owned(), texts.clone())).collect();
    json!({
        "patient_id": value("string"),
        "scan_type": value("string"),
        "image": pictures,
        "mask": pictures,
        "image_path": value("string"),
        "mask_path": value("string"),
        "metadata": metadata,
        "rad_gradings": gradings,
    })
}

fn dtype(field: &Field) -> &'static str {
    match field.hugging_face_type {
        HuggingFaceType::Int32 => "int32",
        HuggingFaceType::Float32 => "float32",
        HuggingFaceType::Float64 => "float64",
        HuggingFaceType::String => "string",
    }
}

fn grading_names() -> impl Iterator<Item = &'static str> {
    std::iter::once("IVD label").chain(CONDITIONS.iter().map(|condition| condition.column))
}

fn picture_fields() -> Fields {
    Fields::from(vec![ArrowField::new("bytes", DataType::Binary, true), ArrowField::new("path", DataType::Utf8, true)])
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(ArrowField::new_list_field(item, true)))
}

fn metadata_fields() -> Vec<FieldRef> {
    let kind = |field: &Field| match field.hugging_face_type {
        HuggingFaceType::Int32 => DataType::Int32,
        HuggingFaceType::Float32 => DataType::Float32,
        HuggingFaceType::Float64 => DataType::Float64,
        HuggingFaceType::String => DataType::Utf8,
    };
    FIELDS.iter().map(|field| Arc::new(ArrowField::new(name(field), kind(field), true))).collect()
}

fn grading_fields() -> Vec<FieldRef> {
    grading_names().map(|name| Arc::new(ArrowField::new(name, list_of(DataType::Utf8), true))).collect()
}

fn columns() -> Vec<ArrowField> {
    let text = |name: &str| ArrowField::new(name, DataType::Utf8, true);
    let pictures = || list_of(DataType::Struct(picture_fields()));
    vec![
        text("patient_id"),
        text("scan_type"),
        ArrowField::new("image", pictures(), true),
        ArrowField::new("mask", pictures(), true),
        text("image_path"),
        text("mask_path"),
        ArrowField::new("metadata", DataType::Struct(metadata_fields().into()), true),
        ArrowField::new("rad_gradings", DataType::Struct(grading_fields().into()), true),
    ]
}

fn pictures(files: &[Bytes]) -> ArrayRef {
    let builders: Vec<Box<dyn arrow_array::builder::ArrayBuilder>> =
        vec![Box::new(BinaryBuilder::new()), Box::new(StringBuilder::new())];
    let mut list = ListBuilder::new(StructBuilder::new(picture_fields(), builders));
    for file in files {
        if let Some(bytes) = list.values().field_builder::<BinaryBuilder>(0) {
            bytes.append_value(file);
        }
        if let Some(path) = list.values().field_builder::<StringBuilder>(1) {
            path.append_null();
        }
        list.values().append(true);
    }
    list.append(true);
    Arc::new(list.finish())
}

fn metadata(values: &Json) -> Result<ArrayRef, ArrowError> {
    let array = |field: &Field| -> ArrayRef {
        let value = &values[name(field)];
        match field.hugging_face_type {
            HuggingFaceType::Int32 => {
                let mut builder = Int32Builder::new();
                builder.append_option(value.as_i64().and_then(|n| i32::try_from(n).ok()));
                Arc::new(builder.finish())
            }
            HuggingFaceType::Float32 => {
                let mut builder = Float32Builder::new();
                builder.append_option(value.as_f64().map(|n| n as f32));
                Arc::new(builder.finish())
            }
            HuggingFaceType::Float64 => {
                let mut builder = Float64Builder::new();
                builder.append_option(value.as_f64());
                Arc::new(builder.finish())
            }
            HuggingFaceType::String => {
                let mut builder = StringBuilder::new();
                builder.append_option(value.as_str());
                Arc::new(builder.finish())
            }
        }
    };
    let arrays = FIELDS.iter().map(array).collect();
    Ok(Arc::new(StructArray::try_new(metadata_fields().into(), arrays, None)?))
}

fn gradings(values: &Json) -> Result<ArrayRef, ArrowError> {
    let array = |name: &str| -> ArrayRef {
        let mut list = ListBuilder::new(StringBuilder::new());
        let texts = values[name].as_array().map(Vec::as_slice).unwrap_or_default();
        texts.iter().for_each(|text| list.values().append_option(text.as_str()));
        list.append(true);
        Arc::new(list.finish())
    };
    let arrays = grading_names().map(array).collect();
    Ok(Arc::new(StructArray::try_new(grading_fields().into(), arrays, None)?))
}
