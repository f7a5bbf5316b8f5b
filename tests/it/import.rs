//! What import does with good, broken and odd releases.

use std::fs;

use sagittal::ingest::{ImportError, Outcome, Report, Source, SourceError};
use sagittal::spider::ScanId;
use sagittal::volume::ElementType;

use crate::support::{Kind, Release, Service, file_of, image, mask};

fn refusal(report: &Report, scan: &str) -> String {
    let scan: ScanId = scan.parse().unwrap();
    let mut error: &dyn std::error::Error = report.refused().find(|(id, _)| *id == scan).expect("not refused").1;
    let mut text = error.to_string();
    while let Some(source) = error.source() {
        text = format!("{text}: {source}");
        error = source;
    }
    text
}

/// Imports the small release with one file replaced, and gives the reason why that scan was refused. The others must be
/// imported all the same.
fn refusal_with(file: &str, bytes: &[u8]) -> String {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.write(file, bytes);
    let report = release.import(data.path());
    assert_eq!(report.imported().count(), 2, "the others were not imported");
    assert_eq!(report.refused().count(), 1);
    let service = Service::over(data.path());
    assert_eq!(service.json("/v1/scans")["total"], 2);
    assert_eq!(service.json("/v1/scans/1_t1")["has_volume"], false);
    refusal(&report, "1_t1")
}

#[test]
fn every_scan_of_a_good_release_is_imported_once() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    let report = release.import(data.path());
    assert_eq!((report.imported().count(), report.unchanged(), report.refused().count()), (3, 0, 0));
    assert_eq!(report.without_volume, ["3_t1".parse().unwrap()]);
    let again = release.import(data.path());
    assert_eq!((again.imported().count(), again.unchanged()), (0, 3));
}

#[test]
fn a_changed_file_is_imported_again_and_the_old_voxels_go() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    let groups = || fs::read_dir(data.path().join("scans")).unwrap().count();
    assert_eq!(groups(), 3);
    let mut other = image(Kind::Lps);
    other.bytes[0] ^= 1;
    release.volume("images", "1_t1", &other);
    let report = release.import(data.path());
    assert_eq!((report.imported().count(), report.unchanged(), groups()), (1, 2, 3));
}

#[test]
fn a_release_in_archives_gives_the_same_store() {
    let (release, zipped) = (Release::small(), Release::small());
    for folder in ["images", "masks"] {
        let file = fs::File::create(zipped.path(&format!("{folder}.zip"))).unwrap();
        let mut archive = zip::ZipWriter::new(file);
        for entry in fs::read_dir(release.path(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::copy(&mut fs::File::open(&path).unwrap(), &mut archive).unwrap();
        }
        archive.finish().unwrap();
        fs::remove_dir_all(zipped.path(folder)).unwrap();
    }
    let (from_folder, from_zip) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    release.import(from_folder.path());
    assert_eq!(zipped.import(from_zip.path()).imported().count(), 3);
    let groups = |data: &std::path::Path| {
        let mut names: Vec<_> = fs::read_dir(data.join("scans")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    // The names carry the checksums of what was read.
    assert_eq!(groups(from_folder.path()), groups(from_zip.path()));
}

#[test]
fn broken_files_are_refused_by_name_and_reason_and_the_rest_goes_on() {
    let good = file_of(&image(Kind::Lps));
    let truncated = refusal_with("images/1_t1.mha", &good[..good.len() - 40]);
    assert!(truncated.contains("images/1_t1.mha"), "{truncated}");
    let mut flipped = good.clone();
    let late = flipped.len() - 3;
    flipped[late] ^= 0x10;
    assert!(refusal_with("images/1_t1.mha", &flipped).contains("images/1_t1.mha"));
    assert!(refusal_with("masks/1_t1.mha", b"").contains("masks/1_t1.mha"));
}

#[test]
fn a_header_that_asks_for_more_than_there_can_be_is_refused() {
    let text = String::from_utf8_lossy(&file_of(&image(Kind::Lps))).into_owned();
    let (before, after) = text.split_once("DimSize = ").unwrap();
    let after = after.split_once('\n').unwrap().1;
    // Twice the bytes of these voxels are more than 64 bits can count.
    let huge = format!("{before}DimSize = 2000000 2000000 2000000\n{after}");
    assert!(refusal_with("images/1_t1.mha", huge.as_bytes()).contains("16000000000000000000 bytes"));
}

#[test]
fn image_and_mask_must_be_of_one_grid() {
    let mut smaller = mask(Kind::Lps);
    smaller.geometry.axes[0].len -= 1;
    smaller.bytes.truncate(smaller.geometry.voxels() * 2);
    assert!(refusal_with("masks/1_t1.mha", &file_of(&smaller)).contains("5 × 16 × 23"));
    let mut moved = mask(Kind::Lps);
    moved.geometry.origin_mm[0] += 3.0;
    assert!(refusal_with("masks/1_t1.mha", &file_of(&moved)).contains("3.000 mm apart"));
}

#[test]
fn masks_that_hold_no_labels_are_refused_and_odd_labels_noted() {
    let mut negative = mask(Kind::Lps);
    negative.bytes[..2].copy_from_slice(&(-7i16).to_le_bytes());
    assert!(refusal_with("masks/1_t1.mha", &file_of(&negative)).contains("-7"));
    let mut real = mask(Kind::Lps);
    real.element = ElementType::Float32;
    real.bytes = vec![0; real.geometry.voxels() * 4];
    assert!(refusal_with("masks/1_t1.mha", &file_of(&real)).contains("float32"));

    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    let mut odd = mask(Kind::Lps);
    odd.bytes[..2].copy_from_slice(&77i16.to_le_bytes());
    release.volume("masks", "1_t1", &odd);
    let report = release.import(data.path());
    let noted = report.outcomes.get(&"1_t1".parse().unwrap()).unwrap();
    assert!(matches!(noted, Outcome::Imported { notes } if notes[0].contains("77 (1 voxels)")), "{noted:?}");
}

#[test]
fn halves_of_pairs_are_refused() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    fs::remove_file(release.path("masks/1_t1.mha")).unwrap();
    fs::remove_file(release.path("images/1_t2.mha")).unwrap();
    let report = release.import(data.path());
    assert!(refusal(&report, "1_t1").contains("has no mask"));
    assert!(refusal(&report, "1_t2").contains("has no image"));
    assert_eq!(report.imported().count(), 1);
}

#[test]
fn scans_without_a_row_are_served_and_strange_files_named() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.scan("4_t2", Kind::Pir);
    release.write("images/notes.txt", b"");
    let report = release.import(data.path());
    assert_eq!(report.without_row, ["4_t2".parse().unwrap()]);
    assert!(report.ignored_files[0].ends_with("notes.txt"));
    let scan = Service::over(data.path()).json("/v1/scans/4_t2");
    assert!(scan["metadata"].is_null() && scan["split"].is_null() && scan["has_volume"] == true);
}

#[test]
fn a_source_that_is_no_release_says_what_is_missing() {
    let release = Release::small();
    fs::remove_file(release.path("overview.csv")).unwrap();
    assert!(matches!(Source::open(release.dir.path()), Err(SourceError::NoTable { table: "overview.csv", .. })));
    let release = Release::small();
    fs::remove_dir_all(release.path("masks")).unwrap();
    assert!(matches!(Source::open(release.dir.path()), Err(SourceError::NoVolumes { kind: "masks", .. })));
    let release = Release::small();
    fs::remove_dir_all(release.path("masks")).unwrap();
    release.write("masks.zip", b"not a zip");
    assert!(matches!(Source::open(release.dir.path()), Err(SourceError::Archive { .. })));
}

#[test]
fn a_malformed_table_stops_the_import_before_anything_is_written() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.write("overview.csv", b"new_file_name,sex\r\n1_t1,F\r\n");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let source = Source::open(release.dir.path()).unwrap();
    let options =
        sagittal::ingest::ImportOptions { jobs: 1, again: false, verify: false, prune: false, memory_bytes: 1 << 20 };
    let folder = data.path().join("data");
    let result = sagittal::ingest::run(&source, &folder, options, runtime.handle(), &|_| ());
    assert!(matches!(result, Err(ImportError::Table { table: "overview.csv", .. })));
    assert!(!folder.exists());
}

#[test]
fn a_server_that_runs_sees_new_scans() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    let service = Service::over(data.path());
    assert_eq!(service.json("/v1/scans")["total"], 3);
    release.scan("3_t1", Kind::Lps);
    release.import(data.path());
    service.block_on(service.renderer.renew()).unwrap();
    assert_eq!(service.json("/v1/scans")["total"], 4);
    assert_eq!(service.get("/v1/scans/3_t1/slices/mid/image.png").status, 200);
}
