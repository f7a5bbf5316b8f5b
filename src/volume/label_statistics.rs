//! Which labels lie where in a mask.

use super::Volume;
use crate::spider::Label;

/// One label in one slice. Rows and columns are those of the canonical slice; boxes are inclusive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SliceLabel {
    /// Canonical slice index.
    pub slice: usize,
    /// Which label; never the background.
    pub label: Label,
    /// How many pixels.
    pub pixels: u64,
    /// First and last row.
    pub rows: (usize, usize),
    /// First and last column.
    pub columns: (usize, usize),
    /// Mean (row, column).
    pub centroid: [f64; 2],
}

/// One label in the whole mask. Boxes are inclusive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VolumeLabel {
    /// Which label; never the background.
    pub label: Label,
    /// How many voxels.
    pub voxels: u64,
    /// The slice with most of them, the lowest of equals.
    pub best_slice: usize,
    /// First and last slice.
    pub slices: (usize, usize),
    /// First and last row.
    pub rows: (usize, usize),
    /// First and last column.
    pub columns: (usize, usize),
    /// Mean (slice, row, column).
    pub centroid: [f64; 3],
}

/// Every label of a mask, slice by slice and as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelStatistics {
    /// By slice, then label.
    pub slices: Vec<SliceLabel>,
    /// By label.
    pub whole: Vec<VolumeLabel>,
    /// Labelled pixels (any label) of every slice.
    pub labelled_pixels: Vec<u64>,
}

impl LabelStatistics {
    /// Counts a mask of `uint8` voxels.
    #[must_use]
    pub fn of(mask: &Volume) -> Self {
        let [slices, _, columns] = mask.geometry.shape();
        let mut found = Self::default();
        for slice in 0..slices {
            let Some(plane) = mask.slice(slice) else { break };
            let labels = labels_of_slice(slice, plane.bytes, columns);
            found.labelled_pixels.push(labels.iter().map(|l| l.pixels).sum());
            found.slices.extend(labels);
        }
        found.whole = merge(&found.slices);
        found
    }

    /// The slice with the most labelled pixels, the lowest of equals.
    #[must_use]
    pub fn best_slice(&self) -> usize {
        let most = self.labelled_pixels.iter().max().copied().unwrap_or(0);
        self.labelled_pixels.iter().position(|&pixels| pixels == most).unwrap_or(0)
    }
}

#[derive(Clone, Copy)]
struct Tally {
    pixels: u64,
    rows: (usize, usize),
    columns: (usize, usize),
    row_sum: u64,
    column_sum: u64,
}

impl Tally {
    const EMPTY: Self = Self { pixels: 0, rows: (usize::MAX, 0), columns: (usize::MAX, 0), row_sum: 0, column_sum: 0 };

    fn add_run(&mut self, row: usize, first: usize, length: usize) {
        let (pixels, last) = (length as u64, first + length - 1);
        self.pixels += pixels;
        self.rows = (self.rows.0.min(row), self.rows.1.max(row));
        self.columns = (self.columns.0.min(first), self.columns.1.max(last));
        self.row_sum += pixels * row as u64;
        self.column_sum += (first + last) as u64 * pixels / 2;
    }
}

fn labels_of_slice(slice: usize, pixels: &[u8], columns: usize) -> Vec<SliceLabel> {
    let mut tallies = [Tally::EMPTY; 256];
    for (row, line) in pixels.chunks_exact(columns.max(1)).enumerate() {
        let mut column = 0;
        while let Some(&label) = line.get(column) {
            let len = run_len(&line[column..], label);
            tallies[usize::from(label)].add_run(row, column, len);
            column += len;
        }
    }
    let labels = (0..=u8::MAX).map(Label).zip(tallies).skip(1).filter(|(_, tally)| tally.pixels > 0);
    let summary = |(label, tally): (Label, Tally)| {
        let mean = |sum: u64| sum as f64 / tally.pixels as f64;
        let centroid = [mean(tally.row_sum), mean(tally.column_sum)];
        SliceLabel { slice, label, pixels: tally.pixels, rows: tally.rows, columns: tally.columns, centroid }
    };
    labels.map(summary).collect()
}

/// How many of the first pixels have this label. Most of a mask is background, which is compared many pixels at once.
fn run_len(pixels: &[u8], label: u8) -> usize {
    let blocks = pixels.as_chunks::<64>().0;
    let same = 64 * blocks.iter().take_while(|block| **block == [label; 64]).count();
    same + pixels[same..].iter().take_while(|&&pixel| pixel == label).count()
}

fn merge(slices: &[SliceLabel]) -> Vec<VolumeLabel> {
    let mut ordered: Vec<_> = slices.iter().collect();
    ordered.sort_by_key(|s| (s.label, s.slice));
    ordered.chunk_by(|a, b| a.label == b.label).map(merge_one).collect()
}

/// Merges the slices of one label, in ascending order.
fn merge_one(slices: &[&SliceLabel]) -> VolumeLabel {
    let first = slices[0];
    let voxels: u64 = slices.iter().map(|s| s.pixels).sum();
    let mean = |of: fn(&SliceLabel) -> f64| slices.iter().map(|s| of(s) * s.pixels as f64).sum::<f64>() / voxels as f64;
    let span = |of: fn(&SliceLabel) -> (usize, usize)| {
        slices.iter().map(|s| of(s)).fold((usize::MAX, 0), |all, one| (all.0.min(one.0), all.1.max(one.1)))
    };
    let best = slices.iter().fold(first, |best, s| if s.pixels > best.pixels { s } else { best });
    VolumeLabel {
        label: first.label,
        voxels,
        best_slice: best.slice,
        slices: span(|s| (s.slice, s.slice)),
        rows: span(|s| s.rows),
        columns: span(|s| s.columns),
        centroid: [mean(|s| s.slice as f64), mean(|s| s.centroid[0]), mean(|s| s.centroid[1])],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::{Axis, ElementType, Geometry};

    fn mask(shape: [usize; 3], bytes: Vec<u8>) -> Volume {
        let axes = shape.map(|len| Axis { len, spacing_mm: 1.0, direction: [1.0, 0.0, 0.0] });
        Volume { element: ElementType::Uint8, geometry: Geometry { axes, origin_mm: [0.0; 3] }, bytes }
    }

    /// Two slices of 2 × 3, counted by hand.
    #[test]
    fn a_small_mask() {
        let found = LabelStatistics::of(&mask([2, 2, 3], vec![0, 1, 1, 0, 1, 201, 0, 0, 0, 1, 0, 0]));
        let one = |slice, pixels, rows, columns, centroid| SliceLabel {
            slice,
            label: Label(1),
            pixels,
            rows,
            columns,
            centroid,
        };
        assert_eq!(found.slices[0], one(0, 3, (0, 1), (1, 2), [1.0 / 3.0, 4.0 / 3.0]));
        assert_eq!(found.slices[1].label, Label(201));
        assert_eq!(found.slices[2], one(1, 1, (1, 1), (0, 0), [1.0, 0.0]));
        assert_eq!(found.labelled_pixels, [4, 1]);
        assert_eq!(found.best_slice(), 0);
        let whole = found.whole[0];
        assert_eq!((whole.voxels, whole.best_slice, whole.slices, whole.columns), (4, 0, (0, 1), (0, 2)));
        assert_eq!(whole.centroid, [0.25, 0.5, 1.0]);
    }

    #[test]
    fn runs_of_any_length_are_counted_whole() {
        for (before, len, after) in [(0, 1, 0), (3, 63, 1), (0, 64, 9), (1, 65, 70), (64, 128, 64), (70, 200, 0)] {
            let row = [vec![0; before], vec![7; len], vec![9; after]].concat();
            let found = LabelStatistics::of(&mask([1, 1, row.len()], row));
            let seven = found.whole[0];
            assert_eq!((seven.label, seven.voxels), (Label(7), len as u64));
            assert_eq!(seven.columns, (before, before + len - 1));
            assert_eq!(found.labelled_pixels, [(len + after) as u64]);
        }
    }

    #[test]
    fn an_empty_mask_has_no_labels_and_its_first_slice_is_best() {
        let found = LabelStatistics::of(&mask([3, 2, 2], vec![0; 12]));
        assert!(found.slices.is_empty() && found.whole.is_empty());
        assert_eq!((found.best_slice(), found.labelled_pixels), (0, vec![0, 0, 0]));
    }
}
