//! Rows of a slice as f64.

use super::{ValueScale, raised};
use crate::volume::{ElementType, Slice};

/// Writes row `row` of `slice`, every value scaled, to `out`, which has one place for each column.
#[inline(always)]
pub(super) fn read_row(slice: Slice<'_>, row: usize, scale: ValueScale, out: &mut [f64]) {
    let size = slice.columns * slice.element.size();
    let bytes = &slice.bytes[row * size..(row + 1) * size];
    match slice.element {
        ElementType::Uint8 => convert(bytes, out, scale, |b: [u8; 1]| f64::from(u8::from_le_bytes(b))),
        ElementType::Int8 => convert(bytes, out, scale, |b: [u8; 1]| f64::from(i8::from_le_bytes(b))),
        ElementType::Uint16 => convert(bytes, out, scale, |b: [u8; 2]| f64::from(u16::from_le_bytes(b))),
        ElementType::Int16 => convert(bytes, out, scale, |b: [u8; 2]| f64::from(i16::from_le_bytes(b))),
        ElementType::Uint32 => convert(bytes, out, scale, |b: [u8; 4]| f64::from(u32::from_le_bytes(b))),
        ElementType::Int32 => convert(bytes, out, scale, |b: [u8; 4]| f64::from(i32::from_le_bytes(b))),
        ElementType::Uint64 => convert(bytes, out, scale, |b: [u8; 8]| u64::from_le_bytes(b) as f64),
        ElementType::Int64 => convert(bytes, out, scale, |b: [u8; 8]| i64::from_le_bytes(b) as f64),
        ElementType::Float32 => convert(bytes, out, scale, |b: [u8; 4]| f64::from(f32::from_le_bytes(b))),
        ElementType::Float64 => convert(bytes, out, scale, |b: [u8; 8]| f64::from_le_bytes(b)),
    }
}

#[inline(always)]
fn convert<const N: usize>(bytes: &[u8], out: &mut [f64], scale: ValueScale, value: impl Fn([u8; N]) -> f64) {
    for (out, &chunk) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *out = raised(value(chunk) * scale.factor, scale.least);
    }
}
