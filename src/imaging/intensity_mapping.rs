//! Rows of f64 → pixel bytes.

use super::facts::ScanFacts;
use super::image_request::IntensityMapping;
use super::resample::{RowSink, ValueScale, clamped};
use super::window::{Bounds, Window};
use crate::volume::ElementType;

/// How resampled values become pixel values, ready to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct IntensityCurve {
    low: f64,
    scale: f64,
    output: ElementType,
    windowed: bool,
    /// stored = slope × pixel + intercept
    pub(super) slope: f64,
    /// stored = slope × pixel + intercept
    pub(super) intercept: f64,
}

impl IntensityCurve {
    /// The curve of a mapping for a scan, whose 1001 quantiles are needed for percentile windows only.
    pub(super) fn new(mapping: IntensityMapping, facts: &ScanFacts, quantiles: &[f64]) -> Self {
        let IntensityMapping { window, output } = mapping;
        let top = top(output);
        match window.bounds(facts, quantiles) {
            Some(Bounds { low, high }) => {
                let range = high - low;
                let (scale, slope) = if range > 0.0 { (top / range, range / top) } else { (0.0, 0.0) };
                Self { low, scale, output, windowed: true, slope, intercept: low }
            }
            None if window == Window::HuggingFace => {
                let slope = facts.element.integer_max().unwrap_or(1.0) / top;
                Self { low: 0.0, scale: top, output, windowed: true, slope, intercept: 0.0 }
            }
            None => Self { low: 0.0, scale: 1.0, output, windowed: false, slope: 1.0, intercept: 0.0 },
        }
    }

    /// Appends a row of pixels. 16-bit pixels of PNGs are big-endian, everything else is little-endian.
    #[inline(always)]
    pub(super) fn push_row(&self, row: &[f64], big_endian: bool, out: &mut Vec<u8>) {
        self.convert(row, big_endian, Exact(out));
    }

    /// Whether pixels are integers.
    fn rounds(&self) -> bool {
        self.output.integer_max().is_some()
    }

    #[inline(always)]
    fn convert(&self, row: &[f64], big_endian: bool, mut out: impl PixelSink) {
        match (self.windowed, self.output) {
            (true, ElementType::Uint8) => out.push(row, |v| [self.level(v, 255.0) as u8]),
            (_, ElementType::Uint16) if big_endian => {
                out.push(row, |v| (self.level(v, 65535.0) as u16).to_be_bytes());
            }
            (true, ElementType::Uint16) => out.push(row, |v| (self.level(v, 65535.0) as u16).to_le_bytes()),
            (true, _) => out.push(row, |v| (((v - self.low) * self.scale).clamp(0.0, 1.0) as f32).to_le_bytes()),
            (false, ElementType::Uint8) => out.push(row, |v| [rounded(v, 0.0, 255.0) as u8]),
            (false, ElementType::Int8) => out.push(row, |v| [rounded(v, -128.0, 127.0) as u8]),
            (false, ElementType::Uint16) => out.push(row, |v| (rounded(v, 0.0, 65535.0) as u16).to_le_bytes()),
            (false, ElementType::Int16) => out.push(row, |v| (rounded(v, -32768.0, 32767.0) as u16).to_le_bytes()),
            (false, ElementType::Uint32) => {
                out.push(row, |v| (rounded(v, 0.0, f64::from(u32::MAX)) as u32).to_le_bytes());
            }
            (false, ElementType::Int32) => {
                out.push(row, |v| (rounded(v, f64::from(i32::MIN), f64::from(i32::MAX)) as u32).to_le_bytes());
            }
            // Beyond the integers that `rounded` knows.
            (false, ElementType::Uint64) => out.push(row, |v| (v.round_ties_even() as u64).to_le_bytes()),
            (false, ElementType::Int64) => out.push(row, |v| (v.round_ties_even() as i64).to_le_bytes()),
            (false, ElementType::Float32) => out.push(row, |v| (v as f32).to_le_bytes()),
            (false, ElementType::Float64) => out.push(row, f64::to_le_bytes),
        }
    }

    /// A pixel value from 0 to `top`, rounded half to even, in the low bits.
    #[inline(always)]
    fn level(&self, value: f64, top: f64) -> u64 {
        rounded((value - self.low) * self.scale, 0.0, top)
    }
}

/// `value` cut to what lies from `least` to `most` and rounded half to even, in the low bits, as two's complement; NaN is
/// `least`. Both bounds lie within ±2⁵¹.
#[inline(always)]
fn rounded(value: f64, least: f64, most: f64) -> u64 {
    // Adding 1.5 · 2⁵² leaves the rounded integer in the lowest bits of the sum: the one way to round to even that every
    // x86-64 has an instruction for; `round_ties_even` is a call for each value there.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    (clamped(value, least, most) + SHIFT).to_bits()
}

/// Rows of resampled values as the pixels of an image, with what lies beside the slice.
pub(super) struct PixelRows<'a> {
    pub(super) curve: IntensityCurve,
    pub(super) big_endian: bool,
    /// Pixels to the left of the slice.
    pub(super) left: Vec<u8>,
    /// Pixels to the right of the slice.
    pub(super) right: Vec<u8>,
    pub(super) out: &'a mut Vec<u8>,
}

impl RowSink for PixelRows<'_> {
    #[inline(always)]
    fn push(&mut self, row: &[f64]) {
        self.out.extend_from_slice(&self.left);
        self.curve.push_row(row, self.big_endian, self.out);
        self.out.extend_from_slice(&self.right);
    }

    fn rounds(&self) -> bool {
        self.curve.rounds()
    }

    #[inline(always)]
    fn push_close(&mut self, row: &[f64], margin: f64) -> bool {
        let start = self.out.len();
        self.out.extend_from_slice(&self.left);
        let mut is_certain = true;
        self.curve.convert(row, self.big_endian, Close { margin, is_certain: &mut is_certain, out: self.out });
        if is_certain {
            self.out.extend_from_slice(&self.right);
        } else {
            self.out.truncate(start);
        }
        is_certain
    }
}

/// Takes a row of values with the function that makes pixels of them, which never decreases.
trait PixelSink {
    fn push<const N: usize>(&mut self, row: &[f64], pixel: impl Fn(f64) -> [u8; N]);
}

/// Appends the pixels of the values.
struct Exact<'a>(&'a mut Vec<u8>);

/// Appends the pixels of values that may be off by `margin`, and finds out whether all are certain: whether the smallest
/// and the largest possible value give the same pixel, and with them all between.
struct Close<'a> {
    margin: f64,
    is_certain: &'a mut bool,
    out: &'a mut Vec<u8>,
}

impl PixelSink for Exact<'_> {
    #[inline(always)]
    fn push<const N: usize>(&mut self, row: &[f64], pixel: impl Fn(f64) -> [u8; N]) {
        for (bytes, &value) in appended::<N>(self.0, row.len()).iter_mut().zip(row) {
            *bytes = pixel(value);
        }
    }
}

impl PixelSink for Close<'_> {
    #[inline(always)]
    fn push<const N: usize>(&mut self, row: &[f64], pixel: impl Fn(f64) -> [u8; N]) {
        let mut is_certain = true;
        for (bytes, &value) in appended::<N>(self.out, row.len()).iter_mut().zip(row) {
            *bytes = pixel(value - self.margin);
            is_certain &= *bytes == pixel(value + self.margin);
        }
        *self.is_certain = is_certain;
    }
}

/// Room for `pixels` pixels more.
#[inline(always)]
fn appended<const N: usize>(out: &mut Vec<u8>, pixels: usize) -> &mut [[u8; N]] {
    let start = out.len();
    out.resize(start + pixels * N, 0);
    out[start..].as_chunks_mut().0
}

fn top(output: ElementType) -> f64 {
    match output {
        ElementType::Uint8 => 255.0,
        ElementType::Uint16 => 65535.0,
        _ => 1.0,
    }
}

/// What happens to stored values before they are resized. `img_as_float` multiplies by the reciprocal of the type's largest
/// value and cuts what is below −1; everything else takes the values as they are.
pub(super) fn value_scale(window: Window, facts: &ScanFacts) -> ValueScale {
    let max = facts.element.integer_max().filter(|_| window == Window::HuggingFace);
    match max {
        Some(max) => {
            let factor = 1.0 / max;
            let range = ((facts.min * factor).max(-1.0), facts.max * factor);
            ValueScale { factor, least: -1.0, range }
        }
        None => ValueScale { factor: 1.0, least: f64::NEG_INFINITY, range: (facts.min, facts.max) },
    }
}

#[cfg(test)]
mod tests;
