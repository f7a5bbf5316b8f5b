use proptest::prelude::*;

use super::*;
use crate::volume::{Axis, ElementType, Geometry, Volume};

const PERMUTATIONS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// A file's array in which every voxel is different.
fn stored(shape: [usize; 3]) -> Volume {
    let axis = |len| Axis { len, spacing_mm: 1.0, direction: [1.0, 0.0, 0.0] };
    let voxels = shape.iter().product::<usize>() as u16;
    let bytes = (0..voxels).flat_map(u16::to_le_bytes).collect();
    Volume { element: ElementType::Uint16, geometry: Geometry { axes: shape.map(axis), origin_mm: [0.0; 3] }, bytes }
}

fn plane(view: &SliceView, canonical: &Volume, k: usize) -> Vec<u16> {
    let slices: Vec<_> = view.canonical_slices(k).into_iter().map(|n| canonical.slice(n).unwrap()).collect();
    view.plane(k, &slices).as_chunks::<2>().0.iter().map(|&b| u16::from_le_bytes(b)).collect()
}

/// Slice `k` as the edition takes it from the file's array: `transpose(1, 2, 0)` if the first axis is shorter than the last,
/// then the last axis.
fn edition_slice(shape: [usize; 3], k: usize) -> ([usize; 2], Vec<u16>) {
    let [a, b, c] = shape;
    let value = |i: usize, j: usize, l: usize| ((i * b + j) * c + l) as u16;
    if a < c {
        ([b, c], (0..b).flat_map(|row| (0..c).map(move |column| value(k, row, column))).collect())
    } else {
        ([a, b], (0..a).flat_map(|row| (0..b).map(move |column| value(row, column, k))).collect())
    }
}

fn orientations() -> impl Iterator<Item = Orientation> {
    PERMUTATIONS.into_iter().flat_map(|source_axis| {
        (0..8).map(move |bits| Orientation { source_axis, flipped: [0, 1, 2].map(|axis| bits >> axis & 1 == 1) })
    })
}

#[test]
fn the_stored_layout_is_the_files_array_whatever_its_orientation() {
    let mut sagittal = 0;
    for orientation in orientations() {
        for shape in [[3, 5, 7], [7, 5, 3], [5, 3, 7], [4, 6, 4], [1, 5, 2], [6, 1, 1]] {
            let canonical = orientation.apply(stored(shape));
            let view = SliceView::new(canonical.geometry.shape(), orientation, Layout::Stored);
            for k in 0..view.shape()[0] {
                let (rows_columns, expected) = edition_slice(shape, k);
                assert_eq!(view.shape()[1..], rows_columns);
                assert_eq!(plane(&view, &canonical, k), expected, "{orientation:?} {shape:?} {k}");
            }
            sagittal += usize::from(view.showing(0).is_some());
        }
    }
    assert_eq!(sagittal, 48 * 6 / 3, "a third of the orientations has sagittal slices for each shape");
}

#[test]
fn the_canonical_layout_is_the_stores_and_is_not_copied() {
    let volume = stored([3, 5, 7]);
    for orientation in orientations() {
        let view = SliceView::new([3, 5, 7], orientation, Layout::Canonical);
        let slice = volume.slice(2).unwrap();
        assert_eq!(view.canonical_slices(2), [2]);
        assert!(matches!(view.plane(2, &[slice]), Cow::Borrowed(bytes) if bytes == slice.bytes));
    }
}

proptest! {
    #[test]
    fn a_point_of_a_canonical_slice_is_found_where_the_view_shows_it(
        permutation in 0usize..6, bits in 0u8..8, shape in [1usize..6, 1usize..6, 1usize..6],
        slice: prop::sample::Index, row: prop::sample::Index, column: prop::sample::Index,
    ) {
        let flipped = [0, 1, 2].map(|axis| bits >> axis & 1 == 1);
        let orientation = Orientation { source_axis: PERMUTATIONS[permutation], flipped };
        let canonical = orientation.apply(stored(shape));
        let [slices, rows, columns] = canonical.geometry.shape();
        let (n, row, column) = (slice.index(slices), row.index(rows), column.index(columns));
        let view = SliceView::new([slices, rows, columns], orientation, Layout::Stored);
        if let Some(k) = view.showing(n) {
            let [y, x] = view.point([row as f64, column as f64]).map(|at| at as usize);
            let size = 2 * (row * columns + column);
            let bytes = canonical.slice(n).unwrap().bytes;
            let expected = u16::from_le_bytes([bytes[size], bytes[size + 1]]);
            prop_assert_eq!(plane(&view, &canonical, k)[y * view.shape()[2] + x], expected);
        }
    }
}
