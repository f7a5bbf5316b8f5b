//! The resampler against a plain implementation of its definition, written for clarity and nothing else.

use proptest::prelude::*;
use sagittal::imaging::{AxisSampling, Filter, RowSink, Sampling, ValueScale, resample, resample_labels};
use sagittal::volume::{ElementType, Slice};

type Plane = Vec<Vec<f64>>;

/// `d c b | a b c d | c b a`
fn mirror(index: i64, len: usize) -> usize {
    let last = len as i64 - 1;
    let mut index = index;
    while index < 0 || index > last {
        index = if last == 0 {
            0
        } else if index < 0 {
            -index
        } else {
            2 * last - index
        };
    }
    index as usize
}

fn transposed(plane: &Plane) -> Plane {
    (0..plane[0].len()).map(|column| plane.iter().map(|row| row[column]).collect()).collect()
}

/// A Gaussian of the width that shrinking to `scaled` requests, along the rows' axis.
fn blurred(plane: &Plane, scaled: usize) -> Plane {
    let sigma = ((plane.len() as f64 / scaled as f64 - 1.0) / 2.0).max(0.0);
    let radius = (4.0 * sigma + 0.5).floor() as i64;
    if sigma == 0.0 {
        return plane.clone();
    }
    let bell = |x: i64| (-0.5 * (x * x) as f64 / (sigma * sigma)).exp();
    let sum: f64 = (-radius..=radius).map(bell).sum();
    let at = |row: i64, column: usize| plane[mirror(row, plane.len())][column];
    let pixel = |row: i64, column: usize| {
        let pairs = (1..=radius).rev().map(|x| (at(row - x, column) + at(row + x, column)) * (bell(x) / sum));
        pairs.fold(at(row, column) * (bell(0) / sum), |total, pair| total + pair)
    };
    (0..plane.len() as i64).map(|row| (0..plane[0].len()).map(|column| pixel(row, column)).collect()).collect()
}

/// The two samples beside an output sample, and their weights.
fn neighbours(output: usize, input: usize, scaled: usize) -> [(usize, f64); 2] {
    if input == 1 {
        // Nothing lies between one sample; scipy moves every coordinate onto it.
        return [(0, 1.0), (0, 0.0)];
    }
    let place = ((output as f64 + 0.5) * (input as f64 / scaled as f64) - 0.5).abs();
    let first = place.floor();
    let weight = 1.0 - (place - first);
    [(mirror(first as i64, input), weight), (mirror(first as i64 + 1, input), 1.0 - weight)]
}

/// Linear with anti-aliasing, as the module's documentation defines it.
fn plainly_resized(plane: &Plane, rows: usize, columns: usize) -> Plane {
    let plane = transposed(&blurred(&transposed(&blurred(plane, rows)), columns));
    let pixel = |row: usize, column: usize| {
        let mut total = 0.0;
        for (r, row_weight) in neighbours(row, plane.len(), rows) {
            for (c, column_weight) in neighbours(column, plane[0].len(), columns) {
                total += plane[r][c] * row_weight * column_weight;
            }
        }
        total
    };
    (0..rows).map(|row| (0..columns).map(|column| pixel(row, column)).collect()).collect()
}

/// Values as the edition's 16-bit pixels.
fn pixels(values: impl IntoIterator<Item = f64>) -> Vec<u16> {
    values.into_iter().map(|v| (v * 65535.0).round_ties_even().clamp(0.0, 65535.0) as u16).collect()
}

fn sampling(input: [usize; 2], scaled: [usize; 2], filter: Filter) -> Sampling {
    Sampling {
        rows: AxisSampling::whole(input[0], scaled[0]),
        columns: AxisSampling::whole(input[1], scaled[1]),
        filter,
    }
}

fn resized(values: &[i16], input: [usize; 2], scaled: [usize; 2], filter: Filter, scale: ValueScale) -> Vec<f64> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let slice = Slice { element: ElementType::Int16, rows: input[0], columns: input[1], bytes: &bytes };
    let mut out = Vec::new();
    resample(slice, scale, &sampling(input, scaled, filter), |row: &[f64]| out.extend_from_slice(row));
    out
}

/// Takes every close row, and compares it with the exact one.
struct Comparing<'a> {
    exact: &'a [f64],
}

impl RowSink for &mut Comparing<'_> {
    fn push(&mut self, _row: &[f64]) {
        panic!("no close row was offered");
    }

    fn rounds(&self) -> bool {
        true
    }

    fn push_close(&mut self, row: &[f64], margin: f64) -> bool {
        let (exact, rest) = self.exact.split_at(row.len());
        self.exact = rest;
        for (&close, &exact) in row.iter().zip(exact) {
            assert!((close - exact).abs() <= margin, "{close:e} is more than {margin:e} from {exact:e}");
        }
        true
    }
}

const HF: f64 = 1.0 / 32767.0;

fn hugging_face(values: &[i16]) -> ValueScale {
    let scaled = |v: i16| (f64::from(v) * HF).max(-1.0);
    let range = (scaled(*values.iter().min().unwrap()), scaled(*values.iter().max().unwrap()));
    ValueScale { factor: HF, least: -1.0, range }
}

fn plain_scale(values: &[i16]) -> ValueScale {
    let range = (f64::from(*values.iter().min().unwrap()), f64::from(*values.iter().max().unwrap()));
    ValueScale { factor: 1.0, least: f64::NEG_INFINITY, range }
}

/// A slice of up to 40 × 40 and a size to resize it to.
fn cases() -> impl Strategy<Value = ([usize; 2], [usize; 2], Vec<i16>)> {
    let sides = || [1usize..40, 1usize..40];
    (sides(), sides()).prop_flat_map(|(input, scaled)| {
        let voxel = prop_oneof![4 => -1000i16..3096, 1 => Just(i16::MAX), 1 => Just(i16::MIN), 1 => any::<i16>()];
        (Just(input), Just(scaled), proptest::collection::vec(voxel, input[0] * input[1]))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn linear_is_its_definition_to_the_last_pixel((input, scaled, values) in cases()) {
        let scale = hugging_face(&values);
        let plane: Plane = values.chunks(input[1]).map(|row| row.iter().map(|&v| (f64::from(v) * HF).max(-1.0)).collect()).collect();
        let plain = plainly_resized(&plane, scaled[0], scaled[1]).into_iter().flatten();
        let clipped = plain.map(|v| v.clamp(scale.range.0, scale.range.1));
        prop_assert_eq!(pixels(resized(&values, input, scaled, Filter::Linear, scale)), pixels(clipped));
    }

    #[test]
    fn close_rows_lie_within_their_margin_of_exact_ones((input, scaled, values) in cases(), hugging_face_scale: bool) {
        let rows = scaled[0].min(input[0]);
        prop_assume!(input != [rows, scaled[1]]);
        let scale = if hugging_face_scale { hugging_face(&values) } else { plain_scale(&values) };
        let exact = resized(&values, input, [rows, scaled[1]], Filter::Linear, scale);
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let slice = Slice { element: ElementType::Int16, rows: input[0], columns: input[1], bytes: &bytes };
        let mut comparing = Comparing { exact: &exact };
        resample(slice, scale, &sampling(input, [rows, scaled[1]], Filter::Linear), &mut comparing);
        prop_assert!(comparing.exact.is_empty());
    }

    #[test]
    fn no_filter_leaves_the_range_and_a_constant_stays_constant((input, scaled, values) in cases(), filter in 0usize..5) {
        let filter = Filter::ALL[filter];
        let scale = plain_scale(&values);
        let out = resized(&values, input, scaled, filter, scale);
        prop_assert_eq!(out.len(), scaled[0] * scaled[1]);
        prop_assert!(out.iter().all(|v| (scale.range.0..=scale.range.1).contains(v)));
        let constant = vec![values[0]; values.len()];
        let out = resized(&constant, input, scaled, filter, plain_scale(&constant));
        prop_assert!(out.iter().all(|&v| v == f64::from(values[0])));
    }

    #[test]
    fn native_size_is_the_identity((input, _, values) in cases(), filter in 0usize..5) {
        let out = resized(&values, input, input, Filter::ALL[filter], plain_scale(&values));
        prop_assert_eq!(out, values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
    }

    #[test]
    fn masks_hold_only_what_they_held_and_choose_as_nearest_does((input, scaled, values) in cases()) {
        let labels: Vec<u8> = values.iter().map(|&v| v as u8).collect();
        let Sampling { rows, columns, .. } = sampling(input, scaled, Filter::Nearest);
        let out = resample_labels(&labels, rows, columns);
        prop_assert!(out.iter().all(|label| labels.contains(label)));
        let image: Vec<i16> = labels.iter().map(|&l| i16::from(l)).collect();
        let nearest = resized(&image, input, scaled, Filter::Nearest, plain_scale(&image));
        prop_assert_eq!(nearest, out.iter().map(|&l| f64::from(l)).collect::<Vec<_>>());
    }

    #[test]
    fn a_part_is_cut_from_the_whole((input, scaled, values) in cases(), filter in 0usize..5, cut in 0.0f64..1.0) {
        let whole = sampling(input, scaled, Filter::ALL[filter]);
        let part_of = |axis: AxisSampling| {
            let start = ((axis.scaled - 1) as f64 * cut) as usize;
            AxisSampling { start, len: (axis.scaled - start).div_ceil(2), ..axis }
        };
        let part = Sampling { rows: part_of(whole.rows), columns: part_of(whole.columns), filter: whole.filter };
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let slice = Slice { element: ElementType::Int16, rows: input[0], columns: input[1], bytes: &bytes };
        let mut rows = Vec::new();
        resample(slice, plain_scale(&values), &whole, |row: &[f64]| rows.push(row.to_vec()));
        let mut of_whole = rows[part.rows.start..].iter().map(|row| &row[part.columns.start..][..part.columns.len]);
        resample(slice, plain_scale(&values), &part, |row: &[f64]| assert_eq!(Some(row), of_whole.next()));
    }
}
