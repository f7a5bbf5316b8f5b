//! What an evaluation says, as its JSON has it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::spider::LabelClass;

/// The scores of a prediction. `rule` says which of the parts are filled: `spider` by the challenge's rule, the others by the
/// corrected one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Evaluation {
    /// `corrected` or `spider`.
    pub rule: &'static str,
    /// What the values of the prediction mean.
    pub map: &'static str,
    /// How the prediction came into the true grid.
    pub alignment: Alignment,
    /// What looks wrong with the prediction as a file, rather than as a segmentation.
    pub hints: Vec<String>,
    /// All true structures together.
    pub overall: Option<Scores>,
    /// The same by class.
    pub classes: Vec<ClassScores>,
    /// True structures one by one.
    pub structures: Vec<Structure>,
    /// Values of true structures that were not found.
    pub missed: Vec<u32>,
    /// Predicted structures that belong to no true one.
    pub extra: Vec<Extra>,
    /// The numbers of the challenge's script.
    pub spider: Option<OfficialScores>,
}

/// How a prediction came into the true grid. Axes are those of the file, as numpy has them.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Alignment {
    /// `affine`, `layout`, `file_order` (by the challenge's rule), `nearest_voxel` (resampled), or `missing`.
    pub by: &'static str,
    /// Which axis of the file are slices, rows and columns.
    pub source_axis: Option<[usize; 3]>,
    /// Which of slices, rows and columns run against the file's axis.
    pub flipped: Option<[bool; 3]>,
}

impl Alignment {
    pub(super) fn missing() -> Self {
        Self { by: "missing", source_axis: None, flipped: None }
    }
}

/// Means over structures. Missed ones have Dice and IoU 0; distances are those of the structures that were found.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Scores {
    /// True structures.
    pub structures: usize,
    /// How many of them were found.
    pub found: usize,
    /// Their share.
    pub found_share: f64,
    /// Dice coefficient.
    pub dice: f64,
    /// Intersection over union.
    pub iou: f64,
    /// Average symmetric surface distance in millimetres; null when none was found.
    pub assd_mm: Option<f64>,
    /// 95th percentile of the surface distances in millimetres; null when none was found.
    pub hd95_mm: Option<f64>,
}

/// The scores of one class of structures.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct ClassScores {
    /// The class.
    pub class: LabelClass,
    /// Its scores.
    #[serde(flatten)]
    pub scores: Scores,
}

/// One true structure.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Structure {
    /// Its value in the true mask.
    pub label: u32,
    /// What kind of structure it is.
    pub class: LabelClass,
    /// Its anatomical name, as long as the patient has no transitional vertebra.
    pub name: Option<String>,
    /// The value of the predicted structure that it was matched with; null when it was missed.
    pub predicted_label: Option<u32>,
    /// Dice coefficient.
    pub dice: f64,
    /// Intersection over union.
    pub iou: f64,
    /// Average symmetric surface distance in millimetres.
    pub assd_mm: Option<f64>,
    /// 95th percentile of the surface distances in millimetres.
    pub hd95_mm: Option<f64>,
    /// Its volume.
    pub volume_mm3: f64,
    /// The volume of the predicted structure; 0 when it was missed.
    pub predicted_volume_mm3: f64,
}

/// A predicted structure that belongs to no true one.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Extra {
    /// Its value in the prediction.
    pub predicted_label: u32,
    /// Its volume.
    pub volume_mm3: f64,
}

/// The numbers of the SPIDER challenge's script, under its own names. What is not a number there is null.
#[derive(Debug, Clone, Copy, Default, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are those of the challenge's script")]
pub struct OfficialScores {
    pub dice_score_vertebrae: Option<f64>,
    pub dice_score_discs: Option<f64>,
    pub dice_score_spinal_canal: Option<f64>,
    pub overal_dice_score: Option<f64>,
    pub detection_rate_vertebrae: Option<f64>,
    pub detection_rate_discs: Option<f64>,
    #[serde(rename = "ASDVertebrae")]
    pub asd_vertebrae: Option<f64>,
    #[serde(rename = "ASDDiscs")]
    pub asd_discs: Option<f64>,
    #[serde(rename = "ASDSpinalCanal")]
    pub asd_spinal_canal: Option<f64>,
    #[serde(rename = "OveralASD")]
    pub overal_asd: Option<f64>,
}
