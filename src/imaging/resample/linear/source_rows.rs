//! Source rows as f64, as many as a kernel reaches.

use super::plan::mirrored;
use crate::imaging::resample::ValueScale;
use crate::imaging::resample::source::read_row;
use crate::volume::Slice;

/// Values in a cache line.
const LINE: usize = 8;

/// The scaled rows around the present one: row `r` of the slice lies in place `r % places`.
pub(super) struct SourceRows<'a> {
    slice: Slice<'a>,
    scale: ValueScale,
    /// Which row each place has.
    held: Vec<Option<usize>>,
    values: Vec<f64>,
    /// Where the first place begins: on a cache line, so that no vector of a row lies across two. That takes a tenth of
    /// the time from an image.
    start: usize,
    /// Values from one place to the next.
    stride: usize,
    /// The places of the rows that were loaded last.
    loaded: Vec<usize>,
}

impl<'a> SourceRows<'a> {
    /// Room for `reach` rows at once.
    pub(super) fn new(slice: Slice<'a>, scale: ValueScale, reach: usize) -> Self {
        let (places, stride) = (reach.min(slice.rows), slice.columns.next_multiple_of(LINE));
        let values = vec![0.0; places * stride + LINE];
        let start = values.as_ptr().align_offset(LINE * size_of::<f64>()).min(LINE);
        Self { slice, scale, held: vec![None; places], values, start, stride, loaded: Vec::with_capacity(reach) }
    }

    /// Loads `count` rows from `first` on, mirrored at the slice's ends.
    #[inline(always)]
    pub(super) fn load(&mut self, first: isize, count: usize) {
        self.loaded.clear();
        for n in 0..count as isize {
            let row = mirrored(first + n, self.slice.rows);
            let place = row % self.held.len();
            self.loaded.push(place);
            if self.held[place] != Some(row) {
                self.held[place] = Some(row);
                let start = self.start + place * self.stride;
                read_row(self.slice, row, self.scale, &mut self.values[start..start + self.slice.columns]);
            }
        }
    }

    /// The `n`th of the rows that were loaded last.
    #[inline(always)]
    pub(super) fn row(&self, n: usize) -> &[f64] {
        let start = self.start + self.loaded[n] * self.stride;
        &self.values[start..start + self.slice.columns]
    }
}
