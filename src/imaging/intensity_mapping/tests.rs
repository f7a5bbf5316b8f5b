use proptest::prelude::*;

use super::*;
use crate::imaging::resample::{AxisSampling, Filter, Sampling, resample};
use crate::volume::Slice;

fn curve(low: f64, scale: f64, output: ElementType, windowed: bool) -> IntensityCurve {
    IntensityCurve { low, scale, output, windowed, slope: 1.0, intercept: 0.0 }
}

#[test]
fn levels_round_half_to_even() {
    let mut out = Vec::new();
    let values = [0.5, 1.5, 2.5, 2.500_001, -7.0, 1e9, 65534.5, 65535.0];
    curve(0.0, 1.0, ElementType::Uint16, true).push_row(&values, false, &mut out);
    let levels: Vec<_> = out.as_chunks::<2>().0.iter().map(|&b| u16::from_le_bytes(b)).collect();
    assert_eq!(levels, [0, 2, 2, 3, 0, 65535, 65534, 65535]);
}

#[test]
fn a_close_row_is_taken_if_no_value_within_the_margin_makes_another_pixel() {
    let mut out = Vec::new();
    let curve = curve(0.0, 1.0, ElementType::Uint8, true);
    let mut rows = PixelRows { curve, big_endian: false, left: vec![7], right: vec![8, 9], out: &mut out };
    assert!(rows.push_close(&[3.2, -5.0, 1e9], 0.1));
    assert!(!rows.push_close(&[3.2, 3.45], 0.1));
    assert!(rows.push_close(&[3.2, 3.45], 0.01));
    assert_eq!(out, [7, 3, 0, 255, 8, 9, 7, 3, 3, 8, 9]);
}

/// A slice of up to 30 × 30, of noise or of one value but for two corners, and a size to resize it to.
fn cases() -> impl Strategy<Value = ([usize; 2], [usize; 2], Vec<i16>)> {
    let sides = || [1usize..30, 1usize..30];
    let noise = (1i16..200).prop_map(|most| (-most, most));
    let level = prop_oneof![-9i16..9, Just(255)].prop_map(|value| (value, value));
    (sides(), sides(), prop_oneof![noise, level]).prop_flat_map(|(input, scaled, (least, most))| {
        let voxels = proptest::collection::vec(least..=most, input[0] * input[1]).prop_map(|mut voxels| {
            // Otherwise a level would be the slice's range, to which results are cut.
            voxels[0] += 40;
            *voxels.last_mut().unwrap() -= 40;
            voxels
        });
        (Just(input), Just(scaled), voxels)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Of whatever type, and where values lie halfway between two pixels.
    #[test]
    fn pixels_of_close_rows_are_those_of_exact_ones(
        (input, scaled, values) in cases(),
        output in prop::sample::select(&ElementType::ALL[..]),
        (windowed, low, scale) in (any::<bool>(), -3i8..3, prop::sample::select(&[0.5, 1.0, 1.5, 0.0, 37.3][..])),
    ) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let slice = Slice { element: ElementType::Int16, rows: input[0], columns: input[1], bytes: &bytes };
        let range = (f64::from(*values.iter().min().unwrap()), f64::from(*values.iter().max().unwrap()));
        let value_scale = ValueScale { factor: 1.0, least: f64::NEG_INFINITY, range };
        let sampling = Sampling {
            rows: AxisSampling::whole(input[0], scaled[0]),
            columns: AxisSampling::whole(input[1], scaled[1]),
            filter: Filter::Linear,
        };
        let curve = curve(f64::from(low) / 2.0, scale, output, windowed);
        let (mut exact, mut out) = (Vec::new(), Vec::new());
        resample(slice, value_scale, &sampling, |row: &[f64]| curve.push_row(row, false, &mut exact));
        let rows = PixelRows { curve, big_endian: false, left: Vec::new(), right: Vec::new(), out: &mut out };
        resample(slice, value_scale, &sampling, rows);
        prop_assert_eq!(out, exact);
    }
}
