//! What is odd in the data, scan by scan, in a sentence each. Nothing is corrected: the data are served as they are, and
//! those who train on them can decide with open eyes.

mod anatomy;
mod scan;
mod siblings;

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::Serialize;
use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::index::{IndexError, ReadTransaction, ScanRow};
use crate::spider::{Grading, PatientId, ScanId};
use crate::volume::VolumeLabel;

/// How much a finding matters.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look before you rely on it.
    Warning,
    /// The scan contradicts itself or the release's own rules.
    Error,
}

impl Severity {
    /// Every severity's name, the least first.
    pub const NAMES: &[&str] = <Self as VariantNames>::VARIANTS;

    /// Its name in JSON and in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Every code that a finding can have.
pub const CODES: [&str; 16] = [
    "count_differs",
    "disc_without_grading",
    "duplicate_mask",
    "grading_without_disc",
    "import_note",
    "label_gap",
    "missing_metadata",
    "no_canal",
    "no_metadata",
    "oblique",
    "partial_vertebra",
    "saturated",
    "siblings_disagree",
    "spacing_differs",
    "unknown_label",
    "unusual_shape",
];

/// One odd thing about one scan.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Finding {
    /// Which scan.
    #[schemars(with = "String")]
    pub scan_id: ScanId,
    /// How much it matters.
    pub severity: Severity,
    /// What kind of thing it is; stable, for programs.
    pub code: &'static str,
    /// What was found.
    pub detail: String,
}

/// Everything that is known of one scan and its patient.
struct Evidence<'a> {
    row: &'a ScanRow,
    labels: &'a [VolumeLabel],
    gradings: &'a [Grading],
    /// Share of voxels that have the largest value.
    saturated: f64,
}

impl Evidence<'_> {
    fn finding(&self, severity: Severity, code: &'static str, detail: impl Into<String>) -> Finding {
        Finding { scan_id: self.row.scan, severity, code, detail: detail.into() }
    }
}

/// Audits every scan whose volume is imported. By scan, in their natural order.
///
/// # Errors
/// [`IndexError`].
pub async fn audit(index: &ReadTransaction) -> Result<Vec<Finding>, IndexError> {
    let rows = index.every_scan().await?;
    let labels = index.every_label().await?;
    let gradings = index.every_grading().await?;
    let saturated = index.saturation().await?;
    Ok(findings(&rows, &labels, &gradings, &saturated))
}

fn findings(
    rows: &[ScanRow],
    labels: &HashMap<ScanId, Vec<VolumeLabel>>,
    gradings: &HashMap<PatientId, Vec<Grading>>,
    saturated: &HashMap<ScanId, f64>,
) -> Vec<Finding> {
    let imported = || rows.iter().filter(|row| row.volume.is_some());
    let evidence = imported().map(|row| Evidence {
        row,
        labels: labels.get(&row.scan).map_or(&[], Vec::as_slice),
        gradings: gradings.get(&row.scan.patient).map_or(&[], Vec::as_slice),
        saturated: saturated.get(&row.scan).copied().unwrap_or(0.0),
    });
    let evidence: Vec<_> = evidence.collect();
    let mut found = BTreeMap::<ScanId, Vec<Finding>>::new();
    let alone = evidence.iter().flat_map(|one| scan::check(one).into_iter().chain(anatomy::check(one)));
    for finding in alone.chain(siblings::check(&evidence)) {
        found.entry(finding.scan_id).or_default().push(finding);
    }
    found.into_values().flatten().collect()
}
