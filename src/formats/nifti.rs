//! The header of NIfTI-1 files (`.nii`); the voxels follow it as plain bytes.
//!
//! Format: <https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h>. Written as one file, little-endian, without
//! extensions. Both ways to say where the voxels are (`sform`, the affine itself, and `qform`, a rotation) are given and
//! agree, because readers differ in which they take; [`read_header`] takes the first that is there.

mod read;

pub use read::{Header, NiftiError, read_header};

use crate::volume::{Axis, ElementType, Geometry};

/// Bytes before the voxels: the header, and four that say that no extension follows.
pub const HEADER_BYTES: usize = 352;

/// `NIFTI_XFORM_SCANNER_ANAT`: the world is the scanner's.
const SCANNER: i16 = 1;
/// `NIFTI_UNITS_MM`
const MILLIMETRES: u8 = 2;

/// Voxels along one axis at most: the format has 16 bits for their number, with a sign.
pub const LONGEST_SIDE: usize = i16::MAX as usize;

/// The volume has more voxels along one axis than the format can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("NIfTI-1 takes at most {LONGEST_SIDE} voxels along an axis, and the volume has {0}")]
pub struct SideTooLong(usize);

/// The header for voxels in C order of `geometry.axes`: the file's i is the fastest axis.
///
/// # Errors
/// [`SideTooLong`].
pub fn header(element: ElementType, geometry: &Geometry) -> Result<Vec<u8>, SideTooLong> {
    let mut header = vec![0; HEADER_BYTES];
    let mut put = |offset: usize, bytes: &[u8]| header[offset..offset + bytes.len()].copy_from_slice(bytes);
    let [k, j, i] = geometry.axes;
    put(0, &348i32.to_le_bytes());
    let side = |axis: Axis| i16::try_from(axis.len).map_err(|_| SideTooLong(axis.len));
    put(40, &[3, side(i)?, side(j)?, side(k)?, 1, 1, 1, 1].map(i16::to_le_bytes).concat());
    put(70, &data_type(element).to_le_bytes());
    put(72, &(8 * element.size() as i16).to_le_bytes());
    let rotation = Rotation::of(geometry);
    let spacing = [rotation.factor, i.spacing_mm, j.spacing_mm, k.spacing_mm].map(|mm| (mm as f32).to_le_bytes());
    put(76, &spacing.concat());
    put(108, &(HEADER_BYTES as f32).to_le_bytes());
    put(112, &1f32.to_le_bytes());
    put(123, &[MILLIMETRES]);
    put(252, &SCANNER.to_le_bytes());
    put(254, &SCANNER.to_le_bytes());
    put(256, &rotation.quaternion.map(|part| (part as f32).to_le_bytes()).concat());
    let affine = file_affine(geometry);
    put(268, &affine.map(|row| (row[3] as f32).to_le_bytes()).concat());
    put(280, &affine.map(|row| row.map(|entry| (entry as f32).to_le_bytes()).concat()).concat());
    put(344, b"n+1\0");
    Ok(header)
}

/// (i, j, k, 1) → RAS millimetres: the array's affine with its axes the other way round.
fn file_affine(geometry: &Geometry) -> [[f64; 4]; 3] {
    let [x, y, z, _] = geometry.affine_ras();
    [x, y, z].map(|[k, j, i, origin]| [i, j, k, origin])
}

/// The directions of the axes as `qform` has them: a unit quaternion without its first part, and −1 for a left-handed
/// third axis.
struct Rotation {
    quaternion: [f64; 3],
    factor: f64,
}

impl Rotation {
    fn of(geometry: &Geometry) -> Self {
        let affine = file_affine(geometry);
        let column = |n: usize| {
            let vector = affine.map(|row| row[n]);
            let length = vector.iter().map(|part| part * part).sum::<f64>().sqrt();
            vector.map(|part| part / length)
        };
        let (i, j) = (column(0), column(1));
        let cross = [i[1] * j[2] - i[2] * j[1], i[2] * j[0] - i[0] * j[2], i[0] * j[1] - i[1] * j[0]];
        let handed: f64 = cross.iter().zip(column(2)).map(|(a, b)| a * b).sum();
        // A right-handed third axis; the factor turns it round where the volume's is not.
        Self { quaternion: quaternion([i, j, cross]), factor: if handed < 0.0 { -1.0 } else { 1.0 } }
    }
}

/// The quaternion (b, c, d) of a rotation given by its columns, by the largest of its four parts (Shepperd's method).
fn quaternion([x, y, z]: [[f64; 3]; 3]) -> [f64; 3] {
    let squares =
        [1.0 + x[0] + y[1] + z[2], 1.0 + x[0] - y[1] - z[2], 1.0 - x[0] + y[1] - z[2], 1.0 - x[0] - y[1] + z[2]];
    let largest = (0..4).max_by(|&a, &b| squares[a].total_cmp(&squares[b])).unwrap_or(0);
    let twice = squares[largest].max(0.0).sqrt();
    let (zy, xz, yx) = (y[2] - z[1], z[0] - x[2], x[1] - y[0]);
    let (xy, xz_sum, yz) = (x[1] + y[0], x[2] + z[0], y[2] + z[1]);
    let parts = match largest {
        0 => [twice * twice, zy, xz, yx],
        1 => [zy, twice * twice, xy, xz_sum],
        2 => [xz, xy, twice * twice, yz],
        _ => [yx, xz_sum, yz, twice * twice],
    }
    .map(|part| part / (2.0 * twice));
    // The first part is taken to be positive by readers, who compute it from the others.
    let sign = if parts[0] < 0.0 { -1.0 } else { 1.0 };
    [parts[1] * sign, parts[2] * sign, parts[3] * sign]
}

/// `NIFTI_TYPE_…`
fn data_type(element: ElementType) -> i16 {
    match element {
        ElementType::Uint8 => 2,
        ElementType::Int16 => 4,
        ElementType::Int32 => 8,
        ElementType::Float32 => 16,
        ElementType::Float64 => 64,
        ElementType::Int8 => 256,
        ElementType::Uint16 => 512,
        ElementType::Uint32 => 768,
        ElementType::Int64 => 1024,
        ElementType::Uint64 => 1280,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(lengths: [usize; 3]) -> Result<Vec<u8>, SideTooLong> {
        let direction = |axis: usize| [0, 1, 2].map(|n| if n == axis { 1.0 } else { 0.0 });
        let axis = |n: usize| Axis { len: lengths[n], spacing_mm: 1.0, direction: direction(n) };
        header(ElementType::Uint8, &Geometry { axes: [axis(0), axis(1), axis(2)], origin_mm: [0.0; 3] })
    }

    #[test]
    fn a_side_that_the_format_cannot_say_is_refused() {
        let longest = header_of([1, 2, LONGEST_SIDE]).unwrap();
        assert_eq!(longest[40..48], [3, 0, 255, 127, 2, 0, 1, 0]);
        for lengths in [[LONGEST_SIDE + 1, 1, 1], [1, LONGEST_SIDE + 1, 1], [1, 1, LONGEST_SIDE + 1]] {
            assert_eq!(header_of(lengths), Err(SideTooLong(32_768)), "{lengths:?}");
        }
        assert_eq!(header_of([1, 1, 65_536 + 5]), Err(SideTooLong(65_541)));
    }
}
