//! Shards for Hugging Face `datasets`: Parquet with the features of the published edition (`cdoswald/SPIDER`), one row per
//! scan, images as lists of encoded images.
//!
//! The features stand in the file's metadata under `huggingface`, which is where `datasets` looks for them.

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::{Value as Json, json};

use super::parquet::{EncodeError, Field as ParquetField, FieldType, ParquetWriter, Value};
use crate::spider::{CONDITIONS, FIELDS, Field, HuggingFaceType};

/// Name of this format among exports.
pub const FORMAT: &str = "hf-parquet";

/// Rows of a row group: a row is a whole scan, and readers load a group at a time, also for the first example of a stream.
const ROWS_IN_GROUP: usize = 1;

/// One scan, as the edition has it.
#[derive(Debug, Clone)]
pub struct HuggingFaceRow {
    /// As text.
    pub patient_id: String,
    /// `t1`, `t2` or `t2_SPACE`.
    pub scan_type: String,
    /// Encoded images, slice by slice.
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
pub struct HuggingFaceShard {
    writer: ParquetWriter,
    rows_in_group: usize,
}

impl HuggingFaceShard {
    /// A shard without rows.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn new() -> Result<Self, EncodeError> {
        let described = json!({ "info": { "features": features() } }).to_string();
        // Renderings are compressed already.
        let properties = WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_dictionary_enabled(false)
            .set_key_value_metadata(Some(vec![KeyValue::new("huggingface".to_owned(), described)]))
            .build();
        Ok(Self { writer: ParquetWriter::new(fields(), properties)?, rows_in_group: 0 })
    }

    /// Adds a scan.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn add(&mut self, row: &HuggingFaceRow) -> Result<(), EncodeError> {
        self.writer.add(&[
            Value::Text(&row.patient_id),
            Value::Text(&row.scan_type),
            renderer(&row.image),
            renderer(&row.mask),
            Value::Text(&row.image_path),
            Value::Text(&row.mask_path),
            Value::Struct(FIELDS.iter().map(|field| Value::from(&row.metadata[name(field)])).collect()),
            Value::Struct(grading_names().map(|name| Value::from(&row.rad_gradings[name])).collect()),
        ]);
        self.rows_in_group += 1;
        if self.rows_in_group == ROWS_IN_GROUP {
            self.rows_in_group = 0;
            self.writer.end_row_group()?;
        }
        Ok(())
    }

    /// Bytes so far, written or about to be.
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

/// The name of a metadata field in the edition.
fn name(field: &Field) -> &'static str {
    if field.name == "orig_subset" { "OrigSubset" } else { field.column }
}

/// The features, as `datasets` writes them.
fn features() -> Json {
    let value = |kind: &str| json!({ "dtype": kind, "_type": "Value" });
    let renderer = json!({ "feature": { "_type": "Image" }, "_type": "Sequence" });
    let texts = json!({ "feature": value("string"), "_type": "Sequence" });
    let metadata: serde_json::Map<_, _> =
        FIELDS.iter().map(|field| (name(field).to_owned(), value(dtype(field)))).collect();
    let gradings: serde_json::Map<_, _> = grading_names().map(|name| (name.to_owned(), texts.clone())).collect();
    json!({
        "patient_id": value("string"),
        "scan_type": value("string"),
        "image": renderer,
        "mask": renderer,
        "image_path": value("string"),
        "mask_path": value("string"),
        "metadata": metadata,
        "rad_gradings": gradings,
    })
}

/// The features of a dataset's card, in YAML, each line behind `indent`.
#[must_use]
pub fn yaml_features(indent: &str) -> String {
    let mut lines = Vec::new();
    let mut value = |depth: &str, name: &str, kind: &str| {
        lines.push(format!("{depth}- name: {name}"));
        lines.push(format!("{depth}  {kind}"));
    };
    for name in ["patient_id", "scan_type"] {
        value("", name, "dtype: string");
    }
    for name in ["image", "mask"] {
        value("", name, "sequence: image");
    }
    for name in ["image_path", "mask_path"] {
        value("", name, "dtype: string");
    }
    value("", "metadata", "struct:");
    for field in FIELDS {
        value("  ", name(&field), &format!("dtype: {}", dtype(&field)));
    }
    value("", "rad_gradings", "struct:");
    for name in grading_names() {
        value("  ", name, "sequence: string");
    }
    lines.iter().map(|line| format!("{indent}{line}\n")).collect()
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

fn fields() -> Vec<ParquetField> {
    let field = |name: &str, of| -> ParquetField { (name.to_owned(), of) };
    let text = |name: &str| field(name, FieldType::Text);
    let list = |of| FieldType::List(Box::new(of));
    let renderer = || list(FieldType::Struct(vec![field("bytes", FieldType::Binary), field("path", FieldType::Text)]));
    let kind = |field: &Field| match field.hugging_face_type {
        HuggingFaceType::Int32 => FieldType::Int32,
        HuggingFaceType::Float32 => FieldType::Float,
        HuggingFaceType::Float64 => FieldType::Double,
        HuggingFaceType::String => FieldType::Text,
    };
    let metadata = FIELDS.iter().map(|of| field(name(of), kind(of))).collect();
    let gradings = grading_names().map(|name| field(name, list(FieldType::Text))).collect();
    vec![
        text("patient_id"),
        text("scan_type"),
        field("image", renderer()),
        field("mask", renderer()),
        text("image_path"),
        text("mask_path"),
        field("metadata", FieldType::Struct(metadata)),
        field("rad_gradings", FieldType::Struct(gradings)),
    ]
}

fn renderer(files: &[Bytes]) -> Value<'_> {
    Value::List(files.iter().map(|bytes| Value::Struct(vec![Value::Binary(bytes), Value::Missing])).collect())
}
