use super::{Column, ColumnKind};
use crate::params::plain;
use crate::spider::ScanId;

/// Values that one condition may list.
const MOST_TESTS: usize = 500;

/// What the values of one column must be: any of the tests.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Of which column.
    pub column: &'static Column,
    /// At least one.
    pub any_of: Vec<Test>,
}

/// One thing that a value may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Missing.
    Null,
    /// Known.
    Known,
    /// This text; ASCII letters in capitals or not, unless the column has choices.
    Text(String),
    /// True or false.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Whole numbers from one to another, both included.
    Integers {
        /// The smallest, if there is one.
        low: Option<i64>,
        /// The largest, if there is one.
        high: Option<i64>,
    },
    /// Numbers from one to another, both included.
    Reals {
        /// The smallest, if there is one.
        low: Option<f64>,
        /// The largest, if there is one.
        high: Option<f64>,
    },
    /// Of slices: the middle of the stack.
    Mid,
    /// Of slices: the one with the most labelled pixels.
    Best,
}

impl Condition {
    /// Reads the tests of a condition.
    pub(super) fn parse(column: &'static Column, text: &str) -> Option<Self> {
        let any_of: Vec<_> = match column.kind {
            ColumnKind::Text | ColumnKind::Texts => {
                texts(text)?.into_iter().map(|text| text_test(column, text)).collect::<Option<_>>()?
            }
            kind => text.split(',').map(|item| test(column, kind, item)).collect::<Option<_>>()?,
        };
        (any_of.len() <= MOST_TESTS).then_some(Self { column, any_of })
    }
}

fn null(item: &str) -> Option<Test> {
    match item {
        "null" => Some(Test::Null),
        "!null" => Some(Test::Known),
        _ => None,
    }
}

fn test(column: &Column, kind: ColumnKind, item: &str) -> Option<Test> {
    let by_name = match item {
        "mid" if column.name == "slice" => Some(Test::Mid),
        "best" if column.name == "slice" => Some(Test::Best),
        // Every slice has its index: to request slices without one is a mistake.
        _ if column.name == "slice" => None,
        _ => null(item),
    };
    if by_name.is_some() {
        return by_name;
    }
    match kind {
        ColumnKind::Flag => crate::params::flag(item).filter(|_| !item.is_empty()).map(Test::Flag),
        // An index is never negative.
        _ if column.name == "slice" && item.contains('-') => None,
        ColumnKind::Integer | ColumnKind::Integers => match item.split_once("..") {
            None => integer(item).map(Test::Integer),
            Some(ends) => range(ends, integer).map(|(low, high)| Test::Integers { low, high }),
        },
        _ => match item.split_once("..") {
            None => real(item).map(Test::Real),
            Some(ends) => range(ends, real).map(|(low, high)| Test::Reals { low, high }),
        },
    }
}

/// At least one end, and the lower one first.
fn range<T: PartialOrd>((low, high): (&str, &str), read: fn(&str) -> Option<T>) -> Option<(Option<T>, Option<T>)> {
    let end = |text: &str| if text.is_empty() { Some(None) } else { read(text).map(Some) };
    let (low, high) = (end(low)?, end(high)?);
    let ordered = match (&low, &high) {
        (Some(low), Some(high)) => low <= high,
        (low, high) => low.is_some() || high.is_some(),
    };
    ordered.then_some((low, high))
}

fn integer(text: &str) -> Option<i64> {
    let (digits, sign) = text.strip_prefix('-').map_or((text, 1), |digits| (digits, -1));
    // Values have 32 bits; a number that cannot be one is a mistake.
    plain::<i64>(digits).filter(|_| digits.len() <= 10).map(|number| sign * number)
}

/// A number as JSON writes it, of so many digits as its documented form has.
fn real(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_digits = |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let is_number = is_digits(whole, 20) && is_digits(fraction, 20) && is_digits(exponent, 2);
    is_number.then(|| text.parse().ok()).flatten()
}

/// A text of a column that has choices is one of them.
fn text_test(column: &Column, (text, quoted): (String, bool)) -> Option<Test> {
    // Every scan has its name: to request scans without one is a mistake.
    match null(&text).filter(|_| !quoted && column.name != "scan_id") {
        Some(test) => Some(test),
        None if column.name == "scan_id" => text.parse::<ScanId>().is_ok().then_some(Test::Text(text)),
        None if column.choices.is_empty() || column.choices.contains(&text.as_str()) => Some(Test::Text(text)),
        None => None,
    }
}

/// Texts separated by commas, each with whether it stood in quotes. A quote inside quotes is doubled, as in CSV.
fn texts(list: &str) -> Option<Vec<(String, bool)>> {
    let mut found = Vec::new();
    let mut rest = list;
    loop {
        let (text, quoted, after) = match rest.strip_prefix('"') {
            Some(inside) => {
                let (text, after) = quoted(inside)?;
                (text, true, after)
            }
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), false, &rest[end..])
            }
        };
        if text.is_empty() {
            return None;
        }
        found.push((text, quoted));
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Some(found),
            None => return None,
        }
    }
}

/// The text up to the closing quote, and what follows that.
fn quoted(inside: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut rest = inside;
    loop {
        let (before, after) = rest.split_once('"')?;
        text.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                text.push('"');
                rest = more;
            }
            None => return Some((text, after)),
        }
    }
}
