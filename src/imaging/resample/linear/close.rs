//! Rows within a known distance of scipy's, in half the operations.
//!
//! scipy blurs the two rows that a row of the result lies between, and interpolates at the end. Here one kernel blurs along
//! the rows' axis and interpolates at once, so that one row is blurred along its own axis instead of two. In exact
//! arithmetic the two are the same.

use super::line::Line;
use super::plan::{Gaussian, Plan, Tap, Taps};
use super::source_rows::SourceRows;
use crate::imaging::resample::{ValueScale, clamped};

/// Makes rows of the result, each value off by `margin` at most.
pub(super) struct CloseRows<'a> {
    plan: &'a Plan,
    /// How far a value may lie from scipy's.
    pub(super) margin: f64,
    /// What the source rows that a row is made of weigh.
    weights: Vec<f64>,
}

impl<'a> CloseRows<'a> {
    pub(super) fn new(plan: &'a Plan, scale: ValueScale) -> Self {
        Self { plan, margin: margin(plan, scale), weights: vec![0.0; plan.row_blur.radius() * 2 + 2] }
    }

    /// Writes the row at `tap`, cut to `range`.
    #[inline(always)]
    pub(super) fn write<const FUSED: bool>(
        &mut self,
        tap: &Tap,
        range: (f64, f64),
        source: &mut SourceRows<'_>,
        line: &mut Line,
        out: &mut [f64],
    ) {
        let Plan { row_blur, column_blur, column_taps, .. } = self.plan;
        // The second row is the first one's neighbour. Where that lies outside, it is the mirrored one, whose surroundings
        // are mirrored too.
        source.load(tap.first as isize - row_blur.radius() as isize, self.weights.len());
        weigh(row_blur, tap.weights, &mut self.weights);
        sum_rows::<FUSED>(source, &self.weights, line.samples_mut());
        interpolate(line.blur(column_blur), column_taps, range, out);
    }
}

/// Every sample of a result goes through that many roundings at most, each of which changes it by half an epsilon of what it
/// is: along the rows' axis radius + 3 in scipy's order, and 2 · radius + 6 here; along the columns' axis radius + 3 in
/// either; interpolating, 5 and 2; adding and subtracting the margin, 1. As weights are not negative and their sum is 1, a
/// result is off by as many halves of epsilons of the largest sample. Whole ones leave as much again for the rounding of
/// the weights' sum and for products of errors.
fn margin(plan: &Plan, ValueScale { range: (least, most), .. }: ValueScale) -> f64 {
    let roundings = 3 * plan.row_blur.radius() + 2 * plan.column_blur.radius() + 24;
    roundings as f64 * f64::EPSILON * f64::max(least.abs(), most.abs())
}

/// What each row from the first one that the blur reaches weighs, for a row between two.
fn weigh(blur: &Gaussian, [first, second]: [f64; 2], out: &mut [f64]) {
    out.fill(0.0);
    for (n, weight) in blur.weights().enumerate() {
        out[n] += first * weight;
        out[n + 1] += second * weight;
    }
}

/// Weighted sums of the rows that were loaded last.
#[inline(always)]
fn sum_rows<const FUSED: bool>(source: &SourceRows<'_>, weights: &[f64], out: &mut [f64]) {
    match weights.len() {
        2 => sum_few_rows::<2, FUSED>(source, weights, out),
        4 => sum_few_rows::<4, FUSED>(source, weights, out),
        6 => sum_few_rows::<6, FUSED>(source, weights, out),
        8 => sum_few_rows::<8, FUSED>(source, weights, out),
        10 => sum_few_rows::<10, FUSED>(source, weights, out),
        _ => {
            out.fill(0.0);
            for (n, &weight) in weights.iter().enumerate() {
                out.iter_mut().zip(source.row(n)).for_each(|(sum, value)| *sum += value * weight);
            }
        }
    }
}

#[inline(always)]
fn sum_few_rows<const N: usize, const FUSED: bool>(source: &SourceRows<'_>, weights: &[f64], out: &mut [f64]) {
    let len = out.len();
    let rows: [&[f64]; N] = std::array::from_fn(|n| &source.row(n)[..len]);
    let weights: [f64; N] = std::array::from_fn(|n| weights[n]);
    for i in 0..len {
        let mut sum = rows[0][i] * weights[0];
        for n in 1..N {
            let (value, weight) = (rows[n][i], weights[n]);
            sum = if FUSED { value.mul_add(weight, sum) } else { sum + value * weight };
        }
        out[i] = sum;
    }
}

/// Interpolates along a row, and cuts to the range.
#[inline(always)]
fn interpolate(samples: &[f64], taps: &Taps, (least, most): (f64, f64), out: &mut [f64]) {
    let len = out.len();
    let (first, second) = (&taps.first[..len], &taps.second[..len]);
    let (left, right) = (&taps.first_weight[..len], &taps.second_weight[..len]);
    if taps.are_neighbours {
        // Sample after sample: loads instead of gathers. The last one's neighbour may be a mirrored one.
        let (present, next) = (&samples[..len - 1], &samples[1..len]);
        for n in 0..len - 1 {
            out[n] = clamped(present[n] * left[n] + next[n] * right[n], least, most);
        }
        let (n, next) = (len - 1, second[len - 1] as usize);
        out[n] = clamped(samples[n] * left[n] + samples[next] * right[n], least, most);
        return;
    }
    if taps.are_pairs {
        // Pair after pair: shuffles instead of gathers.
        for (n, &[one, other]) in samples[first[0] as usize..].as_chunks::<2>().0[..len].iter().enumerate() {
            out[n] = clamped(one * left[n] + other * right[n], least, most);
        }
        return;
    }
    let at = |index: u32| samples.get(index as usize).copied().unwrap_or_default();
    for n in 0..len {
        out[n] = clamped(at(first[n]) * left[n] + at(second[n]) * right[n], least, most);
    }
}
