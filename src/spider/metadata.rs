mod cell;
mod fields;
#[cfg(test)]
mod tests;

pub use cell::{InvalidCell, Value};
pub use fields::FIELDS;
use serde::ser::{Serialize, SerializeMap, Serializer};
use sha2::{Digest, Sha256};

/// How the cleaned value of a field looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// A whole number that fits 32 bits.
    Integer,
    /// A finite number.
    Real,
    /// Text without white space at its ends.
    Text,
    /// Several finite numbers.
    Reals,
    /// Several texts; a single one is a list of one.
    Texts,
}

impl FieldKind {
    fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
            Self::Reals => "reals",
            Self::Texts => "texts",
        }
    }
}

/// The type of a field in the Hugging Face edition of the data set, by its name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HuggingFaceType {
    /// `int32`.
    Int32,
    /// `float32`.
    Float32,
    /// `float64`.
    Float64,
    /// `string`.
    String,
}

/// One column of `overview.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field {
    /// The column's header.
    pub column: &'static str,
    /// The name in JSON and in filters: `snake_case`.
    pub name: &'static str,
    /// How the cleaned value looks.
    pub kind: FieldKind,
    /// The type in the Hugging Face edition.
    pub hugging_face_type: HuggingFaceType,
    /// The unit of the value, e.g. `ms`.
    pub unit: Option<&'static str>,
    /// What it is, in a few words.
    pub description: &'static str,
}

/// Changes when the columns, names or types of [`FIELDS`] do: 16 hexadecimal digits.
#[must_use]
pub fn fields_digest() -> String {
    let mut hash = Sha256::new();
    for field in &FIELDS {
        hash.update(format!("{}\t{}\t{}\n", field.column, field.name, field.kind.name()));
    }
    hex::encode(&hash.finalize()[..8])
}

/// What `overview.csv` says of one scan: every cell as it was, and cleaned.
///
/// Serialises to a map from field name to cleaned value, in the order of [`FIELDS`]; a missing value is null.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// One for each of [`FIELDS`].
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, PartialEq)]
struct Cell {
    raw: String,
    value: Option<Value>,
}

impl Metadata {
    /// Cleans the cells of one row, given in the order of [`FIELDS`].
    ///
    /// White space at the ends is cut, an empty cell is a missing value, and list literals become lists. The raw cells
    /// are kept: giving them back to this function gives an equal value.
    ///
    /// # Errors
    /// The first cell that is not what its field takes.
    pub fn from_cells(raw: [&str; FIELDS.len()]) -> Result<Self, InvalidCell> {
        let clean =
            |(field, raw): (&'static Field, &str)| Ok(Cell { raw: raw.to_owned(), value: cell::clean(field, raw)? });
        Ok(Self { cells: FIELDS.iter().zip(raw).map(clean).collect::<Result<_, _>>()? })
    }

    /// The cleaned value of a field; `None` when it is missing or when no field has this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.cell(name)?.value.as_ref()
    }

    /// The cell as it stands in the table; `None` when no field has this name.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&str> {
        Some(&self.cell(name)?.raw)
    }

    /// The value of a field that holds one number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Value::Integer(number) => Some(*number as f64),
            Value::Real(number) => Some(*number),
            Value::Text(_) | Value::Reals(_) | Value::Texts(_) => None,
        }
    }

    /// The value of a field that holds one text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            Value::Integer(_) | Value::Real(_) | Value::Reals(_) | Value::Texts(_) => None,
        }
    }

    /// Every field with its cleaned value and its raw cell, in the order of [`FIELDS`].
    pub fn iter(&self) -> impl Iterator<Item = (&'static Field, Option<&Value>, &str)> {
        FIELDS.iter().zip(&self.cells).map(|(field, cell)| (field, cell.value.as_ref(), cell.raw.as_str()))
    }

    fn cell(&self, name: &str) -> Option<&Cell> {
        self.cells.get(FIELDS.iter().position(|field| field.name == name)?)
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(FIELDS.len()))?;
        for (field, value, _) in self.iter() {
            map.serialize_entry(field.name, &value)?;
        }
        map.end()
    }
}
