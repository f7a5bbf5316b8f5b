mod permute;
#[cfg(test)]
mod tests;

use super::{Geometry, Volume};

/// How the axes of a stored array have to be permuted and flipped; never more than that, so nothing is interpolated
/// and [`Orientation::inverse`] gives the stored array back bit for bit.
///
/// The canonical layout is: axis 0 grows from the patient's right to the left (LPS +x), axis 1 from superior to
/// inferior (−z), axis 2 from anterior to posterior (+y). A slice along axis 0 is then sagittal and upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Orientation {
    /// Target axis `c` is source axis `source_axis[c]`; a permutation of 0, 1, 2.
    pub source_axis: [usize; 3],
    /// Target axis `c` runs against its source axis.
    pub flipped: [bool; 3],
}

/// The world axis (0 = x, 1 = y, 2 = z) that each canonical axis lies along.
const CANONICAL_WORLD: [usize; 3] = [0, 2, 1];
/// Which way each canonical axis runs along that world axis.
const CANONICAL_SIGN: [f64; 3] = [1.0, -1.0, 1.0];

/// In a fixed order, so that two equally good ones always give the same answer.
const PERMUTATIONS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// Sums of cosines closer than this are a tie: image and mask of one scan differ in the last digits of their
/// directions and must not be turned differently.
const TIE: f64 = 1e-6;

impl Orientation {
    /// Nothing to permute, nothing to flip.
    pub const IDENTITY: Self = Self { source_axis: [0, 1, 2], flipped: [false; 3] };

    /// From the stored layout to the canonical one, by the directions alone.
    ///
    /// Oblique axes go to the nearest world axes: of all six assignments the one with the largest sum of absolute
    /// direction cosines.
    #[must_use]
    pub fn to_canonical(geometry: &Geometry) -> Self {
        let source_axis = nearest_axes(geometry, CANONICAL_WORLD);
        let mut flipped = [false; 3];
        for (c, flip) in flipped.iter_mut().enumerate() {
            let cosine = geometry.axes[source_axis[c]].direction[CANONICAL_WORLD[c]];
            *flip = cosine * CANONICAL_SIGN[c] < 0.0;
        }
        Self { source_axis, flipped }
    }

    /// From the axes of one grid to those of another, by the directions alone: each target axis is the source axis that lies
    /// along it, flipped where the two run against each other.
    #[must_use]
    pub fn between(source: &Geometry, target: &Geometry) -> Self {
        let cosine = |t: usize, s: usize| -> f64 {
            let (target, source) = (target.axes[t].direction, source.axes[s].direction);
            target.iter().zip(source).map(|(a, b)| a * b).sum()
        };
        let source_axis = best_permutation(|p| (0..3).map(|t| cosine(t, p[t]).abs()).sum());
        Self { source_axis, flipped: [0, 1, 2].map(|t| cosine(t, source_axis[t]) < 0.0) }
    }

    /// Every permutation of the axes with every combination of flips: 48.
    pub fn all() -> impl Iterator<Item = Self> {
        let flips = |n: usize| [0, 1, 2].map(|axis: usize| n >> axis & 1 == 1);
        PERMUTATIONS
            .into_iter()
            .flat_map(move |source_axis| (0..8).map(move |n| Self { source_axis, flipped: flips(n) }))
    }

    /// The way back.
    #[must_use]
    pub fn inverse(self) -> Self {
        let mut back = Self::IDENTITY;
        for (target, &source) in self.source_axis.iter().enumerate() {
            back.source_axis[source] = target;
            back.flipped[source] = self.flipped[target];
        }
        back
    }

    /// Whether applying it changes nothing.
    #[must_use]
    pub fn is_identity(self) -> bool {
        self == Self::IDENTITY
    }

    /// The geometry after the turn; every voxel keeps its place in the world. A flip moves the origin to the other
    /// end of the axis (exact but for the rounding of that sum) and negates the direction.
    #[must_use]
    pub fn apply_to_geometry(self, geometry: &Geometry) -> Geometry {
        let mut turned = Geometry { axes: self.source_axis.map(|s| geometry.axes[s]), origin_mm: geometry.origin_mm };
        for (axis, _) in turned.axes.iter_mut().zip(self.flipped).filter(|(_, flip)| *flip) {
            let length_mm = axis.spacing_mm * (axis.len.saturating_sub(1)) as f64;
            for (coordinate, cosine) in turned.origin_mm.iter_mut().zip(&mut axis.direction) {
                *coordinate += *cosine * length_mm;
                // `0.0 -` rather than `-`: an exact zero stays +0.
                *cosine = 0.0 - *cosine;
            }
        }
        turned
    }

    /// The volume after the turn: geometry as [`Orientation::apply_to_geometry`], voxels moved unchanged.
    #[must_use]
    pub fn apply(self, volume: Volume) -> Volume {
        if self.is_identity() {
            return volume;
        }
        let bytes = permute::permute(&volume.bytes, volume.geometry.shape(), volume.element.size(), self);
        Volume { element: volume.element, geometry: self.apply_to_geometry(&volume.geometry), bytes }
    }

    /// Three letters that say towards where the index grows along the file's i, j and k axes (fastest in memory
    /// first): L or R, A or P, S or I; e.g. `LPS`, `PIR`. What nibabel calls `aff2axcodes`. `AnatomicalOrientation`
    /// in a MetaImage header names the opposite letters.
    #[must_use]
    pub fn axis_codes(geometry: &Geometry) -> String {
        let axis_of_world = nearest_axes(geometry, [0, 1, 2]);
        let mut codes = ['?'; 3];
        for ((world, axis), [positive, negative]) in
            axis_of_world.into_iter().enumerate().zip([['L', 'R'], ['P', 'A'], ['S', 'I']])
        {
            let against = geometry.axes[axis].direction[world] < 0.0;
            codes[2 - axis] = if against { negative } else { positive };
        }
        codes.iter().collect()
    }
}

/// For each of the given world axes the array axis that lies nearest to it.
fn nearest_axes(geometry: &Geometry, world: [usize; 3]) -> [usize; 3] {
    // Score by world x, y, z whatever order was requested, so that ties are broken alike.
    let best = best_permutation(|p| (0..3).map(|w| geometry.axes[p[w]].direction[w].abs()).sum());
    world.map(|w| best[w])
}

/// The permutation with the largest score; the first of those that are a tie.
fn best_permutation(score: impl Fn([usize; 3]) -> f64) -> [usize; 3] {
    let mut best = PERMUTATIONS[0];
    for candidate in PERMUTATIONS {
        if score(candidate) > score(best) + TIE {
            best = candidate;
        }
    }
    best
}
