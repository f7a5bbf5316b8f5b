use super::{Geometry, Orientation};

/// Where the voxels of a scan lie, by the axes of its file and by the canonical ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// The file's own axes, slowest first, and origin.
    pub source: Geometry,
    /// Slices, rows, columns.
    pub canonical: Geometry,
    /// From the axes of the file to the canonical ones.
    pub to_canonical: Orientation,
}

impl Grid {
    /// Of a scan whose file has this geometry.
    #[must_use]
    pub fn new(source: Geometry) -> Self {
        let to_canonical = Orientation::to_canonical(&source);
        Self { source, canonical: to_canonical.apply_to_geometry(&source), to_canonical }
    }
}
