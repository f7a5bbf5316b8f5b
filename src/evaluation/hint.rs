//! What looks wrong with a prediction as a file, rather than as a segmentation.

use super::overlap::Overlap;
use crate::volume::Orientation;

/// A mean Dice below this is suspicious.
pub(super) const SUSPICIOUS_DICE: f64 = 0.2;
/// A mean Dice above this in another orientation proves it.
const CONVINCING_DICE: f64 = 0.5;
/// Voxels that are compared for each orientation, roughly.
const SAMPLES: f64 = 1e6;

const AXES: [&str; 3] = ["slices", "rows", "columns"];

/// Another orientation of the predicted labels with a mean Dice that shows that this one is wrong, and that Dice.
/// `mean_dice` scores counts of labels.
pub(super) fn better_orientation(
    truth: &[u8],
    predicted: &[u8],
    shape: [usize; 3],
    mean_dice: impl Fn(&Overlap) -> Option<f64>,
) -> Option<(Orientation, f64)> {
    let fitting = Orientation::all().filter(|turn| !turn.is_identity() && turn.source_axis.map(|s| shape[s]) == shape);
    let scored = fitting.filter_map(|turn| Some((turn, mean_dice(&sampled(truth, predicted, shape, turn))?)));
    scored.filter(|(_, dice)| *dice > CONVINCING_DICE).max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// How often labels meet when the predicted ones are turned, at voxels spread evenly over every slice.
fn sampled(truth: &[u8], predicted: &[u8], shape: [usize; 3], turn: Orientation) -> Overlap {
    let step = ((truth.len() as f64 / SAMPLES).sqrt().ceil() as usize).max(1);
    let strides = [shape[1] * shape[2], shape[2], 1];
    // Along axis n of the true mask, the place in the predicted one starts at `first[n]` and moves by `stride[n]`.
    let along = |n: usize| {
        let (len, stride) = (shape[turn.source_axis[n]], strides[turn.source_axis[n]] as isize);
        if turn.flipped[n] { ((len as isize - 1) * stride, -stride) } else { (0, stride) }
    };
    let axes = [along(0), along(1), along(2)];
    let place = |n: usize, index: usize| axes[n].0 + axes[n].1 * index as isize;
    let mut counts = vec![0; 1 << 16];
    for slice in 0..shape[0] {
        for row in (0..shape[1]).step_by(step) {
            let line = (slice * shape[1] + row) * shape[2];
            let start = place(0, slice) + place(1, row);
            for column in (0..shape[2]).step_by(step) {
                let (t, p) = (truth[line + column], predicted[(start + place(2, column)) as usize]);
                counts[usize::from(t) << 8 | usize::from(p)] += 1;
            }
        }
    }
    Overlap::of_counts(counts)
}

/// Says what is wrong with the orientation. `alternatives` are other ways to read the file, as turns of what was read.
pub(super) fn about_orientation(
    (turn, better): (Orientation, f64),
    dice: f64,
    alternatives: &[(String, Orientation)],
) -> String {
    let what = match alternatives.iter().find(|(_, alternative)| *alternative == turn) {
        Some((parameter, _)) => format!("with {parameter}"),
        None => described(turn),
    };
    format!(
        "this looks like an orientation error, not a model error: {what} the mean Dice would be about {better:.2} instead of \
         {dice:.2}"
    )
}

/// The turn in words.
fn described(turn: Orientation) -> String {
    let mut parts = Vec::new();
    if turn.source_axis != [0, 1, 2] {
        let order = turn.source_axis.map(|axis| AXES[axis]).join(", ");
        parts.push(format!("with the axes in the order ({order})"));
    }
    let flipped: Vec<_> = (0..3).filter(|&n| turn.flipped[n]).map(|n| AXES[n]).collect();
    if !flipped.is_empty() {
        parts.push(format!("with {} in reverse order", flipped.join(" and ")));
    }
    parts.join(" and ")
}

/// The turn that leads from what `current` made of a file to what `other` makes of it.
pub(super) fn turn_between(current: Orientation, other: Orientation) -> Orientation {
    let back = current.inverse();
    // Axis c of the other is axis `other.source_axis[c]` of the file, which is axis `place` of the current one.
    let place = other.source_axis.map(|file| back.source_axis[file]);
    let flipped = [0, 1, 2].map(|c: usize| other.flipped[c] != current.flipped[place[c]]);
    Orientation { source_axis: place, flipped }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::{Axis, ElementType, Geometry, Volume};

    #[test]
    fn a_turn_between_two_readings_leads_from_one_to_the_other() {
        let axes = [2, 3, 4].map(|len| Axis { len, spacing_mm: 1.0, direction: [1.0, 0.0, 0.0] });
        let geometry = Geometry { axes, origin_mm: [0.0; 3] };
        let file = Volume { element: ElementType::Uint8, geometry, bytes: (0..24).collect() };
        for current in Orientation::all().step_by(5) {
            for other in Orientation::all().step_by(7) {
                let turned = turn_between(current, other).apply(current.apply(file.clone()));
                assert_eq!(turned.bytes, other.apply(file.clone()).bytes, "{current:?} {other:?}");
            }
        }
    }

    #[test]
    fn turns_are_described_by_the_axes_of_a_scan() {
        let turn = Orientation { source_axis: [0, 2, 1], flipped: [true, false, true] };
        let expected =
            "with the axes in the order (slices, columns, rows) and with slices and columns in reverse order";
        assert_eq!(described(turn), expected);
    }
}
