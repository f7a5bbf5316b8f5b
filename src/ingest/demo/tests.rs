use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use tempfile::TempDir;

use super::*;
use crate::formats::tables::{GradingsTable, OverviewTable, read_gradings, read_overview};
use crate::spider::{Grading, Label, LabelClass, LabelSet, ScanType, Split, splits};
use crate::volume::{ElementType, Orientation};

/// Written once for all tests.
static RELEASE: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    write_release(dir.path(), |_, _| {}).unwrap();
    dir
});

fn read(path: &str) -> Vec<u8> {
    fs::read(RELEASE.path().join(path)).unwrap()
}

fn overview() -> OverviewTable {
    read_overview(&read("overview.csv")).unwrap()
}

fn grading_table() -> GradingsTable {
    read_gradings(&read("radiological_gradings.csv")).unwrap()
}

fn volume(folder: &str, scan: ScanId) -> Volume {
    metaimage::read(&read(&format!("{folder}/{scan}.mha")), 100 << 20).unwrap()
}

fn values(volume: &Volume) -> Vec<i32> {
    let pairs = volume.bytes.as_chunks::<2>().0.iter();
    match volume.element {
        ElementType::Int16 => pairs.map(|&b| i16::from_le_bytes(b).into()).collect(),
        ElementType::Uint16 => pairs.map(|&b| u16::from_le_bytes(b).into()).collect(),
        other => panic!("the release has no voxels of type {other}"),
    }
}

fn labels(scan: ScanId) -> LabelSet {
    values(&volume("masks", scan)).into_iter().map(|v| Label(u8::try_from(v).unwrap())).collect()
}

fn count(set: &LabelSet, class: LabelClass) -> f64 {
    set.iter().filter(|label| label.class() == class).count() as f64
}

#[test]
fn every_scan_of_the_table_has_its_two_files_and_no_other_file_is_there() {
    let wanted: BTreeSet<String> = overview().rows.iter().map(|row| format!("{}.mha", row.scan)).collect();
    for folder in ["images", "masks"] {
        let entries = fs::read_dir(RELEASE.path().join(folder)).unwrap();
        let found: BTreeSet<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(found, wanted, "{folder}");
    }
    let types: BTreeSet<ScanType> = overview().rows.iter().map(|row| row.scan.scan_type).collect();
    assert_eq!(types.len(), ScanType::ALL.len());
}

#[test]
fn both_kinds_of_volume_occur_also_within_one_patient_and_turned() {
    let mut kinds: BTreeMap<PatientId, BTreeSet<String>> = BTreeMap::new();
    let mut turned = 0;
    for row in overview().rows {
        let (image, mask) = (volume("images", row.scan), volume("masks", row.scan));
        assert_eq!((mask.element, mask.geometry.shape()), (ElementType::Int16, image.geometry.shape()));
        let codes = Orientation::axis_codes(&image.geometry);
        let element = if codes == "LPS" { ElementType::Int16 } else { ElementType::Uint16 };
        assert_eq!(image.element, element, "{} is {codes}", row.scan);
        turned += usize::from(image.geometry.axes[0].direction.iter().filter(|c| c.abs() > 0.01).count() > 1);
        kinds.entry(row.scan.patient).or_default().insert(codes);
    }
    let all: BTreeSet<&str> = kinds.values().flatten().map(String::as_str).collect();
    assert_eq!(all, BTreeSet::from(["LPS", "PIR"]));
    assert!(turned > 0 && kinds.values().any(|of_patient| of_patient.len() == 2));
}

#[test]
fn masks_hold_what_the_tables_say() {
    let mut partial = 0;
    for row in overview().rows {
        let found = labels(row.scan);
        assert_eq!(Some(count(&found, LabelClass::Vertebra)), row.metadata.number("num_vertebrae"), "{}", row.scan);
        assert_eq!(Some(count(&found, LabelClass::Disc)), row.metadata.number("num_discs"), "{}", row.scan);
        assert!(found.contains(Label::CANAL) && count(&found, LabelClass::Unknown) == 0.0);
        partial += usize::from(count(&found, LabelClass::PartialVertebra) == 1.0);
        let graded = grading_table().gradings.into_iter().filter(|g| g.patient == row.scan.patient);
        let graded: LabelSet = graded.filter_map(|g| g.mask_label()).collect();
        assert!(
            found.iter().filter(|l| l.class() == LabelClass::Disc).all(|disc| graded.contains(disc)),
            "{}",
            row.scan
        );
    }
    assert_eq!(partial, 1);
}

#[test]
fn lps_volumes_have_the_range_and_the_saturation_of_the_real_ones() {
    for row in overview().rows {
        let image = volume("images", row.scan);
        let found = values(&image);
        let (min, max) = (*found.iter().min().unwrap(), *found.iter().max().unwrap());
        if image.element == ElementType::Int16 {
            let top = found.iter().filter(|v| **v == max).count() as f64 / found.len() as f64;
            assert_eq!((min, max), (-1000, 3096), "{}", row.scan);
            assert!((0.045..0.06).contains(&top), "{}: {top}", row.scan);
        } else {
            assert!(min >= 0 && (400..900).contains(&max), "{}: {min}..{max}", row.scan);
        }
    }
}

/// Mean over all t2 volumes of the LPS kind.
#[test]
fn the_more_degenerated_a_disc_the_darker_it_is_on_t2() {
    let mut sums = BTreeMap::<u8, (f64, f64)>::new();
    let gradings = grading_table().gradings;
    for row in overview().rows.iter().filter(|row| row.scan.scan_type == ScanType::T2) {
        let (image, mask) = (volume("images", row.scan), volume("masks", row.scan));
        if image.element != ElementType::Int16 {
            continue;
        }
        for (value, label) in values(&image).into_iter().zip(values(&mask)) {
            let of_disc = |g: &&Grading| g.patient == row.scan.patient && i32::from(g.level) + 200 == label;
            if let Some(grade) = gradings.iter().find(of_disc).and_then(|g| g.pfirrmann) {
                let sum = sums.entry(grade).or_default();
                *sum = (sum.0 + f64::from(value), sum.1 + 1.0);
            }
        }
    }
    let means: Vec<f64> = sums.values().map(|(sum, count)| sum / count).collect();
    assert!(means.len() == 5 && means.windows(2).all(|pair| pair[0] > pair[1] + 20.0), "{means:?}");
}

#[test]
fn the_tables_have_the_oddities_of_the_real_ones() {
    let text = String::from_utf8(read("overview.csv")).unwrap();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert!(
        text.contains(",F ,")
            && text.contains(",59.0,")
            && text.contains(",,")
            && text.contains("\"['0.1.0', '0.1.0.1']\"")
    );
    let table = overview();
    assert!(table.unknown_columns.is_empty() && grading_table().unknown_columns.is_empty());
    let differs = table.rows.iter().filter(|row| {
        let in_header = volume("images", row.scan).geometry.spacing_mm();
        let spacing = row.metadata.get("pixel_spacing");
        spacing != Some(&crate::spider::Value::Reals(in_header[..2].to_vec()))
            && row.metadata.text("manufacturer") != Some("SIEMENS")
    });
    assert!(differs.count() > 0);
}

#[test]
fn the_published_split_puts_somebody_into_every_part() {
    let patients: Vec<PatientId> = overview().rows.iter().map(|row| row.scan.patient).collect();
    let parts: BTreeSet<Split> = splits::published(&patients).into_values().collect();
    assert_eq!(parts.len(), Split::ALL.len());
}

#[test]
fn a_series_is_the_same_every_time_and_fits_on_a_small_disk() {
    let (scan, patient, series) = scans()[0];
    let made = scan::make(patient, series);
    assert!(made.image == volume("images", scan) && made.mask == volume("masks", scan));
    let bytes: u64 = ["images", "masks"]
        .iter()
        .flat_map(|folder| fs::read_dir(RELEASE.path().join(folder)).unwrap())
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes < 30_000_000, "{bytes}");
}

#[test]
fn progress_counts_up_and_a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("file");
    fs::write(&blocked, b"").unwrap();
    let error = write_release(&blocked, |_, _| panic!("nothing can be written")).unwrap_err();
    assert!(error.to_string().contains("file/images"), "{error}");
    // A folder where a file should go: the tables are written, that scan fails.
    fs::create_dir_all(dir.path().join("images/1_t1.mha")).unwrap();
    let mut calls = Vec::new();
    let error = write_release(dir.path(), |done, all| calls.push((done, all))).unwrap_err();
    assert!(error.to_string().contains("1_t1.mha"), "{error}");
    assert!(calls.iter().enumerate().all(|(n, call)| *call == (n, scans().len())), "{calls:?}");
}
