//! Files, geometry, values and metadata of one scan.

use super::Severity::{Error, Info, Warning};
use super::{Evidence, Finding};
use crate::index::VolumeFacts;
use crate::spider::{FIELDS, LabelClass, Metadata, Value};

/// Relative difference between the header's spacing and the table's beyond which they are two different things.
const SPACING_TOLERANCE: f64 = 0.005;

/// Rows, columns and slices outside of which a scan needs more memory or less context than most.
const USUAL: [(usize, usize); 3] = [(10, 100), (256, 1600), (256, 1100)];

/// Share of voxels at the largest value beyond which highlights are lost.
const SATURATED: f64 = 0.01;

/// Angle between a voxel axis and the patient's beyond which a scan is called oblique, in degrees.
const OBLIQUE_DEGREES: f64 = 1.0;

pub(super) fn check(one: &Evidence<'_>) -> Vec<Finding> {
    let Some(volume) = &one.row.volume else { return Vec::new() };
    let mut found = Vec::new();
    found.extend(volume.notes.iter().map(|note| one.finding(Warning, "import_note", note.clone())));
    found.extend(unknown_labels(one));
    found.extend(shape(one, volume));
    found.extend(oblique(one, volume));
    found.extend(saturation(one));
    match &one.row.metadata {
        Some(metadata) => {
            found.extend(spacing(one, volume, metadata));
            found.extend(missing(one, metadata));
        }
        None => found.push(one.finding(Warning, "no_metadata", "overview.csv has no row for this scan")),
    }
    found
}

fn unknown_labels(one: &Evidence<'_>) -> Option<Finding> {
    let unknown = one.labels.iter().filter(|found| found.label.class() == LabelClass::Unknown);
    let values: Vec<_> = unknown.map(|found| found.label.0.to_string()).collect();
    let detail = || format!("mask values outside the label scheme: {}", values.join(", "));
    (!values.is_empty()).then(|| one.finding(Error, "unknown_label", detail()))
}

fn shape(one: &Evidence<'_>, volume: &VolumeFacts) -> Vec<Finding> {
    let shape = volume.grid.canonical.shape();
    let odd = |(n, name): (usize, &str)| {
        let ((low, high), len) = (USUAL[n], shape[n]);
        let detail = || format!("{len} {name}; most scans have {low} to {high}");
        (!(low..=high).contains(&len)).then(|| one.finding(Info, "unusual_shape", detail()))
    };
    ["slices", "rows", "columns"].into_iter().enumerate().filter_map(odd).collect()
}

fn oblique(one: &Evidence<'_>, volume: &VolumeFacts) -> Option<Finding> {
    let largest = |direction: [f64; 3]| direction.into_iter().map(f64::abs).fold(0.0, f64::max);
    let straightest = volume.grid.source.axes.map(|axis| largest(axis.direction)).into_iter().fold(1.0, f64::min);
    let degrees = straightest.clamp(-1.0, 1.0).acos().to_degrees();
    let detail =
        || format!("its axes are turned by {degrees:.1}° against the patient's; slices follow the nearest axes");
    (degrees > OBLIQUE_DEGREES).then(|| one.finding(Info, "oblique", detail()))
}

fn saturation(one: &Evidence<'_>) -> Option<Finding> {
    let detail = || {
        format!(
            "{:.1} % of the voxels have the largest value: highlights were cut before the release",
            one.saturated * 100.0
        )
    };
    (one.saturated > SATURATED).then(|| one.finding(Info, "saturated", detail()))
}

fn spacing(one: &Evidence<'_>, volume: &VolumeFacts, metadata: &Metadata) -> Vec<Finding> {
    let [slice, row, column] = volume.grid.canonical.spacing_mm();
    let mut stated = Vec::new();
    if let Some(Value::Reals(pixel)) = metadata.get("pixel_spacing") {
        stated.extend(pixel.iter().zip([("row", row), ("column", column)]).map(|(&csv, (name, mm))| (name, mm, csv)));
    }
    stated.extend(metadata.number("spacing_between_slices").map(|csv| ("slice", slice, csv)));
    let differs = |&(_, header, csv): &(&str, f64, f64)| (header - csv).abs() > SPACING_TOLERANCE * header;
    let finding = |(name, header, csv): (&str, f64, f64)| {
        let detail = format!(
            "{name} spacing is {header:.4} mm in the header and {csv:.4} mm in overview.csv; the header is served"
        );
        one.finding(Warning, "spacing_differs", detail)
    };
    stated.into_iter().filter(differs).map(finding).collect()
}

fn missing(one: &Evidence<'_>, metadata: &Metadata) -> Option<Finding> {
    let missing: Vec<_> = FIELDS.iter().map(|field| field.name).filter(|name| metadata.get(name).is_none()).collect();
    let detail = || format!("{} of {} fields are missing: {}", missing.len(), FIELDS.len(), missing.join(", "));
    (!missing.is_empty()).then(|| one.finding(Info, "missing_metadata", detail()))
}
