//! Scans against the other scans of their patient, and masks against all other masks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Severity::{Info, Warning};
use super::{Evidence, Finding};
use crate::spider::{LabelClass, PatientId, ScanId};

pub(super) fn check(scans: &[Evidence<'_>]) -> Vec<Finding> {
    let mut by_patient = BTreeMap::<PatientId, Vec<&Evidence<'_>>>::new();
    for one in scans {
        by_patient.entry(one.row.scan.patient).or_default().push(one);
    }
    let mut found: Vec<_> = by_patient.values().flat_map(|siblings| disagreements(siblings)).collect();
    found.extend(duplicate_masks(scans));
    found
}

/// What should be the same in all scans of a patient and is not, reported for each of them.
fn disagreements(siblings: &[&Evidence<'_>]) -> Vec<Finding> {
    type Trait = fn(&Evidence<'_>) -> Option<String>;
    let traits: [(&str, Trait); 4] = [
        ("sex", |one| text(one, "sex")),
        ("subset", |one| text(one, "orig_subset")),
        ("number of vertebrae in the mask", |one| Some(count(one, LabelClass::Vertebra))),
        ("number of discs in the mask", |one| Some(count(one, LabelClass::Disc))),
    ];
    let mut found = Vec::new();
    for (name, of) in traits {
        let values: Vec<_> = siblings.iter().filter_map(|one| Some((one.row.scan, of(one)?))).collect();
        let distinct: BTreeSet<_> = values.iter().map(|(_, value)| value).collect();
        if distinct.len() > 1 {
            let each: Vec<_> = values.iter().map(|(scan, value)| format!("{scan}: {value}")).collect();
            let detail = format!("{name} differs among the patient's scans ({})", each.join(", "));
            found.extend(siblings.iter().map(|one| one.finding(Warning, "siblings_disagree", detail.clone())));
        }
    }
    found
}

fn text(one: &Evidence<'_>, field: &str) -> Option<String> {
    one.row.metadata.as_ref()?.text(field).map(str::to_owned)
}

fn count(one: &Evidence<'_>, class: LabelClass) -> String {
    one.labels.iter().filter(|found| found.label.class() == class).count().to_string()
}

/// Mask files that are the same to the last byte. Among the scans of one patient that may be meant; elsewhere it is not.
fn duplicate_masks(scans: &[Evidence<'_>]) -> Vec<Finding> {
    let mut by_file = HashMap::<&str, Vec<&Evidence<'_>>>::new();
    for one in scans {
        if let Some(volume) = &one.row.volume {
            by_file.entry(&volume.mask_sha256).or_default().push(one);
        }
    }
    let same = by_file.into_values().filter(|scans| scans.len() > 1);
    same.flat_map(|scans| {
        let patients: BTreeSet<_> = scans.iter().map(|one| one.row.scan.patient).collect();
        let severity = if patients.len() > 1 { Warning } else { Info };
        let mut ids: Vec<ScanId> = scans.iter().map(|one| one.row.scan).collect();
        ids.sort_unstable();
        let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let detail = format!("the mask file is the same in {}", names.join(", "));
        scans.into_iter().map(move |one| one.finding(severity, "duplicate_mask", detail.clone())).collect::<Vec<_>>()
    })
    .collect()
}
