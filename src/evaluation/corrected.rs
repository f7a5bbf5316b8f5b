//! The corrected rule: structures matched one to one, distances in millimetres, missed structures counted.

use super::distance::{Connectivity, Labelled, SurfaceDistances, surface_distances};
use super::overlap::{Overlap, Pair};
use super::result::{ClassScores, Extra, Scores, Structure};
use crate::spider::{Label, LabelClass};

/// Structures that overlap less than this are no match: the threshold of the challenge, too.
pub(super) const LEAST_DICE: f64 = 0.1;
/// Share of the surface distances that lie below the Hausdorff distance that is reported.
const PERCENTILE: f64 = 0.95;

/// The classes of semantic masks, in the order of their values.
const SEMANTIC: [LabelClass; 3] = [LabelClass::Vertebra, LabelClass::Canal, LabelClass::Disc];

/// The value of a label in a semantic mask; 0 for what is none of its classes.
pub(super) fn semantic_value(label: u8) -> u8 {
    match Label(label).class() {
        LabelClass::Vertebra | LabelClass::PartialVertebra => 1,
        LabelClass::Canal => 2,
        LabelClass::Disc => 3,
        LabelClass::Background | LabelClass::Unknown => 0,
    }
}

/// Distances between the surfaces of two matched structures.
#[derive(Debug, Clone, Copy)]
pub(super) struct PairDistances {
    pub(super) pair: Pair,
    pub(super) assd_mm: f64,
    pub(super) hd95_mm: f64,
}

pub(super) fn measure(
    pair: Pair,
    [truth, predicted]: [&[u8]; 2],
    overlap: &Overlap,
    shape: [usize; 3],
    spacing_mm: [f64; 3],
) -> PairDistances {
    let extent = overlap.truth(pair.truth).joined(&overlap.predicted(pair.predicted));
    let structures =
        [Labelled { labels: truth, label: pair.truth }, Labelled { labels: predicted, label: pair.predicted }];
    let SurfaceDistances { from_first, from_second } =
        surface_distances(structures, shape, &extent, spacing_mm, Connectivity::Faces);
    let all = [from_first, from_second].concat();
    PairDistances { pair, assd_mm: all.iter().sum::<f64>() / all.len() as f64, hd95_mm: percentile(all) }
}

/// Interpolated linearly, as `numpy.percentile` does.
fn percentile(mut values: Vec<f64>) -> f64 {
    let position = values.len().saturating_sub(1) as f64 * PERCENTILE;
    let (_, &mut low, above) = values.select_nth_unstable_by(position as usize, f64::total_cmp);
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    let fraction = position.fract();
    if fraction > 0.0 { low + (high - low) * fraction } else { low }
}

/// What the numbers in the two masks stand for.
pub(super) struct Names<'a> {
    /// The value of each predicted number.
    pub(super) predicted: &'a [u32],
    /// The value of each true number, where masks are semantic.
    pub(super) semantic: Option<[u32; 4]>,
}

impl Names<'_> {
    fn truth(&self, number: u8) -> (u32, LabelClass, Option<String>) {
        match self.semantic {
            Some(values) => {
                let index = usize::from(number.clamp(1, 3));
                (values[index], SEMANTIC[index - 1], None)
            }
            None => (number.into(), Label(number).class(), Label(number).name()),
        }
    }

    fn predicted(&self, number: u8) -> u32 {
        match self.semantic {
            Some(values) => values[usize::from(number.min(3))],
            None => self.predicted[usize::from(number)],
        }
    }
}

/// Every true structure with its scores.
pub(super) fn structures(
    overlap: &Overlap,
    measured: &[PairDistances],
    names: &Names<'_>,
    voxel_mm3: f64,
) -> Vec<Structure> {
    let volume = |voxels: u64| voxels as f64 * voxel_mm3;
    let structure = |number: u8| {
        let (label, class, name) = names.truth(number);
        let found = measured.iter().find(|measured| measured.pair.truth == number);
        let size = overlap.truth(number).voxels;
        let partner = found.map(|found| overlap.predicted(found.pair.predicted).voxels);
        let both = found.map_or(0, |found| overlap.both(found.pair)) as f64;
        let sum = (size + partner.unwrap_or(0)) as f64;
        Structure {
            label,
            class,
            name,
            predicted_label: found.map(|found| names.predicted(found.pair.predicted)),
            dice: 2.0 * both / sum,
            iou: both / (sum - both),
            assd_mm: found.map(|found| found.assd_mm),
            hd95_mm: found.map(|found| found.hd95_mm),
            volume_mm3: volume(size),
            predicted_volume_mm3: volume(partner.unwrap_or(0)),
        }
    };
    overlap.true_labels().map(structure).collect()
}

/// Predicted structures that were not matched, the smallest value first.
pub(super) fn extra(overlap: &Overlap, pairs: &[Pair], names: &Names<'_>, voxel_mm3: f64) -> Vec<Extra> {
    let unmatched = overlap.predicted_labels().filter(|&number| pairs.iter().all(|pair| pair.predicted != number));
    let mut extra: Vec<_> = unmatched
        .map(|number| Extra {
            predicted_label: names.predicted(number),
            volume_mm3: overlap.predicted(number).voxels as f64 * voxel_mm3,
        })
        .collect();
    extra.sort_by_key(|extra| extra.predicted_label);
    extra
}

/// Means over structures; `None` when there are none.
pub(super) fn scores(structures: &[&Structure]) -> Option<Scores> {
    let count = structures.len();
    let found = structures.iter().filter(|structure| structure.predicted_label.is_some()).count();
    let mean = |value: fn(&Structure) -> f64| structures.iter().map(|s| value(s)).sum::<f64>() / count as f64;
    let mean_of_found = |value: fn(&Structure) -> Option<f64>| {
        (found > 0).then(|| structures.iter().filter_map(|s| value(s)).sum::<f64>() / found as f64)
    };
    (count > 0).then(|| Scores {
        structures: count,
        found,
        found_share: found as f64 / count as f64,
        dice: mean(|structure| structure.dice),
        iou: mean(|structure| structure.iou),
        assd_mm: mean_of_found(|structure| structure.assd_mm),
        hd95_mm: mean_of_found(|structure| structure.hd95_mm),
    })
}

/// The same by class, for the classes that the true mask has.
pub(super) fn class_scores(structures: &[Structure]) -> Vec<ClassScores> {
    let classes =
        [LabelClass::Vertebra, LabelClass::Disc, LabelClass::Canal, LabelClass::PartialVertebra, LabelClass::Unknown];
    let of = |class: LabelClass| {
        let of_class: Vec<_> = structures.iter().filter(|structure| structure.class == class).collect();
        scores(&of_class).map(|scores| ClassScores { class, scores })
    };
    classes.into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.percentile(values, 95)`
    #[test]
    fn percentiles_are_numpys() {
        assert_eq!(percentile(vec![3.0]), 3.0);
        assert!((percentile(vec![2.0, 1.0]) - 1.95).abs() < 1e-12);
        assert!((percentile((0..=20).map(f64::from).collect()) - 19.0).abs() < 1e-12);
        assert!((percentile((0..=100).rev().map(f64::from).collect()) - 95.0).abs() < 1e-12);
        assert!((percentile(vec![4.0, 1.0, 2.0]) - 3.8).abs() < 1e-12);
    }
}
