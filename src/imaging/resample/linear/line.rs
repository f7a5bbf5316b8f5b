//! One row that was blurred along the rows' axis, and is blurred along its own.

use super::plan::{Gaussian, mirrored};

/// A row before and after it is blurred along the columns' axis.
pub(super) struct Line {
    /// With room for mirrored samples on both sides.
    samples: Vec<f64>,
    margin: usize,
    blurred: Vec<f64>,
}

impl Line {
    pub(super) fn new(columns: usize, blur: &Gaussian) -> Self {
        let margin = blur.radius();
        Self { samples: vec![0.0; columns + 2 * margin], margin, blurred: vec![0.0; columns] }
    }

    /// The samples to be blurred.
    #[inline(always)]
    pub(super) fn samples_mut(&mut self) -> &mut [f64] {
        &mut self.samples[self.margin..self.margin + self.blurred.len()]
    }

    /// Blurs the samples.
    #[inline(always)]
    pub(super) fn blur(&mut self, blur: &Gaussian) -> &[f64] {
        let (margin, columns) = (self.margin, self.blurred.len());
        for n in 1..=margin {
            self.samples[margin - n] = self.samples[margin + mirrored(-(n as isize), columns)];
            self.samples[margin + columns - 1 + n] =
                self.samples[margin + mirrored((columns - 1 + n) as isize, columns)];
        }
        let samples = &self.samples;
        blur.apply(|offset| &samples[margin.wrapping_add_signed(offset)..][..columns], &mut self.blurred);
        &self.blurred
    }
}
