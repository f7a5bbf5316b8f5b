//! Scores a predicted mask against a scan's true one: the prediction's file is read and brought to the true grid, its
//! structures are matched with the true ones and measured. Pure: no HTTP, no index, no files. Work is cut into steps, so that
//! it shares threads with other work and ends when nobody waits for it.
//!
//! ```text
//! bytes ─▶ MaskFile ─▶ placement ─▶ Decoding ─▶ Prediction ─┐
//!                                     true labels ──────────┴─▶ Scoring ─▶ Evaluation
//! ```
//!
//! What is measured and why: `docs/evaluation.md`.

mod corrected;
mod decoding;
mod distance;
mod file;
mod hint;
mod official;
mod overlap;
mod placement;
mod result;
mod scoring;
mod summary;
#[cfg(test)]
mod tests;

use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

pub use decoding::{Decoding, Prediction};
pub use file::MaskFile;
pub use result::{Alignment, ClassScores, Evaluation, Extra, OfficialScores, Scores, Structure};
pub use scoring::Scoring;
pub use summary::{Summary, columns};

/// How a prediction is read and scored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EvaluationOptions {
    /// What is measured.
    pub rule: Rule,
    /// What the values of the prediction mean.
    pub map: PredictionMap,
    /// The axes of an array without an affine; canonical when it is `None`.
    pub layout: Option<MaskLayout>,
    /// Whether a prediction on another grid takes the value of its nearest voxel, instead of being refused.
    pub resample: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    /// Structures matched one to one; distances in millimetres; missed structures count.
    #[default]
    Corrected,
    /// The numbers of the SPIDER challenge's own script, defects included.
    Spider,
}

/// What the values of a prediction mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum PredictionMap {
    /// Each value is one structure; which one is found out by overlap.
    #[default]
    Native,
    /// 1 vertebra, 2 canal, 3 disc.
    Semantic,
    /// 1 vertebra, 2 disc, 3 canal.
    #[strum(serialize = "semantic_vdc")]
    SemanticVertebraDiscCanal,
}

/// The axes of an array without an affine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum MaskLayout {
    /// Slices from right to left, rows from head to foot, columns from front to back.
    Canonical,
    /// The file's axes, slices first, as `layout=stored` of other routes.
    Stored,
    /// The file's axes k, j, i, as SimpleITK's `GetArrayFromImage` gives them.
    File,
}

impl Rule {
    /// Every rule's name, the default first.
    pub const NAMES: &[&str] = <Self as VariantNames>::VARIANTS;

    /// Its name in requests and results.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl PredictionMap {
    /// Every map's name, the default first.
    pub const NAMES: &[&str] = <Self as VariantNames>::VARIANTS;

    /// Its name in requests and results.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl MaskLayout {
    /// Every layout's name, the default first.
    pub const NAMES: &[&str] = <Self as VariantNames>::VARIANTS;
    const ALL: &[Self] = <Self as VariantArray>::VARIANTS;

    /// Its name in requests and results.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A prediction cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// It is no mask that can be read.
    #[error("{0}")]
    Unreadable(String),
    /// It is on another grid than the scan.
    #[error("{0}")]
    OtherGrid(String),
    /// A parameter contradicts another one or the file.
    #[error("{message}")]
    Conflict {
        /// The parameter.
        parameter: &'static str,
        /// Why.
        message: String,
    },
}
