use super::HEADER_BYTES;
use crate::volume::{Axis, ElementType, Geometry};

/// The length that every NIfTI-1 header states of itself.
const STATED_BYTES: i32 = 348;
/// The same of NIfTI-2.
const STATED_BYTES_OF_NIFTI_2: i32 = 540;
/// How far the columns of an affine may be from right angles, as dot products of unit vectors.
const ORTHOGONAL_TOLERANCE: f64 = 1e-3;
/// Extensions between the header and the voxels at most, in bytes.
const LONGEST_EXTENSIONS: f32 = (16 << 20) as f32;

/// A NIfTI file cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NiftiError {
    /// Shorter than a header.
    #[error("the NIfTI file ends within its header; the file is truncated")]
    Truncated,
    /// The first number is none that a NIfTI-1 header begins with.
    #[error("not a NIfTI-1 file")]
    NotNifti,
    /// NIfTI-2, or a header whose voxels are in another file.
    #[error("{0} is not supported; save the volume as one NIfTI-1 file (.nii or .nii.gz)")]
    Unsupported(&'static str),
    /// A field that cannot be what it says.
    #[error("the NIfTI header has {field} = {value}, expected {expected}")]
    Value {
        /// The name of the field in the standard.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
}

/// What a NIfTI-1 header says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Header {
    /// What each voxel is.
    pub element: ElementType,
    /// Voxels along the file's k, j and i axes: slowest first.
    pub shape: [usize; 3],
    /// Where each voxel is, by `sform` or else `qform`; `None` when the header says neither.
    pub geometry: Option<Geometry>,
    /// Whether voxels are big-endian.
    pub big_endian: bool,
    /// value = slope × voxel + intercept, where that is not the voxel itself.
    pub scaling: Option<(f64, f64)>,
    /// Where in the file the voxels begin.
    pub data_offset: usize,
}

/// Reads the header of a NIfTI-1 file: one volume in one file, in either byte order.
///
/// `file` needs to hold no more than the first [`HEADER_BYTES`]. Axes after the third must have length 1.
///
/// # Errors
/// [`NiftiError`].
pub fn read_header(file: &[u8]) -> Result<Header, NiftiError> {
    let fields = Fields::new(file)?;
    let shape = shape(&fields)?;
    let element = element(fields.short(70))?;
    let stated_bits = fields.short(72);
    if stated_bits != 8 * element.size() as i16 {
        return Err(value("bitpix", stated_bits, "the bits of its data type"));
    }
    let (slope, intercept) = (f64::from(fields.float(112)), f64::from(fields.float(116)));
    let is_scaled = slope.is_finite() && intercept.is_finite() && slope != 0.0 && (slope, intercept) != (1.0, 0.0);
    let offset = fields.float(108);
    if !(HEADER_BYTES as f32..=LONGEST_EXTENSIONS).contains(&offset) || offset.fract() != 0.0 {
        return Err(value("vox_offset", offset, "a whole number of bytes from 352"));
    }
    Ok(Header {
        element,
        shape,
        geometry: geometry(&fields, shape)?,
        big_endian: fields.big_endian,
        scaling: is_scaled.then_some((slope, intercept)),
        data_offset: offset as usize,
    })
}

/// A header as bytes in one of the two orders.
struct Fields<'a> {
    bytes: &'a [u8; HEADER_BYTES],
    big_endian: bool,
}

impl<'a> Fields<'a> {
    fn new(file: &'a [u8]) -> Result<Self, NiftiError> {
        let Some(length) = file.first_chunk::<4>() else { return Err(NiftiError::NotNifti) };
        let either = [i32::from_le_bytes(*length), i32::from_be_bytes(*length)];
        if either.contains(&STATED_BYTES_OF_NIFTI_2) {
            return Err(NiftiError::Unsupported("NIfTI-2"));
        }
        if !either.contains(&STATED_BYTES) {
            return Err(NiftiError::NotNifti);
        }
        let bytes = file.first_chunk::<HEADER_BYTES>().ok_or(NiftiError::Truncated)?;
        match &bytes[344..348] {
            b"n+1\0" => Ok(Self { bytes, big_endian: either[1] == STATED_BYTES }),
            b"ni1\0" => Err(NiftiError::Unsupported("a NIfTI header with its voxels in another file")),
            _ => Err(NiftiError::Unsupported("the Analyze 7.5 format")),
        }
    }

    fn at<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.bytes[offset..offset + N]);
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }

    fn short(&self, offset: usize) -> i16 {
        i16::from_le_bytes(self.at(offset))
    }

    fn float(&self, offset: usize) -> f32 {
        f32::from_le_bytes(self.at(offset))
    }

    fn floats<const N: usize>(&self, offset: usize) -> [f64; N] {
        std::array::from_fn(|n| f64::from(self.float(offset + 4 * n)))
    }
}

fn value(field: &'static str, value: impl std::fmt::Display, expected: &'static str) -> NiftiError {
    NiftiError::Value { field, value: value.to_string(), expected }
}

fn shape(fields: &Fields<'_>) -> Result<[usize; 3], NiftiError> {
    let dimensions = fields.short(40);
    let expected = "3 axes, and no more that are longer than 1";
    if !(3..=7).contains(&dimensions) {
        return Err(value("dim[0]", dimensions, expected));
    }
    if let Some(len) = (4..=dimensions).map(|n| fields.short(40 + 2 * n as usize)).find(|&len| len > 1) {
        return Err(value("dim[4] or later", len, expected));
    }
    let side = |n: usize| {
        let len = fields.short(40 + 2 * n);
        usize::try_from(len).ok().filter(|&len| len > 0).ok_or_else(|| value("dim", len, "a length above 0"))
    };
    Ok([side(3)?, side(2)?, side(1)?])
}

fn element(data_type: i16) -> Result<ElementType, NiftiError> {
    let found = ElementType::ALL.into_iter().find(|&element| super::data_type(element) == data_type);
    found.ok_or_else(|| value("datatype", data_type, "an integer or floating-point type of at most 64 bits"))
}

/// Millimetres of one unit of `xyzt_units`; unknown units are taken to be millimetres.
fn unit_mm(fields: &Fields<'_>) -> f64 {
    match fields.bytes[123] & 7 {
        1 => 1000.0,
        3 => 1e-3,
        _ => 1.0,
    }
}

fn geometry(fields: &Fields<'_>, shape: [usize; 3]) -> Result<Option<Geometry>, NiftiError> {
    // (i, j, k, 1) → RAS, row after row.
    let affine = if fields.short(254) > 0 {
        [280, 296, 312].map(|row| fields.floats::<4>(row))
    } else if fields.short(252) > 0 {
        affine_of_quaternion(fields)?
    } else {
        return Ok(None);
    };
    let unit = unit_mm(fields);
    // LPS: x and y change sign.
    let lps = [-1.0, -1.0, 1.0];
    let mut axes = [0, 1, 2].map(|n: usize| {
        let vector = [0, 1, 2].map(|world: usize| lps[world] * affine[world][n] * unit);
        let spacing_mm = vector.iter().map(|part| part * part).sum::<f64>().sqrt();
        Axis { len: shape[2 - n], spacing_mm, direction: vector.map(|part| part / spacing_mm) }
    });
    let origin_mm = [0, 1, 2].map(|world: usize| lps[world] * affine[world][3] * unit);
    let dot = |a: usize, b: usize| -> f64 { (0..3).map(|w| axes[a].direction[w] * axes[b].direction[w]).sum() };
    // Written so that what is not a number is refused as well.
    let is_grid = axes.iter().all(|axis| axis.spacing_mm > 0.0 && axis.spacing_mm.is_finite())
        && origin_mm.iter().all(|part| part.is_finite())
        && [(0, 1), (0, 2), (1, 2)].into_iter().all(|(a, b)| dot(a, b).abs() <= ORTHOGONAL_TOLERANCE);
    if !is_grid {
        return Err(value("the affine", format!("{affine:?}"), "finite numbers, three axes at right angles"));
    }
    axes.reverse();
    Ok(Some(Geometry { axes, origin_mm }))
}

/// `qform`: a unit quaternion without its first part, spacings, and a sign of the third axis.
fn affine_of_quaternion(fields: &Fields<'_>) -> Result<[[f64; 4]; 3], NiftiError> {
    let [b, c, d] = fields.floats::<3>(256);
    let squares = b * b + c * c + d * d;
    if squares.is_nan() || squares > 1.0 + 1e-3 {
        return Err(value("the quaternion", format!("{b}, {c}, {d}"), "three parts of a unit quaternion"));
    }
    // Rounding makes half turns a little longer than 1.
    let a = (1.0 - squares).max(0.0).sqrt();
    let rotation = [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ];
    let [factor, i, j, k] = fields.floats::<4>(76);
    let spacing = [i, j, if factor < 0.0 { -k } else { k }];
    let offset = fields.floats::<3>(268);
    let row = |world: usize| {
        let [x, y, z] = [0, 1, 2].map(|n: usize| rotation[world][n] * spacing[n]);
        [x, y, z, offset[world]]
    };
    Ok([row(0), row(1), row(2)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::nifti::header;

    fn geometry() -> Geometry {
        let axis = |len, spacing_mm, direction| Axis { len, spacing_mm, direction };
        let (sin, cos) = (0.28, 0.96);
        let axes = [axis(3, 4.0, [1.0, 0.0, 0.0]), axis(5, 0.5, [0.0, sin, -cos]), axis(7, 0.625, [0.0, cos, sin])];
        Geometry { axes, origin_mm: [-30.5, -100.25, 90.0] }
    }

    fn assert_close(found: &Geometry, expected: &Geometry) {
        assert_eq!(found.shape(), expected.shape());
        assert!(found.largest_offset_mm(expected) < 1e-4, "{found:?}");
    }

    #[test]
    fn what_is_written_is_read_by_sform_and_by_qform() {
        let mut file = header(ElementType::Int16, &geometry()).unwrap();
        for has_sform in [true, false] {
            if !has_sform {
                file[254..256].fill(0);
            }
            let read = read_header(&file).unwrap();
            assert_eq!((read.element, read.shape, read.data_offset), (ElementType::Int16, [3, 5, 7], HEADER_BYTES));
            assert!(!read.big_endian && read.scaling.is_none());
            assert_close(&read.geometry.unwrap(), &geometry());
        }
        file[252..254].fill(0);
        assert_eq!(read_header(&file).unwrap().geometry, None);
    }

    #[test]
    fn metres_are_a_thousand_millimetres() {
        let mut file = header(ElementType::Uint8, &geometry()).unwrap();
        file[123] = 1;
        let read = read_header(&file).unwrap().geometry.unwrap();
        assert!((read.axes[0].spacing_mm - 4000.0).abs() < 1e-2);
    }

    #[test]
    fn headers_that_cannot_be_read_are_refused() {
        let file = header(ElementType::Uint8, &geometry()).unwrap();
        let with = |offset: usize, bytes: &[u8]| {
            let mut file = file.clone();
            file[offset..offset + bytes.len()].copy_from_slice(bytes);
            read_header(&file).unwrap_err().to_string()
        };
        assert_eq!(read_header(&file[..351]), Err(NiftiError::Truncated));
        assert_eq!(read_header(b"no"), Err(NiftiError::NotNifti));
        assert!(with(0, &540i32.to_le_bytes()).contains("NIfTI-2"));
        assert!(with(344, b"ni1\0").contains("another file"));
        assert!(with(40, &2i16.to_le_bytes()).contains("dim[0] = 2"));
        assert!(with(40, &[4i16, 7, 5, 3, 2].map(i16::to_le_bytes).concat()).contains("dim[4]"));
        assert!(with(42, &(-7i16).to_le_bytes()).contains("dim = -7"));
        assert!(with(70, &128i16.to_le_bytes()).contains("datatype = 128"));
        assert!(with(72, &16i16.to_le_bytes()).contains("bitpix"));
        assert!(with(108, &f32::NAN.to_le_bytes()).contains("vox_offset"));
        assert!(with(108, &1e9f32.to_le_bytes()).contains("vox_offset"));
        assert!(with(280, &0f32.to_le_bytes().repeat(4)).contains("affine"));
        assert!(with(292, &f32::NAN.to_le_bytes()).contains("affine"));
    }
}
