//! One row of numbers for each evaluation, and their means.

use super::Rule;
use super::result::{Evaluation, OfficialScores, Scores};
use crate::spider::LabelClass;

/// Classes with columns of their own.
const CLASSES: [(&str, LabelClass); 4] = [
    ("vertebra", LabelClass::Vertebra),
    ("disc", LabelClass::Disc),
    ("canal", LabelClass::Canal),
    ("partial_vertebra", LabelClass::PartialVertebra),
];

type ScoreColumn = (&'static str, fn(&Scores) -> Option<f64>);

const SCORES: [ScoreColumn; 5] = [
    ("dice", |scores| Some(scores.dice)),
    ("iou", |scores| Some(scores.iou)),
    ("assd_mm", |scores| scores.assd_mm),
    ("hd95_mm", |scores| scores.hd95_mm),
    ("found_share", |scores| Some(scores.found_share)),
];

type OfficialColumn = (&'static str, fn(&OfficialScores) -> Option<f64>);

const OFFICIAL: [OfficialColumn; 10] = [
    ("DiceScoreVertebrae", |scores| scores.dice_score_vertebrae),
    ("DiceScoreDiscs", |scores| scores.dice_score_discs),
    ("DiceScoreSpinalCanal", |scores| scores.dice_score_spinal_canal),
    ("OveralDiceScore", |scores| scores.overal_dice_score),
    ("DetectionRateVertebrae", |scores| scores.detection_rate_vertebrae),
    ("DetectionRateDiscs", |scores| scores.detection_rate_discs),
    ("ASDVertebrae", |scores| scores.asd_vertebrae),
    ("ASDDiscs", |scores| scores.asd_discs),
    ("ASDSpinalCanal", |scores| scores.asd_spinal_canal),
    ("OveralASD", |scores| scores.overal_asd),
];

/// The names of the numbers of a row.
#[must_use]
pub fn columns(rule: Rule) -> Vec<String> {
    match rule {
        Rule::Spider => OFFICIAL.iter().map(|(name, _)| (*name).to_owned()).collect(),
        Rule::Corrected => {
            let overall = SCORES.iter().map(|(name, _)| (*name).to_owned());
            let of_classes =
                CLASSES.iter().flat_map(|(class, _)| SCORES.iter().map(move |(name, _)| format!("{class}_{name}")));
            overall.chain(of_classes).chain(["extra".to_owned()]).collect()
        }
    }
}

impl Evaluation {
    /// The numbers of [`columns`].
    #[must_use]
    pub fn row(&self) -> Vec<Option<f64>> {
        if let Some(official) = &self.spider {
            return OFFICIAL.iter().map(|(_, value)| value(official)).collect();
        }
        let of_class =
            |class: LabelClass| self.classes.iter().find(|found| found.class == class).map(|found| found.scores);
        let all = std::iter::once(self.overall).chain(CLASSES.iter().map(|(_, class)| of_class(*class)));
        let values = all.flat_map(|scores| SCORES.iter().map(move |(_, value)| scores.as_ref().and_then(value)));
        values.chain([Some(self.extra.len() as f64)]).collect()
    }
}

/// Mean and sample standard deviation of the values that there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many values there are.
    pub count: usize,
    /// `None` when there are none.
    pub mean: Option<f64>,
    /// `None` when there are fewer than two.
    pub sd: Option<f64>,
}

impl Summary {
    /// Of some values.
    #[must_use]
    pub fn of(values: impl Iterator<Item = Option<f64>> + Clone) -> Self {
        let known = values.flatten();
        let count = known.clone().count();
        let mean = known.clone().sum::<f64>() / count as f64;
        let squares: f64 = known.map(|value| (value - mean).powi(2)).sum();
        let sd = (squares / count.saturating_sub(1) as f64).sqrt();
        Self { count, mean: (count > 0).then_some(mean), sd: (count > 1).then_some(sd) }
    }
}
