//! The header of numpy's `.npy` files; the array follows it as plain bytes.
//!
//! The bytes are the ones that numpy itself writes. Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>,
//! written in version 1.0 and read in every version.

mod read;

pub use read::{Header, NpyError, read_header};

use crate::volume::ElementType;

/// The magic string and the version, 1.0.
const MAGIC: [u8; 8] = *b"\x93NUMPY\x01\x00";
/// The array begins at a multiple of this.
const ALIGNMENT: usize = 64;
/// Version 1.0 states the length of the text in two bytes.
const LENGTH_BYTES: usize = 2;
/// Digits of the longest first axis that numpy leaves room for; more than any `usize` has.
const GROWTH_DIGITS: usize = 21;

/// The header for a C-ordered little-endian array: everything that stands before its bytes.
///
/// `shape` is slowest axis first; an empty shape is a single number. The version's limit of 65,535 bytes is far beyond
/// any shape with fewer than some 3,000 axes; numpy itself stops at 64.
#[must_use]
pub fn header(element: ElementType, shape: &[usize]) -> Vec<u8> {
    header_of(descr(element), shape)
}

/// A file of one axis of texts, as numpy writes an array of `str`: UTF-32, each as long as the longest.
#[must_use]
pub fn texts(texts: &[String]) -> Vec<u8> {
    // numpy has no empty text type: the shortest is one character.
    let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
    let mut file = header_of(&format!("<U{longest}"), &[texts.len()]);
    for text in texts {
        let characters = text.chars().chain(std::iter::repeat('\0')).take(longest);
        file.extend(characters.flat_map(|character| u32::from(character).to_le_bytes()));
    }
    file
}

fn header_of(descr: &str, shape: &[usize]) -> Vec<u8> {
    let mut dictionary = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {}, }}", tuple(shape));
    // As numpy does: room for the first axis to grow in place, then spaces up to the alignment, never none.
    let growth = shape.first().map_or(0, |len| GROWTH_DIGITS - len.to_string().len());
    let unpadded = MAGIC.len() + LENGTH_BYTES + dictionary.len() + growth + 1;
    dictionary.extend(std::iter::repeat_n(' ', growth + ALIGNMENT - unpadded % ALIGNMENT));
    dictionary.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend(u16::try_from(dictionary.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(dictionary.into_bytes());
    bytes
}

/// Where the array begins in a file that starts with such a header; `None` for anything else.
#[must_use]
pub fn array_start(file: &[u8]) -> Option<usize> {
    let text = file.strip_prefix(&MAGIC)?;
    let length = u16::from_le_bytes(*text.first_chunk::<LENGTH_BYTES>()?);
    let start = MAGIC.len() + LENGTH_BYTES + usize::from(length);
    (start <= file.len()).then_some(start)
}

/// A Python tuple; one element is followed by a comma.
fn tuple(shape: &[usize]) -> String {
    match shape {
        [only] => format!("({only},)"),
        _ => format!("({})", shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// numpy's array-protocol type string. One byte has no order: `|`.
fn descr(element: ElementType) -> &'static str {
    match element {
        ElementType::Uint8 => "|u1",
        ElementType::Int8 => "|i1",
        ElementType::Uint16 => "<u2",
        ElementType::Int16 => "<i2",
        ElementType::Uint32 => "<u4",
        ElementType::Int32 => "<i4",
        ElementType::Uint64 => "<u8",
        ElementType::Int64 => "<i8",
        ElementType::Float32 => "<f4",
        ElementType::Float64 => "<f8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/goldens/make_npy.py`
    #[test]
    fn the_bytes_are_those_that_numpy_writes() {
        let goldens: Vec<serde_json::Value> =
            serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/npy.json"))).unwrap();
        assert!(goldens.len() > 40, "only {} goldens", goldens.len());
        for golden in goldens {
            let element = golden["element"].as_str().unwrap().parse().unwrap();
            let shape: Vec<usize> = serde::Deserialize::deserialize(&golden["shape"]).unwrap();
            let hex = hex::encode(header(element, &shape));
            assert_eq!(hex, golden["header"], "{element} {shape:?}");
        }
    }

    /// `numpy.save(file, numpy.array(["1_t1", "218_t2_SPACE", "é"]))`
    #[test]
    fn texts_are_those_that_numpy_writes() {
        let texts = texts(&["1_t1".to_owned(), "218_t2_SPACE".to_owned(), "é".to_owned()]);
        let golden = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/texts.npy"));
        assert_eq!(texts, golden);
    }
}
