use super::error::{MetaImageError, shortened};
use super::fields::Fields;
use crate::volume::{Axis, ElementType, Geometry};

/// The longest header that is read, in bytes. Real ones have 400.
pub const HEADER_LIMIT: usize = 64 * 1024;

/// How far the rows of `TransformMatrix` may be from unit length and from right angles (as dot products). Headers are
/// written with 6 to 17 digits, so real matrices are within 1e-5; values within the tolerance are kept as they are.
const ORTHONORMAL_TOLERANCE: f64 = 1e-3;

const IDENTITY: [f64; 9] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];

/// How the voxels are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Raw,
    /// As one zlib or gzip stream.
    Zlib {
        /// Its length in bytes, if the header states it.
        stated_bytes: Option<usize>,
    },
}

/// What a MetaImage header says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Header {
    /// What each voxel is.
    pub element: ElementType,
    /// Where each voxel is. The axes are the file's k, j and i: slowest first.
    pub geometry: Geometry,
    /// Whether the voxels are big-endian.
    pub big_endian: bool,
    /// How the voxels are stored.
    pub encoding: Encoding,
    /// Bytes of all voxels, uncompressed; the product did not overflow.
    pub voxel_bytes: usize,
    /// Where in the file the voxels begin.
    pub data_offset: usize,
}

/// Reads the header alone. `file` needs to hold no more than the header, at most 64 KiB of it are looked at.
///
/// Keys that do not change the voxels' values or places (`AnatomicalOrientation`, `CenterOfRotation`, `Comment`, …) are
/// not looked at, `ElementToIntensityFunctionSlope` and `…Offset` neither: ITK does not apply them.
///
/// # Errors
/// When it is not a MetaImage header, or one that is malformed, contradictory or not supported.
pub fn read_header(file: &[u8]) -> Result<Header, MetaImageError> {
    let (fields, data_offset) = Fields::parse(file, HEADER_LIMIT)?;
    refuse_unsupported(&fields)?;
    let element = element(fields.require("ElementType")?)?;
    let geometry = geometry(&fields)?;
    let voxel_bytes = geometry
        .shape()
        .iter()
        .try_fold(element.size(), |bytes, &len| bytes.checked_mul(len))
        .ok_or(MetaImageError::TooLarge { bytes: usize::MAX, limit: usize::MAX })?;
    let big_endian = fields.flag(&["BinaryDataByteOrderMSB", "ElementByteOrderMSB"], false)?;
    Ok(Header { element, geometry, big_endian, encoding: encoding(&fields)?, voxel_bytes, data_offset })
}

fn refuse_unsupported(fields: &Fields<'_>) -> Result<(), MetaImageError> {
    let data_file = fields.require("ElementDataFile")?;
    if !["LOCAL", "Local", "local"].contains(&data_file) {
        let supported = "`LOCAL`: the voxels in the same file";
        return Err(MetaImageError::Unsupported { key: "ElementDataFile", value: shortened(data_file), supported });
    }
    fields.require("NDims")?;
    let only = [
        ("ObjectType", "Image", "`Image`"),
        ("NDims", "3", "three-dimensional images"),
        ("ElementNumberOfChannels", "1", "one channel"),
        ("HeaderSize", "0", "0: the voxels right after the header"),
        ("FileFormatVersion", "0", "version 0"),
    ];
    for (key, allowed, supported) in only {
        match fields.get(&[key])? {
            Some((_, value)) if value != allowed => {
                return Err(MetaImageError::Unsupported { key, value: shortened(value), supported });
            }
            _ => {}
        }
    }
    if !fields.flag(&["BinaryData"], true)? {
        let supported = "binary voxels";
        return Err(MetaImageError::Unsupported { key: "BinaryData", value: "False".to_owned(), supported });
    }
    Ok(())
}

/// MetaIO's names. Its `LONG` has 4 bytes on every machine.
fn element(name: &str) -> Result<ElementType, MetaImageError> {
    Ok(match name {
        "MET_CHAR" => ElementType::Int8,
        "MET_UCHAR" => ElementType::Uint8,
        "MET_SHORT" => ElementType::Int16,
        "MET_USHORT" => ElementType::Uint16,
        "MET_INT" | "MET_LONG" => ElementType::Int32,
        "MET_UINT" | "MET_ULONG" => ElementType::Uint32,
        "MET_LONG_LONG" => ElementType::Int64,
        "MET_ULONG_LONG" => ElementType::Uint64,
        "MET_FLOAT" => ElementType::Float32,
        "MET_DOUBLE" => ElementType::Float64,
        _ => {
            let expected = "MET_ and one of CHAR, UCHAR, SHORT, USHORT, INT, UINT, LONG, ULONG, LONG_LONG, ULONG_LONG, FLOAT, DOUBLE";
            return Err(MetaImageError::Value { key: "ElementType", value: shortened(name), expected });
        }
    })
}

fn encoding(fields: &Fields<'_>) -> Result<Encoding, MetaImageError> {
    if !fields.flag(&["CompressedData"], false)? {
        return Ok(Encoding::Raw);
    }
    let stated = fields.numbers::<1, usize>(&["CompressedDataSize"], "a whole number of bytes")?;
    // MetaIO takes 0 for not stated.
    Ok(Encoding::Zlib { stated_bytes: stated.map(|[bytes]| bytes).filter(|&bytes| bytes > 0) })
}

/// The file names its axes i, j, k, fastest first; a [`Geometry`] has them slowest first.
fn geometry(fields: &Fields<'_>) -> Result<Geometry, MetaImageError> {
    let size: [usize; 3] = checked(fields, &["DimSize"], "three whole numbers above 0", |n: &usize| *n > 0)?
        .ok_or(MetaImageError::Missing { key: "DimSize" })?;
    let origin = ["Offset", "Position", "Origin", "ImagePosition"];
    let origin_mm = checked(fields, &origin, "three finite numbers", |n: &f64| n.is_finite())?.unwrap_or([0.0; 3]);
    let positive = |n: &f64| n.is_finite() && *n > 0.0;
    let expected = "three finite numbers above 0";
    let spacing = match checked(fields, &["ElementSpacing"], expected, positive)? {
        Some(spacing) => spacing,
        None => checked(fields, &["ElementSize"], expected, positive)?.unwrap_or([1.0; 3]),
    };
    let direction = direction(fields)?;
    let axis = |n: usize| Axis { len: size[n], spacing_mm: spacing[n], direction: direction[n] };
    Ok(Geometry { axes: [axis(2), axis(1), axis(0)], origin_mm })
}

/// One unit vector after the other: of the i, the j and the k axis.
fn direction(fields: &Fields<'_>) -> Result<[[f64; 3]; 3], MetaImageError> {
    let keys = ["TransformMatrix", "Rotation", "Orientation"];
    let expected = "nine finite numbers: three unit vectors at right angles";
    let matrix = checked(fields, &keys, expected, |n: &f64| n.is_finite())?.unwrap_or(IDENTITY);
    let axes = [0, 3, 6].map(|start| [matrix[start], matrix[start + 1], matrix[start + 2]]);
    let dot = |a: usize, b: usize| -> f64 { (0..3).map(|w| axes[a][w] * axes[b][w]).sum() };
    let off = |a: usize, b: usize| (dot(a, b) - if a == b { 1.0 } else { 0.0 }).abs();
    // Written so that a product which overflows to infinity or NaN is refused as well.
    let orthonormal = (0..3).all(|a| (a..3).all(|b| off(a, b) <= ORTHONORMAL_TOLERANCE));
    match fields.get(&keys)? {
        Some((key, value)) if !orthonormal => Err(MetaImageError::Value { key, value: shortened(value), expected }),
        _ => Ok(axes),
    }
}

fn checked<const N: usize, T: std::str::FromStr>(
    fields: &Fields<'_>,
    keys: &[&'static str],
    expected: &'static str,
    allowed: impl Fn(&T) -> bool,
) -> Result<Option<[T; N]>, MetaImageError> {
    let numbers = fields.numbers::<N, T>(keys, expected)?;
    match (fields.get(keys)?, &numbers) {
        (Some((key, value)), Some(numbers)) if !numbers.iter().all(allowed) => {
            Err(MetaImageError::Value { key, value: shortened(value), expected })
        }
        _ => Ok(numbers),
    }
}
