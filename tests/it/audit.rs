//! The audit finds what was put into the data, and nothing where nothing was.

use std::collections::BTreeSet;
use std::process::Command;

use sagittal::volume::Volume;
use serde_json::Value as Json;

use crate::support::{Kind, Release, Service, image, mask};

fn codes(audit: &Json, scan: &str) -> BTreeSet<String> {
    let items = audit["items"].as_array().unwrap().iter().filter(|item| item["scan_id"] == scan);
    items.map(|item| item["code"].as_str().unwrap().to_owned()).collect()
}

fn set(codes: &[&str]) -> BTreeSet<String> {
    codes.iter().map(|&code| code.to_owned()).collect()
}

/// A mask with some of its values replaced by others.
fn relabelled(rules: &[(i16, i16)]) -> Volume {
    let mut mask = mask(Kind::Lps);
    for voxel in mask.bytes.as_chunks_mut::<2>().0 {
        let value = i16::from_le_bytes(*voxel);
        let to = rules.iter().find(|(from, _)| *from == value).map_or(value, |(_, to)| *to);
        *voxel = to.to_le_bytes();
    }
    mask
}

#[test]
fn a_sound_scan_has_only_its_small_size_and_empty_cells_noted() {
    let audit = Service::small().json("/v1/audit");
    assert_eq!(codes(&audit, "1_t1"), set(&["missing_metadata", "unusual_shape"]));
    // Two patients with one and the same mask file.
    assert!(codes(&audit, "1_t2").contains("duplicate_mask"));
    assert!(codes(&audit, "2_t2_SPACE").contains("duplicate_mask"));
    // Patient 2 has no gradings at all.
    assert!(codes(&audit, "2_t2_SPACE").contains("disc_without_grading"));
}

#[test]
fn every_oddity_is_found() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.volume("masks", "1_t1", &relabelled(&[(1, 3), (202, 78), (100, 104)]));
    let mut flat = image(Kind::Lps);
    flat.bytes
        .as_chunks_mut::<2>()
        .0
        .iter_mut()
        .filter(|v| i16::from_le_bytes(**v) > 2000)
        .for_each(|v| *v = 2500i16.to_le_bytes());
    let (sin, cos) = 5f64.to_radians().sin_cos();
    flat.geometry.axes[0].direction = [0.0, -sin, cos];
    flat.geometry.axes[1].direction = [0.0, cos, sin];
    flat.geometry.axes[1].spacing_mm = 2.6;
    let mut turned = relabelled(&[(1, 3), (202, 78), (100, 104)]);
    turned.geometry = flat.geometry;
    release.volume("images", "1_t1", &flat);
    release.volume("masks", "1_t1", &turned);
    release.import(data.path());
    let service = Service::over(data.path());
    let expected = [
        "count_differs",
        "grading_without_disc",
        "import_note",
        "label_gap",
        "missing_metadata",
        "no_canal",
        "oblique",
        "partial_vertebra",
        "saturated",
        "siblings_disagree",
        "spacing_differs",
        "unknown_label",
        "unusual_shape",
    ];
    assert_eq!(codes(&service.json("/v1/audit?scan_id=1_t1"), "1_t1"), set(&expected));
    assert_eq!(codes(&service.json("/v1/audit?severity=error"), "1_t1"), set(&["unknown_label"]));
    assert_eq!(service.json("/v1/audit?code=oblique")["total"], 1);
    for query in ["severity=bad", "code=obliqe", "scan_id=x", "scan=1_t1"] {
        service.problem(&format!("/v1/audit?{query}"), 400);
    }
}

#[test]
fn check_reads_everything_and_names_what_is_damaged() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    let check = || {
        Command::new(env!("CARGO_BIN_EXE_sagittal"))
            .args(["check", "--data", data.path().to_str().unwrap()])
            .output()
            .unwrap()
    };
    let sound = check();
    let said = String::from_utf8_lossy(&sound.stdout).into_owned();
    assert!(
        sound.status.success() && said.contains("3 scans read in full") && said.contains("0 slices missing or damaged"),
        "{said}"
    );

    let groups = std::fs::read_dir(data.path().join("scans")).unwrap().map(|entry| entry.unwrap().path());
    let group = groups.into_iter().find(|path| path.to_str().unwrap().contains("1_t2-")).unwrap();
    std::fs::remove_file(group.join("image/c/0/0/0")).unwrap();
    std::fs::write(group.join("labels/spider/0/c/1/0/0"), b"short").unwrap();
    std::fs::create_dir_all(data.path().join("scans/9_t1-000000000000.ome.zarr/image/c/0/0")).unwrap();
    let damaged = check();
    let said = String::from_utf8_lossy(&damaged.stdout).into_owned();
    assert_eq!(damaged.status.code(), Some(1));
    assert!(said.contains("2 slices missing or damaged") && said.contains("import with --again"), "{said}");
    assert!(said.contains("9_t1-000000000000.ome.zarr"), "{said}");

    // The way out that the message names: unchanged files are skipped, --again converts them all the same.
    let import = |again: &[&str]| {
        let folders = ["import", release.dir.path().to_str().unwrap(), "--data", data.path().to_str().unwrap()];
        Command::new(env!("CARGO_BIN_EXE_sagittal")).args(folders).args(again).output().unwrap()
    };
    assert!(import(&[]).status.success());
    assert_eq!(check().status.code(), Some(1));
    assert!(import(&["--again"]).status.success());
    assert!(check().status.success());
}
