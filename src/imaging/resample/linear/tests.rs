use super::*;
use crate::imaging::resample::AxisSampling;
use crate::volume::ElementType;

/// The columns are halved by one of the sizes below.
const SHAPE: [usize; 2] = [61, 64];

/// Rounds to 16 bits, and takes every close row that it may.
#[derive(Default)]
struct Rounding {
    pixels: Vec<u16>,
    close_rows: usize,
}

fn pixel(value: f64) -> u16 {
    (value * 21.3).round_ties_even() as u16
}

impl RowSink for &mut Rounding {
    fn push(&mut self, row: &[f64]) {
        self.pixels.extend(row.iter().map(|&value| pixel(value)));
    }

    fn rounds(&self) -> bool {
        true
    }

    fn push_close(&mut self, row: &[f64], margin: f64) -> bool {
        let is_certain = row.iter().all(|&value| pixel(value - margin) == pixel(value + margin));
        if is_certain {
            self.push(row);
            self.close_rows += 1;
        }
        is_certain
    }
}

/// What a program gets on a processor without the newer instructions is what it gets on others, and nearly all of it is
/// made of close rows.
#[test]
fn every_set_of_instructions_makes_the_same_pixels() {
    let values = (0..SHAPE[0] * SHAPE[1]).map(|n| (n * n % 3001) as u16);
    let bytes: Vec<u8> = values.flat_map(u16::to_le_bytes).collect();
    let slice = Slice { element: ElementType::Uint16, rows: SHAPE[0], columns: SHAPE[1], bytes: &bytes };
    let scale = ValueScale { factor: 1.0, least: f64::NEG_INFINITY, range: (0.0, 3000.0) };
    for size in [7, 20, 32, 45, 60] {
        let [rows, columns] = SHAPE.map(|side| AxisSampling::whole(side, size));
        let sampling = Sampling { rows, columns, filter: crate::imaging::Filter::Linear };
        let plan = Plan::new(&sampling);
        let mut exact = Vec::new();
        run::<false>(slice, scale, &plan, |row: &[f64]| exact.extend(row.iter().map(|&value| pixel(value))));
        let check = |run: &dyn Fn(&mut Rounding)| {
            let mut sink = Rounding::default();
            run(&mut sink);
            assert!(sink.close_rows > size / 2, "{} of {size} rows", sink.close_rows);
            assert_eq!(sink.pixels, exact, "{size}");
        };
        check(&|sink| run::<false>(slice, scale, &plan, sink));
        check(&|sink| run::<true>(slice, scale, &plan, sink));
        check(&|sink| resample(slice, scale, &sampling, sink));
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has just been found to have these instructions.
            check(&|sink| unsafe { run_avx2(slice, scale, &plan, sink) });
        }
    }
}

/// A part of the result beside the slice has rows, but no columns.
#[test]
fn a_part_without_columns_is_empty() {
    let bytes = [0; 64];
    let slice = Slice { element: ElementType::Uint8, rows: 8, columns: 8, bytes: &bytes };
    let scale = ValueScale { factor: 1.0, least: f64::NEG_INFINITY, range: (0.0, 255.0) };
    let rows = AxisSampling::whole(8, 4);
    let sampling = Sampling { rows, columns: AxisSampling { len: 0, ..rows }, filter: crate::imaging::Filter::Linear };
    let mut sink = Rounding::default();
    resample(slice, scale, &sampling, &mut sink);
    assert_eq!((sink.close_rows, sink.pixels.len()), (4, 0));
}
