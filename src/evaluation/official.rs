//! The rule of the SPIDER challenge: the numbers of `evaluation.py` of <https://github.com/DIAGNijmegen/SPIDER-Evaluation>, with
//! its definitions. Every true label takes the predicted label that it overlaps with most, which several may take; vertebrae and
//! discs with a Dice below 0.1 leave the mean of their class; surfaces are those of 26 neighbours; the spacings are in the
//! order of the file's axes and are applied to the array's, which is the other way round.

use super::distance::{Connectivity, Labelled, SurfaceDistances, surface_distances};
use super::overlap::{Overlap, Pair};
use super::result::OfficialScores;
use crate::volume::Grid;

/// Structures with a smaller Dice count as missed.
const DETECTION_THRESHOLD: f64 = 0.1;
/// What is said of a canal that the true mask does not have.
const NO_CANAL: f64 = 999.0;

/// Each true label with the predicted one that has the most of its voxels; of equals, the smaller value.
pub(super) fn pairs(overlap: &Overlap, values: &[u32]) -> Vec<Pair> {
    let partner = |truth: u8| {
        let pairs = overlap.predicted_labels().map(move |predicted| Pair { truth, predicted });
        let overlapping = pairs.filter(|&pair| overlap.both(pair) > 0);
        overlapping.min_by_key(|&pair| (u64::MAX - overlap.both(pair), values[usize::from(pair.predicted)]))
    };
    overlap.true_labels().filter_map(partner).collect()
}

/// The spacings of the canonical axes as the script has them: those of the file's i, j, k applied to the array's k, j, i.
pub(super) fn spacing_mm(grid: &Grid) -> [f64; 3] {
    let file = grid.source.spacing_mm();
    grid.to_canonical.source_axis.map(|axis| file[2 - axis])
}

/// The mean of all surface distances of a pair.
pub(super) fn surface_distance(
    pair: Pair,
    [truth, predicted]: [&[u8]; 2],
    overlap: &Overlap,
    shape: [usize; 3],
    spacing_mm: [f64; 3],
) -> f64 {
    let extent = overlap.truth(pair.truth).joined(&overlap.predicted(pair.predicted));
    let structures =
        [Labelled { labels: truth, label: pair.truth }, Labelled { labels: predicted, label: pair.predicted }];
    let SurfaceDistances { from_first, from_second } =
        surface_distances(structures, shape, &extent, spacing_mm, Connectivity::Corners);
    (from_first.iter().sum::<f64>() + from_second.iter().sum::<f64>()) / (from_first.len() + from_second.len()) as f64
}

/// The script's numbers. `distances` are the surface distances of `pairs`.
pub(super) fn scores(overlap: &Overlap, pairs: &[Pair], distances: &[f64]) -> OfficialScores {
    let labels: Vec<Scored> = overlap
        .true_labels()
        .map(|label| {
            let found = pairs.iter().zip(distances).find(|(pair, _)| pair.truth == label);
            Scored {
                label,
                dice: found.map_or(0.0, |(pair, _)| overlap.dice(*pair)),
                distance: found.map_or(f64::NAN, |(_, &distance)| distance),
            }
        })
        .collect();
    let vertebrae = || labels.iter().filter(|scored| scored.label < 100);
    let discs = || labels.iter().filter(|scored| scored.label > 200);
    let canal = labels.iter().find(|scored| scored.label == 100);
    OfficialScores {
        dice_score_vertebrae: mean(vertebrae().filter_map(Scored::detected)),
        dice_score_discs: mean(discs().filter_map(Scored::detected)),
        dice_score_spinal_canal: labels.first().map(|_| canal.map_or(NO_CANAL, |canal| canal.dice)),
        overal_dice_score: mean(labels.iter().map(|scored| scored.dice)),
        detection_rate_vertebrae: mean(vertebrae().map(Scored::is_detected)),
        detection_rate_discs: mean(discs().map(Scored::is_detected)),
        asd_vertebrae: mean(vertebrae().map(|scored| scored.distance)),
        asd_discs: mean(discs().map(|scored| scored.distance)),
        asd_spinal_canal: labels
            .first()
            .map(|_| canal.map_or(NO_CANAL, |canal| canal.distance))
            .filter(|asd| !asd.is_nan()),
        overal_asd: mean(labels.iter().map(|scored| scored.distance)),
    }
}

/// A true label.
struct Scored {
    label: u8,
    dice: f64,
    /// Not a number when nothing overlaps it.
    distance: f64,
}

impl Scored {
    fn detected(&self) -> Option<f64> {
        (self.dice >= DETECTION_THRESHOLD).then_some(self.dice)
    }

    fn is_detected(&self) -> f64 {
        if self.dice >= DETECTION_THRESHOLD { 1.0 } else { 0.0 }
    }
}

/// `None` for what is not a number: of nothing, or when one of the values is not a number.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0usize, 0.0), |(count, sum), value| (count + 1, sum + value));
    Some(sum / count as f64).filter(|mean| !mean.is_nan())
}
