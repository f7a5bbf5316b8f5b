//! Whether an image and a mask are of the same grid.

use crate::volume::Geometry;

/// Direction cosines of image and mask differ in their last digits in the release itself; more is worth a note.
const DIRECTION_TOLERANCE: f64 = 1e-6;

/// Spacing and origin in millimetres beyond which a difference is worth a note.
const LENGTH_TOLERANCE_MM: f64 = 1e-4;

/// Compares the grids. What differs by less than half a voxel anywhere is one grid, with a note for each difference that
/// is more than rounding; anything else is an error.
pub(super) fn compare(image: &Geometry, mask: &Geometry) -> Result<Vec<String>, String> {
    if image.shape() != mask.shape() {
        return Err(format!("the image has {} voxels and the mask {}", shape(image), shape(mask)));
    }
    let distance = image.largest_offset_mm(mask);
    let half_voxel = image.spacing_mm().into_iter().fold(f64::INFINITY, f64::min) / 2.0;
    if distance > half_voxel {
        return Err(format!("their grids lie up to {distance:.3} mm apart, more than half a voxel"));
    }
    Ok(notes(image, mask))
}

fn notes(image: &Geometry, mask: &Geometry) -> Vec<String> {
    let largest = |pairs: &mut dyn Iterator<Item = (f64, f64)>| pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let pairs = || image.axes.iter().zip(&mask.axes);
    let spacing = largest(&mut pairs().map(|(a, b)| (a.spacing_mm, b.spacing_mm)));
    let direction = largest(&mut pairs().flat_map(|(a, b)| a.direction.into_iter().zip(b.direction)));
    let origin = largest(&mut image.origin_mm.into_iter().zip(mask.origin_mm));
    let found = [
        ("spacing", spacing, LENGTH_TOLERANCE_MM, " mm"),
        ("direction", direction, DIRECTION_TOLERANCE, ""),
        ("origin", origin, LENGTH_TOLERANCE_MM, " mm"),
    ];
    let beyond = found.into_iter().filter(|(_, difference, tolerance, _)| difference > tolerance);
    beyond
        .map(|(what, difference, _, unit)| format!("{what} of image and mask differs by {difference:.2e}{unit}"))
        .collect()
}

fn shape(geometry: &Geometry) -> String {
    let [k, j, i] = geometry.shape();
    format!("{i} × {j} × {k}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Axis;

    fn geometry() -> Geometry {
        let axis = |len, spacing_mm, direction| Axis { len, spacing_mm, direction };
        let axes = [axis(20, 4.0, [1.0, 0.0, 0.0]), axis(300, 0.5, [0.0, 0.0, -1.0]), axis(400, 0.5, [0.0, 1.0, 0.0])];
        Geometry { axes, origin_mm: [-30.0, -100.0, 90.0] }
    }

    #[test]
    fn rounding_is_not_mentioned_and_more_is() {
        let mut mask = geometry();
        mask.axes[0].direction[1] = 5e-7;
        assert_eq!(compare(&geometry(), &mask), Ok(vec![]));
        mask.origin_mm[2] += 0.01;
        let notes = compare(&geometry(), &mask).unwrap();
        assert!(notes[0].starts_with("origin of image and mask differs by 1.00e-2 mm"), "{notes:?}");
    }

    #[test]
    fn another_grid_is_refused() {
        let mut moved = geometry();
        moved.origin_mm[1] += 0.3;
        assert!(compare(&geometry(), &moved).unwrap_err().contains("0.300 mm"));
        let mut flipped = geometry();
        flipped.axes[1].direction[2] = 1.0;
        assert!(compare(&geometry(), &flipped).is_err());
        let mut shorter = geometry();
        shorter.axes[2].len = 399;
        assert!(compare(&geometry(), &shorter).unwrap_err().contains("400 × 300 × 20"));
    }
}
