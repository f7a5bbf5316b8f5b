//! Labels in colour over a grey image.

use super::picture::OverlayStyle;
use crate::spider::Label;

/// Lays `labels` over `grey`; both have `columns` columns. The result is red, green, blue for each pixel.
///
/// Inside a label, colour and grey are mixed by `alpha`; pixels within `outline` pixels of another label (or of the
/// background) are the label's colour alone.
pub(super) fn blend(grey: &[u8], labels: &[u8], columns: usize, style: OverlayStyle) -> Vec<u8> {
    let edge = edges(labels, columns, usize::from(style.outline));
    let mut rgb = Vec::with_capacity(grey.len() * 3);
    for (pixel, (&grey, &label)) in grey.iter().zip(labels).enumerate() {
        if label == 0 {
            rgb.extend([grey; 3]);
            continue;
        }
        let alpha = if edge.get(pixel).copied().unwrap_or(false) { 1000 } else { u32::from(style.alpha) };
        let mix = |colour: u8| ((u32::from(colour) * alpha + u32::from(grey) * (1000 - alpha) + 500) / 1000) as u8;
        rgb.extend(Label(label).colour().map(mix));
    }
    rgb
}

/// Which pixels lie within `width` steps (up, down, left, right) of a pixel with another label. Empty for width 0.
fn edges(labels: &[u8], columns: usize, width: usize) -> Vec<bool> {
    if width == 0 {
        return Vec::new();
    }
    let rows = labels.len() / columns.max(1);
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

#[cfg(test)]
mod tests {
    use super::*;

    const DISC: u8 = 201;

    #[test]
    fn background_stays_grey_and_labels_are_mixed() {
        let rgb = blend(&[10, 200], &[0, DISC], 2, OverlayStyle { alpha: 250, outline: 0 });
        assert_eq!(rgb[..3], [10; 3]);
        let mixed = Label(DISC).colour().map(|c| (f64::from(c) * 0.25 + 200.0 * 0.75).round() as u8);
        assert_eq!(rgb[3..], mixed);
    }

    #[test]
    fn the_outline_is_opaque_and_as_wide_as_asked() {
        let labels: Vec<u8> =
            (0..49).map(|n| if (1..6).contains(&(n / 7)) && (1..6).contains(&(n % 7)) { DISC } else { 0 }).collect();
        let opaque = |outline| {
            let rgb = blend(&[0; 49], &labels, 7, OverlayStyle { alpha: 0, outline });
            rgb.chunks(3).filter(|pixel| *pixel == Label(DISC).colour()).count()
        };
        assert_eq!([opaque(0), opaque(1), opaque(2), opaque(3)], [0, 16, 24, 25]);
    }
}
