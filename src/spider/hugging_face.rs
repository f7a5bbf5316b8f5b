//! The dictionaries of the Hugging Face edition (`cdoswald/SPIDER`, its loader `SPIDER.py`), type for type. Its ways are kept
//! on purpose: text is not trimmed, and where the table has no number there is 0, because the edition casts an empty cell.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{CONDITIONS, FIELDS, Field, Grading, HuggingFaceType, Metadata};

/// Levels of the edition's lists: 0 to 9.
const LEVELS: usize = 10;

/// The edition's `metadata`.
#[derive(Debug, Clone, Copy)]
pub struct HuggingFaceMetadata<'a>(pub &'a Metadata);

/// The edition's `rad_gradings`: lists of ten texts, by level, empty where there is no grading.
#[derive(Debug, Clone, Copy)]
pub struct HuggingFaceGradings<'a>(pub &'a [Grading]);

impl Serialize for HuggingFaceMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(FIELDS.len()))?;
        for (field, _, raw) in self.0.iter() {
            let key = if field.name == "orig_subset" { "OrigSubset" } else { field.column };
            match field.hugging_face_type {
                HuggingFaceType::String => map.serialize_entry(key, raw)?,
                HuggingFaceType::Int32 => map.serialize_entry(key, &(number(self.0, field) as i32))?,
                HuggingFaceType::Float64 => map.serialize_entry(key, &number(self.0, field))?,
                // Rounded to float32 and shown to the last digit, as Python shows such a value.
                HuggingFaceType::Float32 => map.serialize_entry(key, &f64::from(number(self.0, field) as f32))?,
            }
        }
        map.end()
    }
}

fn number(metadata: &Metadata, field: &Field) -> f64 {
    metadata.number(field.name).unwrap_or(0.0)
}

impl Serialize for HuggingFaceGradings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + CONDITIONS.len()))?;
        let levels: Vec<String> = (0..LEVELS).map(|level| level.to_string()).collect();
        map.serialize_entry("IVD label", &levels)?;
        for (n, condition) in CONDITIONS.iter().enumerate() {
            let text = |level: usize| {
                let grading = self.0.iter().find(|grading| usize::from(grading.level) == level);
                grading.and_then(|grading| grading.values()[n]).map_or_else(String::new, |value| value.to_string())
            };
            map.serialize_entry(condition.column, &(0..LEVELS).map(text).collect::<Vec<_>>())?;
        }
        map.end()
    }
}
