use ndarray::{ArrayView2, ArrayView3, ArrayViewMut2, ArrayViewMut3, Axis, s};

use super::Orientation;

/// Side of the square tiles in which two axes are swapped: 32 rows of a tile, read and written, stay in the first
/// cache. Without tiles a volume whose slices lie on the fastest axis costs a cache line per voxel.
const TILE: usize = 32;

/// Permutes and flips an array of `shape` with elements of `size` bytes (1, 2, 4 or 8).
pub(super) fn permute(bytes: &[u8], shape: [usize; 3], size: usize, orientation: Orientation) -> Vec<u8> {
    match size {
        1 => permute_elements::<1>(bytes, shape, orientation),
        2 => permute_elements::<2>(bytes, shape, orientation),
        4 => permute_elements::<4>(bytes, shape, orientation),
        _ => permute_elements::<8>(bytes, shape, orientation),
    }
}

fn permute_elements<const N: usize>(bytes: &[u8], shape: [usize; 3], orientation: Orientation) -> Vec<u8> {
    let mut turned = vec![0u8; bytes.len()];
    let target_shape = orientation.source_axis.map(|s| shape[s]);
    let source = ArrayView3::from_shape(shape, bytes.as_chunks::<N>().0);
    let target = ArrayViewMut3::from_shape(target_shape, turned.as_chunks_mut::<N>().0);
    // Both fail only for a volume that breaks its own promise (bytes = voxels × size); it then stays black.
    let (Ok(source), Ok(mut target)) = (source, target) else { return turned };
    let mut source = source.permuted_axes(orientation.source_axis);
    for (axis, _) in orientation.flipped.into_iter().enumerate().filter(|(_, flip)| *flip) {
        source.invert_axis(Axis(axis));
    }
    // The axis that is left alone by the swap of the source's fastest axis with the target's.
    let outer = if orientation.source_axis[0] == 2 { Axis(1) } else { Axis(0) };
    for (source, target) in source.axis_iter(outer).zip(target.axis_iter_mut(outer)) {
        copy_plane(&source, target);
    }
    turned
}

/// Copies a plane whose fastest axis is the second in the target and either of the two in the source.
fn copy_plane<const N: usize>(source: &ArrayView2<'_, [u8; N]>, mut target: ArrayViewMut2<'_, [u8; N]>) {
    if source.strides()[1].unsigned_abs() == 1 {
        copy(source, target);
        return;
    }
    let (rows, columns) = target.dim();
    for row in (0..rows).step_by(TILE) {
        for column in (0..columns).step_by(TILE) {
            let tile = s![row..rows.min(row + TILE), column..columns.min(column + TILE)];
            copy(&source.slice(tile), target.slice_mut(tile));
        }
    }
}

/// By value and by index: `assign` clones each element, which for an array is a call of `memcpy`, and iterators over rows ask
/// for each element whether the row is contiguous.
fn copy<const N: usize>(source: &ArrayView2<'_, [u8; N]>, mut target: ArrayViewMut2<'_, [u8; N]>) {
    for (from, mut to) in source.rows().into_iter().zip(target.rows_mut()) {
        match (from.as_slice(), to.as_slice_mut()) {
            (Some(from), Some(to)) => to.copy_from_slice(from),
            _ => (0..to.len()).for_each(|n| to[n] = from[n]),
        }
    }
}
