//! Where the voxels of a prediction belong in the true grid: by affine, axes permuted and flipped; by the layout of an array;
//! or, on request, by the nearest voxel of another grid.

use super::file::MaskFile;
use super::result::Alignment;
use super::{EvaluationError, EvaluationOptions, MaskLayout, PredictionMap, Rule};
use crate::imaging::stored_axes;
use crate::volume::{Geometry, Grid, Orientation, Volume};

/// Differences that are mentioned when a grid is refused.
const SPACING_TOLERANCE_MM: f64 = 1e-4;
const ORIGIN_TOLERANCE_MM: f64 = 1e-3;
const ANGLE_TOLERANCE_DEGREES: f64 = 0.01;

/// From the axes of an array in a layout to the canonical ones.
fn of_layout(grid: &Grid, layout: MaskLayout) -> Orientation {
    match layout {
        MaskLayout::Canonical => Orientation::IDENTITY,
        MaskLayout::File => grid.to_canonical,
        MaskLayout::Stored => {
            let axes = stored_axes(grid.source.shape());
            let source_axis = grid.to_canonical.source_axis.map(|file| {
                // `axes` is a permutation, so that the axis is found.
                axes.iter().position(|&axis| axis == file).unwrap_or(file)
            });
            Orientation { source_axis, ..grid.to_canonical }
        }
    }
}

/// The shape of an array in a layout.
fn shape_of(grid: &Grid, layout: MaskLayout) -> [usize; 3] {
    of_layout(grid, layout).inverse().apply_to_geometry(&grid.canonical).shape()
}

/// How the voxels of a file come into the true grid.
#[derive(Debug)]
pub(super) struct Placement {
    way: Way,
    pub(super) alignment: Alignment,
    pub(super) hints: Vec<String>,
    /// Other ways to read an array, by the parameter that requests them.
    pub(super) alternatives: Vec<(String, Orientation)>,
}

#[derive(Debug)]
enum Way {
    /// Axes permuted and flipped.
    Turn(Orientation),
    /// The nearest voxel of this grid.
    Nearest(Geometry),
}

impl Placement {
    pub(super) fn new(file: &MaskFile, grid: &Grid, options: &EvaluationOptions) -> Result<Self, EvaluationError> {
        check(file, options)?;
        if file.is_array {
            return of_array(file, grid, options.layout.unwrap_or(MaskLayout::Canonical));
        }
        if options.rule == Rule::Spider {
            return of_file_order(file, grid);
        }
        let Some(geometry) = file.geometry else {
            let message = "the NIfTI header does not say where its voxels are (sform_code and qform_code are 0); save it with the \
                           scan's affine, or send the array as .npy";
            return Err(EvaluationError::OtherGrid(message.to_owned()));
        };
        let orientation = Orientation::between(&geometry, &grid.canonical);
        let differences = differences(&orientation.apply_to_geometry(&geometry), &grid.canonical);
        if differences.is_empty() {
            return Ok(Self::turned("affine", orientation));
        }
        if options.resample {
            let alignment = Alignment { by: "nearest_voxel", source_axis: None, flipped: None };
            return Ok(Self { way: Way::Nearest(geometry), alignment, hints: Vec::new(), alternatives: Vec::new() });
        }
        let message = format!(
            "the mask is on another grid than the scan: {}. Save it on the scan's grid, or let resample=nearest take the \
             nearest voxels",
            differences.join("; ")
        );
        Err(EvaluationError::OtherGrid(message))
    }

    fn turned(by: &'static str, orientation: Orientation) -> Self {
        let Orientation { source_axis, flipped } = orientation;
        let alignment = Alignment { by, source_axis: Some(source_axis), flipped: Some(flipped) };
        Self { way: Way::Turn(orientation), alignment, hints: Vec::new(), alternatives: Vec::new() }
    }

    /// The volume's voxels in the canonical order of the grid. The file's axis n is the volume's axis `memory_axes[n]`.
    pub(super) fn apply(&self, volume: Volume, memory_axes: [usize; 3], grid: &Grid) -> Vec<u8> {
        match &self.way {
            Way::Turn(orientation) => {
                let source_axis = orientation.source_axis.map(|axis| memory_axes[axis]);
                Orientation { source_axis, ..*orientation }.apply(volume).bytes
            }
            Way::Nearest(geometry) => nearest(&volume.bytes, geometry, &grid.canonical),
        }
    }
}

/// Refuses parameters that contradict each other or the file.
fn check(file: &MaskFile, options: &EvaluationOptions) -> Result<(), EvaluationError> {
    let conflict = |parameter, message: &str| Err(EvaluationError::Conflict { parameter, message: message.to_owned() });
    if options.rule == Rule::Spider && options.map != PredictionMap::Native {
        return conflict("map", "rule=spider scores instances, each with its own value; leave out map");
    }
    if options.rule == Rule::Spider && options.resample {
        return conflict("resample", "rule=spider compares arrays and knows no grids; leave out resample");
    }
    if file.is_array && options.resample {
        return conflict("resample", "an array has no affine, so that nothing can be resampled; leave out resample");
    }
    if !file.is_array && options.layout.is_some() {
        return conflict("layout", "layout is for .npy files; this file says itself where its voxels are");
    }
    Ok(())
}

fn of_array(file: &MaskFile, grid: &Grid, layout: MaskLayout) -> Result<Placement, EvaluationError> {
    let fits = |layout: &MaskLayout| shape_of(grid, *layout) == file.shape;
    if !fits(&layout) {
        let described = |&layout: &MaskLayout| format!("{:?} for layout={}", shape_of(grid, layout), layout.name());
        let shapes: Vec<_> = MaskLayout::ALL.iter().map(described).collect();
        let fitting: Vec<_> =
            MaskLayout::ALL.iter().filter(|layout| fits(layout)).map(|layout| layout.name()).collect();
        let advice = if fitting.is_empty() {
            "transpose or resample the array to one of these".to_owned()
        } else {
            format!("this array fits layout={}", fitting.join(" or "))
        };
        let message = format!("the array has shape {:?}, expected {}; {advice}", file.shape, shapes.join(", "));
        return Err(EvaluationError::OtherGrid(message));
    }
    let others = MaskLayout::ALL.iter().filter(|other| **other != layout && fits(other));
    let alternatives = others.map(|other| (format!("layout={}", other.name()), of_layout(grid, *other))).collect();
    Ok(Placement { alternatives, ..Placement::turned("layout", of_layout(grid, layout)) })
}

/// By the order of the axes in the files alone, whatever their affines say.
fn of_file_order(file: &MaskFile, grid: &Grid) -> Result<Placement, EvaluationError> {
    let own = &grid.source;
    if file.shape != own.shape() {
        let message = format!(
            "the mask has shape {:?} and the scan's file {:?}; rule=spider compares arrays as they are in the files (k, j, i) \
             and ignores affines. rule=corrected aligns by affine",
            file.shape,
            own.shape()
        );
        return Err(EvaluationError::OtherGrid(message));
    }
    let mut placement = Placement::turned("file_order", grid.to_canonical);
    let turn = file.geometry.map(|geometry| Orientation::between(&geometry, own));
    if turn.is_some_and(|turn| !turn.is_identity()) {
        let hint = "the affine of the mask has other axes than the scan's file, and rule=spider ignores affines: save the mask \
                    with the axes of the scan before you send it to the challenge";
        placement.hints.push(hint.to_owned());
    }
    Ok(placement)
}

/// How two grids differ, in words; nothing when their voxels coincide to within half a voxel.
fn differences(found: &Geometry, expected: &Geometry) -> Vec<String> {
    let is_same_shape = found.shape() == expected.shape();
    let half_voxel = expected.spacing_mm().into_iter().fold(f64::INFINITY, f64::min) / 2.0;
    let offset = found.largest_offset_mm(expected);
    if is_same_shape && offset <= half_voxel {
        return Vec::new();
    }
    let pairs = || found.axes.iter().zip(&expected.axes);
    let mut differences = Vec::new();
    if !is_same_shape {
        differences.push(format!(
            "it has {:?} slices, rows, columns and the scan {:?}",
            found.shape(),
            expected.shape()
        ));
    }
    if pairs().any(|(a, b)| (a.spacing_mm - b.spacing_mm).abs() > SPACING_TOLERANCE_MM) {
        let shown = |geometry: &Geometry| geometry.spacing_mm().map(|mm| format!("{mm:.4}")).join(" × ");
        differences.push(format!("its voxels are {} mm apart and the scan's {}", shown(found), shown(expected)));
    }
    let cosine = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>().clamp(-1.0, 1.0);
    let angles = pairs().map(|(a, b)| cosine(a.direction, b.direction).acos().to_degrees());
    let angle = angles.fold(0.0, f64::max);
    if angle > ANGLE_TOLERANCE_DEGREES {
        differences.push(format!("its axes are turned by up to {angle:.2}°"));
    }
    let squares = found.origin_mm.iter().zip(expected.origin_mm).map(|(a, b)| (a - b).powi(2));
    let origin = squares.sum::<f64>().sqrt();
    if origin > ORIGIN_TOLERANCE_MM {
        differences.push(format!("its first voxel lies {origin:.3} mm from the scan's"));
    }
    if is_same_shape {
        differences.push(format!("corresponding voxels lie up to {offset:.3} mm apart"));
    }
    differences
}

/// For each voxel of `target` the label of the nearest voxel of `source`, 0 outside of it.
fn nearest(labels: &[u8], source: &Geometry, target: &Geometry) -> Vec<u8> {
    let shape = source.shape();
    let to_source = inverse(source);
    // The source index is linear in the target index: its value at the origin, and a step for each axis.
    let index_of = |point: [f64; 3]| {
        let from_origin: [f64; 3] = std::array::from_fn(|world| point[world] - source.origin_mm[world]);
        to_source.map(|row| row.iter().zip(from_origin).map(|(a, b)| a * b).sum::<f64>())
    };
    let origin = index_of(target.origin_mm);
    let step = [0, 1, 2].map(|axis: usize| {
        let mut index = [0.0; 3];
        index[axis] = 1.0;
        let next = index_of(target.world(index));
        [0, 1, 2].map(|n: usize| next[n] - origin[n])
    });
    let [slices, rows, columns] = target.shape();
    let mut found = Vec::with_capacity(target.voxels());
    for slice in 0..slices {
        for row in 0..rows {
            for column in 0..columns {
                let at = |n: usize| {
                    let index =
                        origin[n] + step[0][n] * slice as f64 + step[1][n] * row as f64 + step[2][n] * column as f64;
                    // Halves go up, as in ITK.
                    let nearest = (index + 0.5).floor();
                    (nearest >= 0.0 && nearest < shape[n] as f64).then_some(nearest as usize)
                };
                let label = match (at(0), at(1), at(2)) {
                    (Some(k), Some(j), Some(i)) => labels[(k * shape[1] + j) * shape[2] + i],
                    _ => 0,
                };
                found.push(label);
            }
        }
    }
    found
}

/// From millimetres to the index along each axis. Axes are at right angles, to within what readers tolerate.
fn inverse(geometry: &Geometry) -> [[f64; 3]; 3] {
    let column = |n: usize| geometry.axes[n].direction.map(|part| part * geometry.axes[n].spacing_mm);
    let cross =
        |a: [f64; 3], b: [f64; 3]| [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    let (a, b, c) = (column(0), column(1), column(2));
    let determinant: f64 = a.iter().zip(cross(b, c)).map(|(x, y)| x * y).sum();
    [cross(b, c), cross(c, a), cross(a, b)].map(|row| row.map(|part| part / determinant))
}
