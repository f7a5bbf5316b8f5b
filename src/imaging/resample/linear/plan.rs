//! What resizing to one size needs to know of the two axes: kernels and weights, made once for all rows.

use crate::imaging::resample::{AxisSampling, Sampling};

/// What the two axes have in common for every slice of a size.
pub(super) struct Plan {
    pub(super) row_blur: Gaussian,
    pub(super) column_blur: Gaussian,
    pub(super) row_taps: Vec<Tap>,
    pub(super) column_taps: Taps,
    /// Whether the result has more rows than the slice.
    pub(super) rows_grow: bool,
}

/// Between which two samples a wanted one lies, and how much each weighs.
#[derive(Clone, Copy)]
pub(super) struct Tap {
    pub(super) first: usize,
    pub(super) second: usize,
    pub(super) weights: [f64; 2],
}

/// The taps of an axis, field by field, for loops over many at once.
pub(super) struct Taps {
    pub(super) first: Vec<u32>,
    pub(super) second: Vec<u32>,
    pub(super) first_weight: Vec<f64>,
    pub(super) second_weight: Vec<f64>,
    /// Whether the first sample of each tap is that of the same index: the axis keeps its size.
    pub(super) are_neighbours: bool,
    /// Whether each tap's samples are the two behind those of the tap before: the axis is halved.
    pub(super) are_pairs: bool,
}

/// A symmetric kernel: the weight of the centre, and those at distance radius, radius − 1, …, 1.
pub(super) struct Gaussian {
    centre: f64,
    sides: Vec<f64>,
}

impl Plan {
    pub(super) fn new(sampling: &Sampling) -> Self {
        let column_taps: Vec<_> = (0..sampling.columns.len).map(|n| Tap::new(sampling.columns, n)).collect();
        Self {
            rows_grow: sampling.rows.scaled > sampling.rows.input,
            row_blur: Gaussian::new(sampling.rows),
            column_blur: Gaussian::new(sampling.columns),
            row_taps: (0..sampling.rows.len).map(|n| Tap::new(sampling.rows, n)).collect(),
            column_taps: Taps {
                first: column_taps.iter().map(|tap| tap.first as u32).collect(),
                second: column_taps.iter().map(|tap| tap.second as u32).collect(),
                first_weight: column_taps.iter().map(|tap| tap.weights[0]).collect(),
                second_weight: column_taps.iter().map(|tap| tap.weights[1]).collect(),
                are_pairs: column_taps.first().is_some_and(|start| {
                    let is_next =
                        |(n, tap): (usize, &Tap)| tap.first == start.first + 2 * n && tap.second == tap.first + 1;
                    column_taps.iter().enumerate().all(is_next)
                }),
                are_neighbours: column_taps.len() > 1 && column_taps.iter().enumerate().all(|(n, tap)| tap.first == n),
            },
        }
    }
}

impl Tap {
    fn new(axis: AxisSampling, n: usize) -> Self {
        let last = axis.input - 1;
        if last == 0 {
            return Self { first: 0, second: 0, weights: [1.0, 0.0] };
        }
        // Coordinates before the first sample are mirrored about it; those behind the last one fall between it and its
        // mirrored neighbour.
        let coordinate = axis.coordinate(n).abs();
        let floor = coordinate.floor();
        let first_weight = 1.0 - (coordinate - floor);
        let first = floor as usize;
        let second = if first < last { first + 1 } else { last - 1 };
        Self { first, second, weights: [first_weight, 1.0 - first_weight] }
    }
}

impl Gaussian {
    fn new(axis: AxisSampling) -> Self {
        let sigma = f64::max(0.0, (axis.input as f64 / axis.scaled as f64 - 1.0) / 2.0);
        let radius = (4.0 * sigma + 0.5) as i64;
        if sigma <= 1e-15 || radius == 0 {
            return Self { centre: 1.0, sides: Vec::new() };
        }
        let shape = |x: i64| (-0.5 / (sigma * sigma) * (x * x) as f64).exp();
        let weights: Vec<f64> = (-radius..=radius).map(shape).collect();
        let sum = numpy_sum(&weights);
        let weights: Vec<f64> = weights.into_iter().map(|w| w / sum).collect();
        Self { centre: weights[radius as usize], sides: weights[..radius as usize].to_vec() }
    }

    pub(super) fn radius(&self) -> usize {
        self.sides.len()
    }

    /// From one end to the other.
    pub(super) fn weights(&self) -> impl Iterator<Item = f64> {
        self.sides.iter().copied().chain([self.centre]).chain(self.sides.iter().rev().copied())
    }

    /// Blurs; `samples(offset)` are the samples at a distance from those of `out`, as many as `out` has.
    ///
    /// Centre first, then pairs from the outside in: the order in which `scipy.ndimage.correlate1d` adds for symmetric
    /// weights. Small radii, which is nearly all of them, are done in one pass.
    #[inline(always)]
    pub(super) fn apply<'a>(&self, samples: impl Fn(isize) -> &'a [f64], out: &mut [f64]) {
        match self.radius() {
            0 => self.apply_small::<0>(samples, out),
            1 => self.apply_small::<1>(samples, out),
            2 => self.apply_small::<2>(samples, out),
            3 => self.apply_small::<3>(samples, out),
            4 => self.apply_small::<4>(samples, out),
            radius => {
                out.iter_mut().zip(samples(0)).for_each(|(sum, centre)| *sum = centre * self.centre);
                for (distance, &weight) in (1..=radius as isize).rev().zip(&self.sides) {
                    add_pair(samples(-distance), samples(distance), weight, out);
                }
            }
        }
    }

    #[inline(always)]
    fn apply_small<'a, const RADIUS: usize>(&self, samples: impl Fn(isize) -> &'a [f64], out: &mut [f64]) {
        let len = out.len();
        let centre = &samples(0)[..len];
        let before: [&[f64]; RADIUS] = std::array::from_fn(|n| &samples(n as isize - RADIUS as isize)[..len]);
        let after: [&[f64]; RADIUS] = std::array::from_fn(|n| &samples(RADIUS as isize - n as isize)[..len]);
        let weights: [f64; RADIUS] = std::array::from_fn(|n| self.sides[n]);
        for i in 0..len {
            let mut sum = centre[i] * self.centre;
            for n in 0..RADIUS {
                sum += (before[n][i] + after[n][i]) * weights[n];
            }
            out[i] = sum;
        }
    }
}

/// numpy adds up to 128 numbers as eight running sums; the last bits depend on it.
fn numpy_sum(values: &[f64]) -> f64 {
    if values.len() > 128 {
        let half = values.len() / 2 - values.len() / 2 % 8;
        return numpy_sum(&values[..half]) + numpy_sum(&values[half..]);
    }
    let (eights, rest) = values.as_chunks::<8>();
    let Some((start, eights)) = eights.split_first() else { return values.iter().sum() };
    let mut r = *start;
    for eight in eights {
        r.iter_mut().zip(eight).for_each(|(sum, value)| *sum += value);
    }
    let sums = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    rest.iter().fold(sums, |sum, value| sum + value)
}

/// `d c b | a b c d | c b a`: index of a sample that may lie outside an axis.
#[inline(always)]
pub(super) fn mirrored(index: isize, len: usize) -> usize {
    // A division takes as long as ten values' work, so not for those within, which is nearly all.
    if index.cast_unsigned() < len { index.cast_unsigned() } else { mirrored_outside(index, len) }
}

#[cold]
fn mirrored_outside(index: isize, len: usize) -> usize {
    if len == 1 {
        return 0;
    }
    let period = 2 * (len as isize - 1);
    let index = index.rem_euclid(period);
    (if index < len as isize { index } else { period - index }) as usize
}

/// Picks samples. Indices are always within; written like this, the loop becomes masked gathers without a branch.
#[inline(always)]
pub(super) fn gather(samples: &[f64], indices: &[u32], out: &mut [f64]) {
    for (out, &index) in out.iter_mut().zip(indices) {
        *out = samples.get(index as usize).copied().unwrap_or_default();
    }
}

/// Adds the weighted sum of two samples at equal distances from the centre.
#[inline(always)]
fn add_pair(one: &[f64], other: &[f64], weight: f64, sum: &mut [f64]) {
    for ((sum, one), other) in sum.iter_mut().zip(one).zip(other) {
        *sum += (one + other) * weight;
    }
}
