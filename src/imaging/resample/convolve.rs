//! Filters that are separable convolutions: every output sample is a weighted sum of input samples, first along each row,
//! then along each column. Weights are made once per axis.

use std::cell::RefCell;
use std::rc::Rc;

use super::source::read_row;
use super::{AxisSampling, RowSink, Sampling, ValueScale, clamped};
use crate::volume::Slice;

/// The shape of a filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kernel {
    /// Cubic convolution with a = −0.5 (Keys 1981), Pillow's `BICUBIC`.
    CatmullRom,
    /// sinc(x) · sinc(x/3), Pillow's `LANCZOS`.
    Lanczos3,
    /// How much of each input sample an output sample covers.
    Coverage,
}

impl Kernel {
    /// Input samples on either side that can have a weight, for an axis that keeps its size.
    fn support(self) -> f64 {
        match self {
            Self::CatmullRom => 2.0,
            Self::Lanczos3 => 3.0,
            Self::Coverage => 0.5,
        }
    }

    fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::CatmullRom if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::CatmullRom if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Self::Lanczos3 if x < 3.0 => sinc(x) * sinc(x / 3.0),
            Self::CatmullRom | Self::Lanczos3 | Self::Coverage => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

/// The input samples of one output sample: `weights[0]` is that of `first`.
struct Window {
    first: usize,
    weights: Vec<f64>,
}

impl Window {
    fn new(axis: AxisSampling, kernel: Kernel, n: usize) -> Self {
        let ratio = axis.input as f64 / axis.scaled as f64;
        if kernel == Kernel::Coverage {
            return Self::covered(axis, ratio, n);
        }
        // Filters widen when an axis shrinks, and keep their width when it grows.
        let widening = ratio.max(1.0);
        let support = kernel.support() * widening;
        let centre = ((axis.start + n) as f64 + 0.5) * ratio;
        let first = ((centre - support + 0.5) as usize).min(axis.input - 1);
        let end = ((centre + support + 0.5) as usize).clamp(first + 1, axis.input);
        let weight = |sample: usize| kernel.weight((sample as f64 + 0.5 - centre) / widening);
        Self::normalised(first, (first..end).map(weight).collect())
    }

    fn covered(axis: AxisSampling, ratio: f64, n: usize) -> Self {
        let from = (axis.start + n) as f64 * ratio;
        let to = (from + ratio).min(axis.input as f64);
        let first = (from as usize).min(axis.input - 1);
        let end = (to.ceil() as usize).clamp(first + 1, axis.input);
        let share = |sample: usize| (to.min((sample + 1) as f64) - from.max(sample as f64)).max(0.0);
        Self::normalised(first, (first..end).map(share).collect())
    }

    fn normalised(first: usize, mut weights: Vec<f64>) -> Self {
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Self { first, weights }
    }
}

fn windows(axis: AxisSampling, kernel: Kernel) -> Vec<Window> {
    (0..axis.len).map(|n| Window::new(axis, kernel, n)).collect()
}

thread_local! {
    /// Those of the columns that this thread resized last: the bands of an image have them in common.
    static RECENT: RefCell<Vec<Recent>> = const { RefCell::new(Vec::new()) };
}

type Recent = ((AxisSampling, Kernel), Rc<[Window]>);

const REMEMBERED: usize = 4;

fn recent_windows(axis: AxisSampling, kernel: Kernel) -> Rc<[Window]> {
    RECENT.with_borrow_mut(|recent| {
        if let Some((_, windows)) = recent.iter().find(|(of, _)| *of == (axis, kernel)) {
            return Rc::clone(windows);
        }
        recent.truncate(REMEMBERED - 1);
        let made: Rc<[Window]> = windows(axis, kernel).into();
        recent.insert(0, ((axis, kernel), Rc::clone(&made)));
        made
    })
}

/// Resizes with `kernel`.
pub(super) fn resample(
    slice: Slice<'_>,
    scale: ValueScale,
    sampling: &Sampling,
    kernel: Kernel,
    mut sink: impl RowSink,
) {
    let columns = recent_windows(sampling.columns, kernel);
    let rows = windows(sampling.rows, kernel);
    let kept = rows.iter().map(|window| window.weights.len()).max().unwrap_or(0);
    let mut source = vec![0.0; slice.columns];
    // Rows that were resized along their own axis, row `r` in place `r % kept`.
    let mut resized: Vec<(Option<usize>, Vec<f64>)> = (0..kept).map(|_| (None, vec![0.0; columns.len()])).collect();
    let mut out = vec![0.0; columns.len()];
    for window in &rows {
        out.fill(0.0);
        for (row, &weight) in (window.first..).zip(&window.weights) {
            let (held, line) = &mut resized[row % kept];
            if *held != Some(row) {
                *held = Some(row);
                read_row(slice, row, scale, &mut source);
                resize_line(&source, &columns, line);
            }
            out.iter_mut().zip(line).for_each(|(sum, value)| *sum += *value * weight);
        }
        for value in &mut out {
            *value = clamped(*value, scale.range.0, scale.range.1);
        }
        sink.push(&out);
    }
}

fn resize_line(source: &[f64], windows: &[Window], out: &mut [f64]) {
    for (out, window) in out.iter_mut().zip(windows) {
        let samples = &source[window.first..window.first + window.weights.len()];
        *out = samples.iter().zip(&window.weights).map(|(sample, weight)| sample * weight).sum();
    }
}
