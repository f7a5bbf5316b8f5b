//! The scoring of a prediction, one structure after the other.

use super::corrected::{
    LEAST_DICE, Names, PairDistances, class_scores, extra, measure, scores, semantic_value, structures,
};
use super::decoding::MOST_CLASSES;
use super::hint::{SUSPICIOUS_DICE, about_orientation, better_orientation, turn_between};
use super::overlap::{Overlap, Pair};
use super::result::Evaluation;
use super::{EvaluationError, EvaluationOptions, Prediction, PredictionMap, Rule, official};
use crate::volume::{Grid, Orientation};

/// What counting takes for a voxel, in nanoseconds, roughly.
const COUNTING_NANOSECONDS: u64 = 1;
/// What measuring takes for a voxel of the box that a pair of structures fills.
const MEASURING_NANOSECONDS: u64 = 15;

/// A prediction that is being scored.
#[derive(Debug)]
pub struct Scoring {
    truth: Vec<u8>,
    prediction: Prediction,
    grid: Grid,
    options: EvaluationOptions,
    progress: Option<Progress>,
}

/// Once voxels are counted.
#[derive(Debug)]
struct Progress {
    overlap: Overlap,
    pairs: Vec<Pair>,
    /// By the corrected rule.
    measured: Vec<PairDistances>,
    /// By the challenge's rule.
    distances: Vec<f64>,
}

impl Progress {
    fn done(&self) -> usize {
        self.measured.len() + self.distances.len()
    }
}

impl Scoring {
    /// Of a prediction against the true labels in canonical order.
    ///
    /// # Errors
    /// [`EvaluationError::OtherGrid`] when the masks are not as long as the grid.
    pub fn new(
        truth: Vec<u8>,
        prediction: Prediction,
        grid: Grid,
        options: EvaluationOptions,
    ) -> Result<Self, EvaluationError> {
        let expected = grid.canonical.voxels();
        if [truth.len(), prediction.labels.len()] != [expected; 2] {
            let message = format!(
                "the masks have {} and {} voxels, and the scan {expected}",
                truth.len(),
                prediction.labels.len()
            );
            return Err(EvaluationError::OtherGrid(message));
        }
        let mut scoring = Self { truth, prediction, grid, options, progress: None };
        if options.map != PredictionMap::Native {
            scoring.make_semantic();
        }
        Ok(scoring)
    }

    /// Counts voxels, or measures one structure; whether all is done.
    pub fn advance(&mut self) -> bool {
        let shape = self.grid.canonical.shape();
        let masks = [&self.truth[..], &self.prediction.labels[..]];
        let Some(Progress { overlap, pairs, measured, distances }) = &mut self.progress else {
            self.begin();
            return self.is_done();
        };
        if let Some(&pair) = pairs.get(measured.len() + distances.len()) {
            match self.options.rule {
                Rule::Corrected => {
                    measured.push(measure(pair, masks, overlap, shape, self.grid.canonical.spacing_mm()));
                }
                Rule::Spider => {
                    let spacing_mm = official::spacing_mm(&self.grid);
                    distances.push(official::surface_distance(pair, masks, overlap, shape, spacing_mm));
                }
            }
        }
        self.is_done()
    }

    /// What the next step takes, in nanoseconds, roughly.
    #[must_use]
    pub fn step_nanoseconds(&self) -> u64 {
        let Some(progress) = &self.progress else { return COUNTING_NANOSECONDS * self.truth.len() as u64 };
        progress.pairs.get(progress.done()).map_or(1, |pair| {
            let (truth, predicted) = (progress.overlap.truth(pair.truth), progress.overlap.predicted(pair.predicted));
            MEASURING_NANOSECONDS * truth.joined(&predicted).shape().iter().product::<usize>() as u64
        })
    }

    /// The scores. Steps that were not done yet are done now.
    #[must_use]
    pub fn finish(mut self) -> Evaluation {
        while !self.advance() {}
        let mut evaluation = Evaluation {
            rule: self.options.rule.name(),
            map: self.options.map.name(),
            alignment: self.prediction.alignment.clone(),
            hints: Vec::new(),
            overall: None,
            classes: Vec::new(),
            structures: Vec::new(),
            missed: Vec::new(),
            extra: Vec::new(),
            spider: None,
        };
        if let Some(progress) = &self.progress {
            match self.options.rule {
                Rule::Corrected => self.fill_corrected(progress, &mut evaluation),
                Rule::Spider => {
                    evaluation.spider = Some(official::scores(&progress.overlap, &progress.pairs, &progress.distances));
                }
            }
        }
        evaluation.hints = self.prediction.hints;
        evaluation
    }

    fn is_done(&self) -> bool {
        self.progress.as_ref().is_some_and(|progress| progress.done() == progress.pairs.len())
    }

    fn fill_corrected(&self, progress: &Progress, evaluation: &mut Evaluation) {
        let semantic = match self.options.map {
            PredictionMap::Native => None,
            PredictionMap::Semantic => Some([0, 1, 2, 3]),
            PredictionMap::SemanticVertebraDiscCanal => Some([0, 1, 3, 2]),
        };
        let names = Names { predicted: &self.prediction.values, semantic };
        let voxel_mm3 = self.grid.canonical.spacing_mm().iter().product();
        let structures = structures(&progress.overlap, &progress.measured, &names, voxel_mm3);
        evaluation.overall = scores(&structures.iter().collect::<Vec<_>>());
        evaluation.classes = class_scores(&structures);
        let missed = structures.iter().filter(|structure| structure.predicted_label.is_none());
        evaluation.missed = missed.map(|structure| structure.label).collect();
        evaluation.extra = extra(&progress.overlap, &progress.pairs, &names, voxel_mm3);
        evaluation.structures = structures;
    }

    /// Counts voxels, matches structures, and looks for what is wrong with the file.
    fn begin(&mut self) {
        let shape = self.grid.canonical.shape();
        let overlap = Overlap::of(&self.truth, &self.prediction.labels, shape);
        let pairs = match self.options.rule {
            Rule::Corrected => self.matched(&overlap),
            Rule::Spider => official::pairs(&overlap, &self.prediction.values),
        };
        self.look_for_orientation(&overlap);
        self.look_for_map(&overlap);
        self.progress = Some(Progress { overlap, pairs, measured: Vec::new(), distances: Vec::new() });
    }

    fn matched(&self, overlap: &Overlap) -> Vec<Pair> {
        if self.options.map == PredictionMap::Native {
            overlap.one_to_one(&self.prediction.values, LEAST_DICE)
        } else {
            overlap.of_equal_labels(LEAST_DICE)
        }
    }

    fn look_for_orientation(&mut self, overlap: &Overlap) {
        let mean_dice = |overlap: &Overlap| overlap.mean_dice(&self.matched(overlap));
        let Some(dice) = mean_dice(overlap).filter(|dice| *dice < SUSPICIOUS_DICE) else { return };
        if overlap.predicted_labels().next().is_none() {
            return;
        }
        let shape = self.grid.canonical.shape();
        let better = better_orientation(&self.truth, &self.prediction.labels, shape, mean_dice);
        let Some(better) = better else { return };
        let alignment = &self.prediction.alignment;
        let alternatives = match (alignment.source_axis, alignment.flipped) {
            (Some(source_axis), Some(flipped)) => {
                let current = Orientation { source_axis, flipped };
                let others = self.prediction.alternatives.iter();
                others.map(|(parameter, other)| (parameter.clone(), turn_between(current, *other))).collect()
            }
            _ => Vec::new(),
        };
        self.prediction.hints.push(about_orientation(better, dice, &alternatives));
    }

    /// Whether the values are those of another map.
    fn look_for_map(&mut self, overlap: &Overlap) {
        let hint = match self.options.map {
            PredictionMap::Native => {
                let values = self.prediction.values.iter();
                let is_semantic = self.prediction.values.len() > 1
                    && values.clone().all(|&value| value <= MOST_CLASSES)
                    && overlap.true_labels().count() > MOST_CLASSES as usize;
                is_semantic.then_some("semantic or map=semantic_vdc scores classes instead of instances, if that is what these are: the prediction has no value above 3")
            }
            PredictionMap::Semantic => canal_and_disc_are_exchanged(overlap)
                .then_some("semantic_vdc fits better: canal and discs are exchanged"),
            PredictionMap::SemanticVertebraDiscCanal => {
                canal_and_disc_are_exchanged(overlap).then_some("semantic fits better: canal and discs are exchanged")
            }
        };
        self.prediction.hints.extend(hint.map(|hint| format!("map={hint}")));
    }

    /// Both masks as 1 vertebra, 2 canal, 3 disc.
    fn make_semantic(&mut self) {
        let to_canonical = match self.options.map {
            PredictionMap::SemanticVertebraDiscCanal => [0, 1, 3, 2],
            _ => [0, 1, 2, 3],
        };
        let mut table = [0; 256];
        for (number, &value) in self.prediction.values.iter().enumerate() {
            // Other values were refused when the prediction was read.
            table[number] = to_canonical.get(value as usize).copied().unwrap_or(0);
        }
        self.prediction.labels.iter_mut().for_each(|label| *label = table[usize::from(*label)]);
        let classes: [u8; 256] = std::array::from_fn(|label| semantic_value(label as u8));
        self.truth.iter_mut().for_each(|label| *label = classes[usize::from(*label)]);
    }
}

/// Whether a semantic prediction has the values of canal and discs the other way round.
fn canal_and_disc_are_exchanged(overlap: &Overlap) -> bool {
    let dice = |truth, predicted| {
        let pair = Pair { truth, predicted };
        if overlap.both(pair) > 0 { overlap.dice(pair) } else { 0.0 }
    };
    dice(2, 3) + dice(3, 2) > 2.0 * LEAST_DICE + dice(2, 2) + dice(3, 3)
}
