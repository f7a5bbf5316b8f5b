//! Labels of one scan against the label scheme, the table's counts and the gradings.

use std::collections::BTreeSet;

use super::Severity::{Info, Warning};
use super::{Evidence, Finding};
use crate::spider::{Label, LabelClass};

pub(super) fn check(one: &Evidence<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(gaps(one, LabelClass::Vertebra, "vertebrae"));
    found.extend(gaps(one, LabelClass::Disc, "discs"));
    found.extend(partial(one));
    found.extend(count(one, LabelClass::Vertebra, "num_vertebrae", "vertebrae"));
    found.extend(count(one, LabelClass::Disc, "num_discs", "discs"));
    found.extend(gradings(one));
    if one.labels.iter().all(|found| found.label != Label::CANAL) {
        found.push(one.finding(Warning, "no_canal", "the mask has no spinal canal"));
    }
    found
}

/// Levels of a class that the mask holds.
fn levels(one: &Evidence<'_>, class: LabelClass) -> BTreeSet<u8> {
    one.labels.iter().filter(|found| found.label.class() == class).filter_map(|found| found.label.level()).collect()
}

fn listed(levels: impl IntoIterator<Item = u8>) -> String {
    levels.into_iter().map(|level| level.to_string()).collect::<Vec<_>>().join(", ")
}

fn gaps(one: &Evidence<'_>, class: LabelClass, name: &str) -> Option<Finding> {
    let present = levels(one, class);
    let (first, last) = (*present.first()?, *present.last()?);
    // Counting starts at the bottom: what is missing below the lowest one is a gap too.
    let missing: Vec<_> = (1..last).filter(|level| !present.contains(level)).collect();
    let detail =
        || format!("{name} {} are missing in the mask, which has {first} to {last}", listed(missing.iter().copied()));
    (!missing.is_empty()).then(|| one.finding(Warning, "label_gap", detail()))
}

fn partial(one: &Evidence<'_>) -> Option<Finding> {
    let partial = levels(one, LabelClass::PartialVertebra);
    let detail = || format!("vertebrae {} are only partly visible (labels above 100)", listed(partial.iter().copied()));
    (!partial.is_empty()).then(|| one.finding(Info, "partial_vertebra", detail()))
}

fn count(one: &Evidence<'_>, class: LabelClass, field: &str, name: &str) -> Option<Finding> {
    let stated = one.row.metadata.as_ref()?.number(field)?;
    let present = levels(one, class).len();
    let detail = || format!("overview.csv says {stated} {name}, the mask has {present}");
    (stated != present as f64).then(|| one.finding(Warning, "count_differs", detail()))
}

fn gradings(one: &Evidence<'_>) -> Vec<Finding> {
    let discs = levels(one, LabelClass::Disc);
    let graded: BTreeSet<u8> = one.gradings.iter().map(|grading| grading.level).collect();
    let ungraded: Vec<_> = discs.difference(&graded).copied().collect();
    let unseen: Vec<_> = graded.difference(&discs).copied().collect();
    let mut found = Vec::new();
    if !ungraded.is_empty() {
        let detail = format!("discs {} are in the mask but have no grading", listed(ungraded));
        found.push(one.finding(Info, "disc_without_grading", detail));
    }
    if !unseen.is_empty() {
        let detail = format!("levels {} are graded but not in the mask", listed(unseen));
        found.push(one.finding(Info, "grading_without_disc", detail));
    }
    found
}
