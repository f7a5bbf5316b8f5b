use serde::Serialize;
use serde_json::Value as Json;

/// A value in an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Missing.
    Null,
    /// True or false.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Real(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
}

/// A row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which scan, slice, disc or patient it is: see [`Cursor::key`].
    pub key: Vec<i64>,
    /// One for each column that was requested.
    pub cells: Vec<Cell>,
}

/// The place after a row: what the next page starts from. New rows before or after it change nothing for those that
/// follow, so that a cursor outlives imports.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    /// The row's values of the columns that the listing is sorted by.
    pub sorted_by: Vec<Cell>,
    /// The row's own numbers, in the table's natural order.
    pub key: Vec<i64>,
}

impl Cursor {
    /// As text, for a listing sorted like this (`-age,scan_id`).
    #[must_use]
    pub fn to_text(&self, sort: &str) -> String {
        serde_json::to_string(&(sort, &self.sorted_by, &self.key)).unwrap_or_default()
    }

    /// The reverse of [`Cursor::to_text`]; `None` for any other text, and for the cursor of a listing that is sorted
    /// otherwise.
    #[must_use]
    pub fn from_text(text: &str, sort: &str, sort_columns: usize, key_columns: usize) -> Option<Self> {
        let (of, values, key): (String, Vec<Json>, Vec<i64>) = serde_json::from_str(text).ok()?;
        let fits = of == sort && values.len() == sort_columns && key.len() == key_columns;
        let sorted_by = values.into_iter().map(cell).collect::<Option<_>>()?;
        fits.then_some(Self { sorted_by, key })
    }
}

fn cell(json: Json) -> Option<Cell> {
    match json {
        Json::Null => Some(Cell::Null),
        Json::Bool(flag) => Some(Cell::Flag(flag)),
        Json::Number(number) => number.as_i64().map(Cell::Integer).or_else(|| number.as_f64().map(Cell::Real)),
        Json::String(text) => Some(Cell::Text(text)),
        Json::Array(_) | Json::Object(_) => None,
    }
}
