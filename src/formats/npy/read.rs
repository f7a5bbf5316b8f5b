use crate::volume::ElementType;

/// What every `.npy` file begins with, before two bytes of version.
const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header that is read, in bytes; that of three axes has 118.
const LONGEST_HEADER: usize = 64 << 10;
/// More axes than numpy has.
const MOST_AXES: usize = 64;

/// A `.npy` file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NpyError {
    /// It does not begin like one.
    #[error("not a .npy file")]
    NotNpy,
    /// It ends within its header.
    #[error("the .npy file ends within its header; the file is truncated")]
    Truncated,
    /// A header that numpy does not write.
    #[error("the header of the .npy file cannot be read: {0}")]
    Header(String),
    /// Elements that are no numbers.
    #[error("the array has elements of type {0:?}; save it as integers, such as array.astype('uint8')")]
    Element(String),
}

/// What the header of a `.npy` file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What each element is; booleans are `uint8`.
    pub element: ElementType,
    /// Whether elements are big-endian.
    pub big_endian: bool,
    /// Whether the first axis is the fastest in memory.
    pub is_fortran: bool,
    /// The array's shape.
    pub shape: Vec<usize>,
    /// Where in the file the elements begin.
    pub data_offset: usize,
}

/// Reads the header alone.
///
/// # Errors
/// [`NpyError`].
pub fn read_header(file: &[u8]) -> Result<Header, NpyError> {
    let after = file.strip_prefix(MAGIC).ok_or(NpyError::NotNpy)?;
    let (version, after) = after.split_first_chunk::<2>().ok_or(NpyError::Truncated)?;
    let (len, start) = match version {
        [1, _] => (after.first_chunk::<2>().map(|bytes| usize::from(u16::from_le_bytes(*bytes))), 2),
        [2 | 3, _] => (after.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes) as usize), 4),
        [major, minor] => return Err(NpyError::Header(format!("version {major}.{minor} is not known"))),
    };
    let len = len.ok_or(NpyError::Truncated)?;
    if len > LONGEST_HEADER {
        return Err(NpyError::Header(format!("it has {len} bytes; at most {LONGEST_HEADER} are read")));
    }
    let text = after.get(start..start + len).ok_or(NpyError::Truncated)?;
    let text = std::str::from_utf8(text).map_err(|_| NpyError::Header("it is not text".to_owned()))?;
    let (element, big_endian) = element(value_of(text, "descr")?)?;
    let is_fortran = match value_of(text, "fortran_order")? {
        value if value.starts_with("True") => true,
        value if value.starts_with("False") => false,
        _ => return Err(NpyError::Header("fortran_order is neither True nor False".to_owned())),
    };
    let shape = shape(value_of(text, "shape")?)?;
    Ok(Header { element, big_endian, is_fortran, shape, data_offset: MAGIC.len() + 2 + start + len })
}

/// What follows a key of the dictionary.
fn value_of<'a>(text: &'a str, key: &str) -> Result<&'a str, NpyError> {
    let found = ['\'', '"'].iter().find_map(|quote| text.split_once(&format!("{quote}{key}{quote}")));
    let value = found.and_then(|(_, after)| after.trim_start().strip_prefix(':')).map(str::trim_start);
    value.ok_or_else(|| NpyError::Header(format!("it has no {key:?}")))
}

fn element(value: &str) -> Result<(ElementType, bool), NpyError> {
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)).map(|(text, _)| text);
    let structured = || NpyError::Element(value.chars().take(40).collect());
    let text = quoted('\'').or_else(|| quoted('"')).ok_or_else(structured)?;
    let unknown = || NpyError::Element(text.to_owned());
    let (order, kind) = text.split_at_checked(1).ok_or_else(unknown)?;
    let element = match kind {
        "b1" | "u1" => ElementType::Uint8,
        "i1" => ElementType::Int8,
        "u2" => ElementType::Uint16,
        "i2" => ElementType::Int16,
        "u4" => ElementType::Uint32,
        "i4" => ElementType::Int32,
        "u8" => ElementType::Uint64,
        "i8" => ElementType::Int64,
        "f4" => ElementType::Float32,
        "f8" => ElementType::Float64,
        _ => return Err(unknown()),
    };
    match order {
        "<" | "|" => Ok((element, false)),
        ">" => Ok((element, true)),
        _ => Err(unknown()),
    }
}

fn shape(value: &str) -> Result<Vec<usize>, NpyError> {
    let unreadable = || NpyError::Header("its shape is not a tuple of whole numbers".to_owned());
    let inside = value.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(unreadable)?.0;
    let lengths = inside.split(',').map(str::trim).filter(|text| !text.is_empty()).take(MOST_AXES);
    lengths.map(|text| text.parse().map_err(|_| unreadable())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::npy::header;

    fn file(version: [u8; 2], dictionary: &str) -> Vec<u8> {
        let len = dictionary.len();
        let len =
            if version[0] == 1 { (len as u16).to_le_bytes().to_vec() } else { (len as u32).to_le_bytes().to_vec() };
        [MAGIC, &version, &len, dictionary.as_bytes()].concat()
    }

    /// The writer's bytes are those of numpy: `tests/goldens/npy.json`.
    #[test]
    fn what_is_written_is_read() {
        for element in ElementType::ALL {
            for shape in [vec![], vec![3], vec![3, 4, 5]] {
                let file = header(element, &shape);
                let expected = Header { element, big_endian: false, is_fortran: false, shape, data_offset: file.len() };
                assert_eq!(read_header(&file), Ok(expected));
            }
        }
    }

    #[test]
    fn other_versions_orders_and_booleans_are_read() {
        let read =
            read_header(&file([2, 0], r#"{"descr": ">i2", "fortran_order": True, "shape": (2, 3, 4)}"#)).unwrap();
        assert!(read.big_endian && read.is_fortran);
        assert_eq!((read.element, read.shape), (ElementType::Int16, vec![2, 3, 4]));
        let read = read_header(&file([3, 0], "{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}")).unwrap();
        assert_eq!((read.element, read.shape), (ElementType::Uint8, vec![2]));
    }

    #[test]
    fn headers_that_cannot_be_read_are_refused() {
        let with = |text: &str| read_header(&file([1, 0], text)).unwrap_err().to_string();
        assert_eq!(read_header(b"PK"), Err(NpyError::NotNpy));
        assert_eq!(read_header(MAGIC), Err(NpyError::Truncated));
        assert_eq!(read_header(&header(ElementType::Uint8, &[3])[..30]), Err(NpyError::Truncated));
        assert!(read_header(&file([9, 0], "")).unwrap_err().to_string().contains("version 9.0"));
        assert!(with("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}").contains("astype"));
        assert!(with("{'descr': [('a', '<i2')], 'fortran_order': False, 'shape': (2,)}").contains("astype"));
        assert!(with("{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}").contains("<c8"));
        assert!(with("{'descr': '<i2', 'fortran_order': 1, 'shape': (2,)}").contains("fortran_order"));
        assert!(with("{'descr': '<i2', 'fortran_order': False, 'shape': (-2,)}").contains("shape"));
        assert!(with("{'descr': '<i2', 'fortran_order': False, 'shape': (99999999999999999999,)}").contains("shape"));
        assert!(with("{'fortran_order': False, 'shape': (2,)}").contains("descr"));
        let long = [MAGIC, &[2, 0], &u32::MAX.to_le_bytes()].concat();
        assert!(read_header(&long).unwrap_err().to_string().contains("at most"));
    }
}
