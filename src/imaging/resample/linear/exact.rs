//! Rows in the order of scipy's operations, float for float.

use super::line::Line;
use super::plan::{Plan, Tap, Taps, gather};
use super::source_rows::SourceRows;
use crate::imaging::resample::clamped;

/// Makes rows of the result from rows that are blurred along both axes, of which it keeps the last two.
pub(super) struct ExactRows<'a> {
    plan: &'a Plan,
    blurred: [Gathered; 2],
}

/// A blurred row's values at the two samples of every column tap.
struct Gathered {
    row: Option<usize>,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl<'a> ExactRows<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let len = plan.column_taps.first.len();
        let gathered = || Gathered { row: None, first: vec![0.0; len], second: vec![0.0; len] };
        Self { plan, blurred: [gathered(), gathered()] }
    }

    /// Writes the row at `tap`, cut to `range`.
    #[inline(always)]
    pub(super) fn write(
        &mut self,
        tap: &Tap,
        range: (f64, f64),
        source: &mut SourceRows<'_>,
        line: &mut Line,
        out: &mut [f64],
    ) {
        for (row, other) in [(tap.first, tap.second), (tap.second, tap.first)] {
            if self.blurred.iter().all(|kept| kept.row != Some(row)) {
                let place = usize::from(self.blurred[0].row == Some(other));
                self.blur(row, place, source, line);
            }
        }
        let kept = |row| &self.blurred[usize::from(self.blurred[1].row == Some(row))];
        interpolate(kept(tap.first), kept(tap.second), tap.weights, &self.plan.column_taps, range, out);
    }

    #[inline(always)]
    fn blur(&mut self, row: usize, place: usize, source: &mut SourceRows<'_>, line: &mut Line) {
        let Plan { row_blur, column_blur, column_taps: taps, .. } = self.plan;
        let radius = row_blur.radius() as isize;
        source.load(row as isize - radius, row_blur.radius() * 2 + 1);
        row_blur.apply(|offset| source.row((radius + offset) as usize), line.samples_mut());
        let blurred = line.blur(column_blur);
        let kept = &mut self.blurred[place];
        kept.row = Some(row);
        if taps.are_neighbours {
            // Sample after sample: copies instead of gathers.
            let last = kept.first.len() - 1;
            kept.first.copy_from_slice(&blurred[..=last]);
            kept.second[..last].copy_from_slice(&blurred[1..=last]);
            kept.second[last] = blurred[taps.second[last] as usize];
        } else {
            gather(blurred, &taps.first, &mut kept.first);
            gather(blurred, &taps.second, &mut kept.second);
        }
    }
}

/// The four terms of each pixel, value × row weight × column weight, summed row by row, and cut to the range.
#[inline(always)]
fn interpolate(
    upper: &Gathered,
    lower: &Gathered,
    [top, bottom]: [f64; 2],
    taps: &Taps,
    (least, most): (f64, f64),
    out: &mut [f64],
) {
    let len = out.len();
    let (upper_first, upper_second) = (&upper.first[..len], &upper.second[..len]);
    let (lower_first, lower_second) = (&lower.first[..len], &lower.second[..len]);
    let (left, right) = (&taps.first_weight[..len], &taps.second_weight[..len]);
    for n in 0..len {
        let mut sum = upper_first[n] * top * left[n];
        sum += upper_second[n] * top * right[n];
        sum += lower_first[n] * bottom * left[n];
        sum += lower_second[n] * bottom * right[n];
        out[n] = clamped(sum, least, most);
    }
}
