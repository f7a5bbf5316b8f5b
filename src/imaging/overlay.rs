//! Labels in colour over a grey image.

use super::image_request::OverlayStyle;
use crate::spider::Label;

/// Lays labels over `grey`; both have `columns` columns. `labels` has `above` rows before those of `grey`, and may have others
/// behind them, on which outlines depend. The result is red, green, blue for each pixel of `grey`.
///
/// Inside a label, colour and grey are mixed by `alpha`; pixels within `outline` pixels of another label (or of the
/// background) are the label's colour alone.
pub(super) fn blend(grey: &[u8], labels: &[u8], columns: usize, above: usize, style: OverlayStyle) -> Vec<u8> {
    let distances = if style.outline > 0 { distances(labels, columns) } else { Vec::new() };
    let first = above * columns;
    let mut rgb = Vec::with_capacity(grey.len() * 3);
    for (pixel, (&grey, &label)) in grey.iter().zip(&labels[first..]).enumerate() {
        if label == 0 {
            rgb.extend([grey; 3]);
            continue;
        }
        let is_outline = distances.get(first + pixel).is_some_and(|&distance| distance <= style.outline);
        let alpha = if is_outline { 1000 } else { u32::from(style.alpha) };
        let mix = |colour: u8| ((u32::from(colour) * alpha + u32::from(grey) * (1000 - alpha) + 500) / 1000) as u8;
        rgb.extend(Label(label).colour().map(mix));
    }
    rgb
}

/// Steps (up, down, left, right) from each pixel to the nearest one with another label; 255 for so many or more.
///
/// The nearest such pixel is reached along rows and columns through pixels of one label only, because any other would be
/// nearer. So one pass down and to the right and one pass up and to the left find every distance.
fn distances(labels: &[u8], columns: usize) -> Vec<u8> {
    let columns = columns.max(1);
    let mut distances = vec![u8::MAX; labels.len()];
    for row in 0..labels.len() / columns {
        if row > 0 {
            down(labels, &mut distances, columns, row);
        }
        let line = row * columns..(row + 1) * columns;
        let (labels, distances) = (&labels[line.clone()], &mut distances[line]);
        for column in 1..columns {
            distances[column] = nearer(distances[column], distances[column - 1], labels[column] == labels[column - 1]);
        }
    }
    for row in (0..labels.len() / columns).rev() {
        if (row + 1) * columns < labels.len() {
            up(labels, &mut distances, columns, row);
        }
        let line = row * columns..(row + 1) * columns;
        let (labels, distances) = (&labels[line.clone()], &mut distances[line]);
        for column in (0..columns - 1).rev() {
            distances[column] = nearer(distances[column], distances[column + 1], labels[column] == labels[column + 1]);
        }
    }
    distances
}

/// A pixel's distance, when it is known to be at most `distance` and that of a neighbour is known.
#[inline(always)]
fn nearer(distance: u8, neighbour: u8, is_same_label: bool) -> u8 {
    distance.min(if is_same_label { neighbour.saturating_add(1) } else { 1 })
}

/// Takes the row above `row` into account.
fn down(labels: &[u8], distances: &mut [u8], columns: usize, row: usize) {
    let (above, below) = distances.split_at_mut(row * columns);
    let (above, below) = (&above[(row - 1) * columns..], &mut below[..columns]);
    let labels = (&labels[(row - 1) * columns..row * columns], &labels[row * columns..(row + 1) * columns]);
    for column in 0..columns {
        below[column] = nearer(below[column], above[column], labels.0[column] == labels.1[column]);
    }
}

/// Takes the row below `row` into account.
fn up(labels: &[u8], distances: &mut [u8], columns: usize, row: usize) {
    let (above, below) = distances.split_at_mut((row + 1) * columns);
    let (above, below) = (&mut above[row * columns..], &below[..columns]);
    let labels = (&labels[row * columns..(row + 1) * columns], &labels[(row + 1) * columns..(row + 2) * columns]);
    for column in 0..columns {
        above[column] = nearer(above[column], below[column], labels.0[column] == labels.1[column]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DISC: u8 = 201;

    #[test]
    fn background_stays_grey_and_labels_are_mixed() {
        let rgb = blend(&[10, 200], &[0, DISC], 2, 0, OverlayStyle { alpha: 250, outline: 0 });
        assert_eq!(rgb[..3], [10; 3]);
        let mixed = Label(DISC).colour().map(|c| (f64::from(c) * 0.25 + 200.0 * 0.75).round() as u8);
        assert_eq!(rgb[3..], mixed);
    }

    #[test]
    fn the_outline_is_opaque_and_as_wide_as_requested() {
        let labels: Vec<u8> =
            (0..49).map(|n| if (1..6).contains(&(n / 7)) && (1..6).contains(&(n % 7)) { DISC } else { 0 }).collect();
        let opaque = |outline| {
            let rgb = blend(&[0; 49], &labels, 7, 0, OverlayStyle { alpha: 0, outline });
            rgb.chunks(3).filter(|pixel| *pixel == Label(DISC).colour()).count()
        };
        assert_eq!([opaque(0), opaque(1), opaque(2), opaque(3)], [0, 16, 24, 25]);
    }

    /// Outlines by their definition: every pixel is held against every other one.
    fn within(labels: &[u8], columns: usize, width: usize) -> Vec<bool> {
        let place = |pixel: usize| (pixel / columns, pixel % columns);
        let steps = |a: usize, b: usize| {
            let ((row, column), (other_row, other_column)) = (place(a), place(b));
            row.abs_diff(other_row) + column.abs_diff(other_column)
        };
        let differs = |pixel, other: usize| labels[other] != labels[pixel] && steps(pixel, other) <= width;
        (0..labels.len()).map(|pixel| (0..labels.len()).any(|other| differs(pixel, other))).collect()
    }

    /// Outlines as they used to be made: one pass for each pixel of their width.
    fn grown(labels: &[u8], columns: usize, width: usize) -> Vec<bool> {
        let rows = labels.len() / columns;
        let neighbours = |pixel: usize| {
            let (row, column) = (pixel / columns, pixel % columns);
            let up = (row > 0).then(|| pixel - columns);
            let down = (row + 1 < rows).then_some(pixel + columns);
            let left = (column > 0).then(|| pixel - 1);
            let right = (column + 1 < columns).then_some(pixel + 1);
            [up, down, left, right].into_iter().flatten()
        };
        let mut edge: Vec<bool> =
            (0..labels.len()).map(|pixel| neighbours(pixel).any(|other| labels[other] != labels[pixel])).collect();
        for _ in 1..width {
            let before = edge.clone();
            let reached = |pixel: usize| neighbours(pixel).any(|other| before[other] && labels[other] == labels[pixel]);
            edge = (0..labels.len()).map(|pixel| before[pixel] || reached(pixel)).collect();
        }
        edge
    }

    proptest! {
        /// Few labels in large areas and many in small ones.
        #[test]
        fn outlines_of_every_width_are_those_of_their_definition(
            columns in 1usize..14, rows in 1usize..14, labels in 1u8..5, stretch in 1usize..6,
            values in prop::collection::vec(any::<u8>(), 200),
        ) {
            let value = |pixel: usize| values[pixel / columns / stretch * 14 + pixel % columns / stretch] % labels;
            let labels: Vec<u8> = (0..rows * columns).map(value).collect();
            let found = distances(&labels, columns);
            for width in 1..=16 {
                let outline: Vec<bool> = found.iter().map(|&distance| usize::from(distance) <= width).collect();
                prop_assert_eq!(&outline, &within(&labels, columns, width));
                prop_assert_eq!(&outline, &grown(&labels, columns, width));
            }
        }
    }
}
