//! From whatever integer type a mask has to the labels it means.

use crate::spider::LabelClass;
use crate::volume::{ElementType, Volume, VolumeLabel};

/// A mask holds something that cannot be a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// Only integers can be labels.
    #[error("the mask has voxels of type {0}; labels are integers")]
    NotIntegers(ElementType),
    /// Labels are 0 to 255.
    #[error("the mask has {voxels} voxels outside 0..255, such as {example}; the label scheme ends at 225")]
    OutOfRange {
        /// How many voxels.
        voxels: usize,
        /// One of the values.
        example: i128,
    },
}

/// The same mask as `uint8`.
pub(super) fn to_labels(mask: Volume) -> Result<Volume, MaskError> {
    let bytes = match mask.element {
        ElementType::Uint8 => mask.bytes,
        ElementType::Int8 => narrow(&mask.bytes, |b: [u8; 1]| i8::from_le_bytes(b).into())?,
        ElementType::Uint16 => narrow(&mask.bytes, |b: [u8; 2]| u16::from_le_bytes(b).into())?,
        ElementType::Int16 => narrow(&mask.bytes, |b: [u8; 2]| i16::from_le_bytes(b).into())?,
        ElementType::Uint32 => narrow(&mask.bytes, |b: [u8; 4]| u32::from_le_bytes(b).into())?,
        ElementType::Int32 => narrow(&mask.bytes, |b: [u8; 4]| i32::from_le_bytes(b).into())?,
        ElementType::Uint64 => narrow(&mask.bytes, |b: [u8; 8]| u64::from_le_bytes(b).into())?,
        ElementType::Int64 => narrow(&mask.bytes, |b: [u8; 8]| i64::from_le_bytes(b).into())?,
        ElementType::Float32 | ElementType::Float64 => return Err(MaskError::NotIntegers(mask.element)),
    };
    Ok(Volume { element: ElementType::Uint8, geometry: mask.geometry, bytes })
}

fn narrow<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> i128) -> Result<Vec<u8>, MaskError> {
    let chunks = bytes.as_chunks::<N>().0;
    let mut bits = [0; N];
    let lowest = |chunk: &[u8; N]| {
        bits.iter_mut().zip(chunk).for_each(|(bits, byte)| *bits |= byte);
        chunk[0]
    };
    let labels = chunks.iter().map(lowest).collect();
    // Only the lowest byte of a label is not zero.
    if bits[1..].iter().all(|&high| high == 0) && (N > 1 || value(bits) >= 0) {
        return Ok(labels);
    }
    let odd = || chunks.iter().map(|&chunk| value(chunk)).filter(|v| !(0..=255).contains(v));
    Err(MaskError::OutOfRange { voxels: odd().count(), example: odd().next().unwrap_or(0) })
}

/// A sentence for each value that the label scheme does not know.
pub(super) fn outside_the_scheme(labels: &[VolumeLabel]) -> Vec<String> {
    let odd = labels.iter().filter(|found| found.label.class() == LabelClass::Unknown);
    odd.map(|found| format!("mask value {} ({} voxels) is outside the label scheme", found.label.0, found.voxels))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::{Axis, Geometry};

    fn mask(element: ElementType, bytes: Vec<u8>) -> Volume {
        let axes = [Axis { len: 1, spacing_mm: 1.0, direction: [1.0, 0.0, 0.0] }; 3];
        Volume { element, geometry: Geometry { axes, origin_mm: [0.0; 3] }, bytes }
    }

    #[test]
    fn labels_of_any_integer_type_are_kept() {
        let shorts = [0i16, 9, 100, 225, 255].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(to_labels(mask(ElementType::Int16, shorts)).unwrap().bytes, [0, 9, 100, 225, 255]);
        assert_eq!(to_labels(mask(ElementType::Int8, vec![1, 100])).unwrap().bytes, [1, 100]);
    }

    #[test]
    fn values_that_are_no_labels_are_refused_by_count_and_example() {
        let shorts = [0i16, -1, 256, 9].iter().flat_map(|v| v.to_le_bytes()).collect();
        let refused = to_labels(mask(ElementType::Int16, shorts));
        assert_eq!(refused, Err(MaskError::OutOfRange { voxels: 2, example: -1 }));
        assert!(to_labels(mask(ElementType::Int8, vec![0xff])).is_err());
        assert!(to_labels(mask(ElementType::Float32, vec![0; 4])).is_err());
    }
}
