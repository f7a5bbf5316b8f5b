use serde::Serialize;

use super::{Field, FieldKind};

/// A cleaned value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Real(f64),
    /// Text.
    Text(String),
    /// Several finite numbers.
    Reals(Vec<f64>),
    /// Several texts.
    Texts(Vec<String>),
}

/// A cell that is not what its column takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{column} is {cell:?}, expected {expected}")]
pub struct InvalidCell {
    /// The column's header.
    pub column: &'static str,
    /// The cell.
    pub cell: String,
    /// What is allowed.
    pub expected: &'static str,
}

/// The value of a cell; `None` when there is none.
pub(super) fn clean(field: &'static Field, raw: &str) -> Result<Option<Value>, InvalidCell> {
    let text = raw.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let value = match field.kind {
        FieldKind::Integer => text.parse::<i32>().ok().map(|number| Value::Integer(number.into())),
        FieldKind::Real => real(text).map(Value::Real),
        FieldKind::Text => Some(Value::Text(without_fraction(field, text).to_owned())),
        FieldKind::Reals => items(text).and_then(|items| items.into_iter().map(real).collect()).map(Value::Reals),
        FieldKind::Texts => items(text).map(|items| Value::Texts(items.into_iter().map(str::to_owned).collect())),
    };
    match value {
        Some(value) => Ok(Some(value)),
        None => Err(InvalidCell { column: field.column, cell: raw.to_owned(), expected: expected(field.kind) }),
    }
}

fn expected(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Integer => "a whole number or nothing",
        FieldKind::Real => "a finite number or nothing",
        FieldKind::Text => "text or nothing",
        FieldKind::Reals => "a list of finite numbers such as [0.5, 0.5], or nothing",
        FieldKind::Texts => "text, a list such as ['5.3.0', '5.3.0.3'], or nothing",
    }
}

fn real(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A serial number became a floating-point number on its way into the table: `170042.0`.
fn without_fraction<'a>(field: &Field, text: &'a str) -> &'a str {
    let digits = text.strip_suffix(".0").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if field.name == "device_serial_number" { digits.unwrap_or(text) } else { text }
}

/// The items of a Python list literal, `[0.5, 0.5]` or `['SE', "IR"]`; other text is a single item. `None` when the
/// literal is malformed, or has a backslash escape, which no value of the release needs.
fn items(text: &str) -> Option<Vec<&str>> {
    let Some(open) = text.strip_prefix('[') else { return Some(vec![text]) };
    let mut rest = open.strip_suffix(']')?.trim();
    let mut items = Vec::new();
    while !rest.is_empty() {
        let (item, after) = match rest.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            Some(quote) => rest[1..].split_once(quote)?,
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        if item.contains('\\') {
            return None;
        }
        items.push(item.trim());
        rest = match after.trim_start().strip_prefix(',') {
            Some(more) if !more.trim().is_empty() => more.trim_start(),
            None if after.trim().is_empty() => "",
            _ => return None,
        };
    }
    Some(items)
}
