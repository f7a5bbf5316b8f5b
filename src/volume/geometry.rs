/// A position in millimetres, LPS: (left, posterior, superior).
pub type Point = [f64; 3];

/// A 4×4 matrix, row after row, that takes (index along axis 0, axis 1, axis 2, 1) to (x, y, z, 1) in millimetres.
pub type Affine = [[f64; 4]; 4];

/// One axis of a volume.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// Number of voxels, at least 1.
    pub len: usize,
    /// Distance between neighbouring voxel centres, above 0.
    pub spacing_mm: f64,
    /// Unit vector, LPS, towards which the index grows.
    pub direction: [f64; 3],
}

/// Where the voxels of a volume are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// The axes, slowest in memory first (the order of a numpy array's `shape`).
    pub axes: [Axis; 3],
    /// Centre of the voxel with index (0, 0, 0).
    pub origin_mm: Point,
}

impl Geometry {
    /// Voxels along each axis, slowest first.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        self.axes.map(|a| a.len)
    }

    /// Millimetres between voxel centres along each axis, slowest first.
    #[must_use]
    pub fn spacing_mm(&self) -> [f64; 3] {
        self.axes.map(|a| a.spacing_mm)
    }

    /// Number of voxels.
    #[must_use]
    pub fn voxels(&self) -> usize {
        self.shape().iter().product()
    }

    /// Index (axis 0, axis 1, axis 2, 1) → LPS millimetres.
    #[must_use]
    pub fn affine_lps(&self) -> Affine {
        let mut affine = [[0.0; 4]; 4];
        for (world, row) in affine.iter_mut().take(3).enumerate() {
            for (axis, entry) in self.axes.iter().zip(row.iter_mut()) {
                *entry = axis.direction[world] * axis.spacing_mm;
            }
            row[3] = self.origin_mm[world];
        }
        affine[3][3] = 1.0;
        affine
    }

    /// Index (axis 0, axis 1, axis 2, 1) → RAS millimetres, the world of NIfTI and nibabel: x and y change sign.
    #[must_use]
    pub fn affine_ras(&self) -> Affine {
        let mut affine = self.affine_lps();
        for row in affine.iter_mut().take(2) {
            for entry in row {
                // `0.0 -` rather than `-`: an exact zero stays +0.
                *entry = 0.0 - *entry;
            }
        }
        affine
    }

    /// World position (LPS, mm) of a point given in voxel indices, which may be fractional.
    #[must_use]
    pub fn world(&self, index: [f64; 3]) -> Point {
        let mut point = self.origin_mm;
        for (axis, i) in self.axes.iter().zip(index) {
            for (coordinate, direction) in point.iter_mut().zip(axis.direction) {
                *coordinate += direction * axis.spacing_mm * i;
            }
        }
        point
    }

    /// How far a voxel of this grid lies at most from the voxel of the same index in another grid, in millimetres. Compares the
    /// corners, where the distance is largest. The grids have one shape.
    #[must_use]
    pub fn largest_offset_mm(&self, other: &Self) -> f64 {
        let last = self.shape().map(|len| len.saturating_sub(1) as f64);
        let corner = |n: usize| [0, 1, 2].map(|axis: usize| if n >> axis & 1 == 1 { last[axis] } else { 0.0 });
        (0..8).map(|n| distance_mm(self.world(corner(n)), other.world(corner(n)))).fold(0.0, f64::max)
    }
}

fn distance_mm(a: Point, b: Point) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}
