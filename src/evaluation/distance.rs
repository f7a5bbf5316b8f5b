//! Distances between the surfaces of two structures, in millimetres and exact.
//!
//! The surface of a structure are its voxels that have a neighbour outside of it. Distances from each voxel of one surface to
//! the nearest of the other come from an exact Euclidean distance transform: along rows by counting, then along columns as the
//! lower envelope of parabolas (Felzenszwalb and Huttenlocher, Distance Transforms of Sampled Functions, 2012), then from slice
//! to slice by a search that ends as soon as no slice further away can be nearer. Only one plane is in memory at a time, and
//! only the box that both structures fill is looked at.

mod bits;
#[cfg(test)]
mod tests;

use super::overlap::Extent;
use bits::{Bits, NONE};

/// Which voxels are neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connectivity {
    /// Those that share a face: 6.
    Faces,
    /// Those that share a corner: 26.
    Corners,
}

/// Distances of each surface voxel of a structure to the nearest surface voxel of the other, in no order.
#[derive(Debug)]
pub(super) struct SurfaceDistances {
    pub(super) from_first: Vec<f64>,
    pub(super) from_second: Vec<f64>,
}

/// A structure: a label of a mask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Labelled<'a> {
    pub(super) labels: &'a [u8],
    pub(super) label: u8,
}

/// Measures two structures in masks of one shape, both inside a box. Neither is empty.
pub(super) fn surface_distances(
    [first, second]: [Labelled<'_>; 2],
    shape: [usize; 3],
    extent: &Extent,
    spacing_mm: [f64; 3],
    connectivity: Connectivity,
) -> SurfaceDistances {
    let surface = |structure: Labelled<'_>| Bits::of(structure, shape, extent).surface(connectivity);
    let (first, second) = (surface(first), surface(second));
    SurfaceDistances {
        from_first: distances(&first, &second, spacing_mm),
        from_second: distances(&second, &first, spacing_mm),
    }
}

/// From each set bit of `from` to the nearest one of `to`; both are of one box.
fn distances(from: &Bits, to: &Bits, spacing_mm: [f64; 3]) -> Vec<f64> {
    let lines = to.slices * to.rows;
    let mut found = Vec::with_capacity(from.count());
    let mut nearest = NearestColumns::new(to);
    let mut plane = Plane::new(to, spacing_mm);
    for column in from.used_columns() {
        for (line, squared) in (0..lines).zip(&mut plane.squared) {
            *squared = nearest.distance(to, line, column).map_or(f64::INFINITY, |n| (n as f64 * spacing_mm[2]).powi(2));
        }
        plane.transform_rows();
        let queried = (0..lines).filter(|&line| from.has(line, column));
        found.extend(queried.map(|line| plane.nearest(line / to.rows, line % to.rows).sqrt()));
    }
    found
}

/// For each row of a box the set bits on both sides of a column, which only grows.
struct NearestColumns {
    before: Vec<u32>,
    after: Vec<u32>,
}

impl NearestColumns {
    fn new(bits: &Bits) -> Self {
        let lines = bits.slices * bits.rows;
        Self { before: vec![NONE; lines], after: (0..lines).map(|line| bits.next(line, 0)).collect() }
    }

    /// Voxels to the nearest set bit of the row.
    fn distance(&mut self, bits: &Bits, line: usize, column: usize) -> Option<u32> {
        let column = column as u32;
        while self.after[line] < column {
            self.before[line] = self.after[line];
            self.after[line] = bits.next(line, self.after[line] as usize + 1);
        }
        let before = if self.before[line] == NONE { NONE } else { column - self.before[line] };
        let after = if self.after[line] == NONE { NONE } else { self.after[line] - column };
        let nearest = before.min(after);
        (nearest != NONE).then_some(nearest)
    }
}

/// Squared distances in the plane of one column: slices × rows.
struct Plane {
    slices: usize,
    rows: usize,
    row_mm: f64,
    slice_mm: f64,
    squared: Vec<f64>,
    envelope: Envelope,
}

impl Plane {
    fn new(bits: &Bits, [slice_mm, row_mm, _]: [f64; 3]) -> Self {
        let squared = vec![f64::INFINITY; bits.slices * bits.rows];
        let envelope = Envelope::new(bits.rows, row_mm);
        Self { slices: bits.slices, rows: bits.rows, row_mm, slice_mm, squared, envelope }
    }

    /// From distances within a row to distances within a slice.
    fn transform_rows(&mut self) {
        for line in self.squared.chunks_exact_mut(self.rows) {
            self.envelope.transform(line, self.row_mm);
        }
    }

    /// The squared distance of a voxel to the nearest one in any slice.
    fn nearest(&self, slice: usize, row: usize) -> f64 {
        let mut nearest = self.squared[slice * self.rows + row];
        for step in 1..self.slices {
            let across = (step as f64 * self.slice_mm).powi(2);
            // Slices further away cannot be nearer.
            if across >= nearest {
                break;
            }
            if step <= slice {
                nearest = nearest.min(self.squared[(slice - step) * self.rows + row] + across);
            }
            if slice + step < self.slices {
                nearest = nearest.min(self.squared[(slice + step) * self.rows + row] + across);
            }
        }
        nearest
    }
}

/// The lower envelope of parabolas, one for each value of a line.
struct Envelope {
    /// Where the parabolas that are lowest somewhere stand, and how high.
    apex: Vec<usize>,
    height: Vec<f64>,
    /// From where on each of them is lowest.
    start: Vec<f64>,
    /// 1 / (2 × n × squared spacing)
    reciprocal: Vec<f64>,
}

impl Envelope {
    fn new(len: usize, spacing_mm: f64) -> Self {
        let reciprocal = (0..len).map(|n| 0.5 / (n as f64 * spacing_mm * spacing_mm)).collect();
        Self {
            apex: Vec::with_capacity(len),
            height: Vec::with_capacity(len),
            start: Vec::with_capacity(len),
            reciprocal,
        }
    }

    /// Replaces each value by the least of all values plus the squared distance to them.
    fn transform(&mut self, line: &mut [f64], spacing_mm: f64) {
        self.build(line, spacing_mm * spacing_mm);
        if self.apex.is_empty() {
            return;
        }
        let mut lowest = 0;
        for (n, value) in line.iter_mut().enumerate() {
            while self.start.get(lowest + 1).is_some_and(|&start| start < n as f64) {
                lowest += 1;
            }
            *value = self.height[lowest] + (self.apex[lowest].abs_diff(n) as f64 * spacing_mm).powi(2);
        }
    }

    fn build(&mut self, line: &[f64], squared_spacing: f64) {
        self.apex.clear();
        self.height.clear();
        self.start.clear();
        for (n, &height) in line.iter().enumerate().filter(|(_, height)| height.is_finite()) {
            let start = loop {
                let (Some(&apex), Some(&other), Some(&start)) =
                    (self.apex.last(), self.height.last(), self.start.last())
                else {
                    break f64::NEG_INFINITY;
                };
                // Where the parabola of n goes below the last one.
                let rise = (height - other) + squared_spacing * ((n * n) as f64 - (apex * apex) as f64);
                let crossing = rise * self.reciprocal[n - apex];
                if crossing > start {
                    break crossing;
                }
                self.apex.pop();
                self.height.pop();
                self.start.pop();
            };
            self.apex.push(n);
            self.height.push(height);
            self.start.push(start);
        }
    }
}
