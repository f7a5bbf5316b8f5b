//! Scans that go, and scans that changed without showing it.

use std::fs;

use sagittal::index::path_in;
use sagittal::ingest::{self, Destination, ImportOptions, Outcome};
use sagittal::store::DataLocation;

use super::{OPTIONS, as_str, groups, ids, import, sagittal, text};
use crate::support::{Kind, Release, Service, image, write_export};

fn without_files_of(release: &Release, scan: &str) {
    for folder in ["images", "masks"] {
        fs::remove_file(release.path(&format!("{folder}/{scan}.mha"))).unwrap();
    }
}

#[test]
fn scans_that_left_the_source_are_named_and_pruned_only_when_requested() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    without_files_of(&release, "1_t2");
    let destination = Destination::folder(data.path());
    let report = import(&release, &destination, OPTIONS);
    assert_eq!((report.gone, report.without_volume), (ids(&["1_t2"]), ids(&["3_t1"])));
    let service = Service::over(data.path());
    assert_eq!(service.json("/v1/scans")["total"], 3);

    let report = import(&release, &destination, ImportOptions { prune: true, ..OPTIONS });
    assert_eq!((&report.removed, &report.gone, report.unchanged()), (&ids(&["1_t2"]), &vec![], 2));
    service.block_on(service.renderer.renew()).unwrap();
    assert_eq!(service.json("/v1/scans")["total"], 2);
    // Its row of the table is still there, as the source has it.
    assert_eq!(service.json("/v1/scans/1_t2")["has_volume"], false);
    assert_eq!(service.json("/v1/scans/1_t2")["metadata"]["manufacturer"], "SIEMENS");
    service.problem("/v1/scans/1_t2/slices/mid/image.png", 404);
    assert_eq!(groups(data.path()).len(), 2);
    // What is derived of it went, too: as if it had never been there.
    let never = tempfile::tempdir().unwrap();
    release.import(never.path());
    for path in ["/v1/slices?limit=1000", "/v1/discs", "/v1/patients", "/v1/scans?volume=any", "/v1/stats?by=scan_type"]
    {
        assert_eq!(service.json(path), Service::over(never.path()).json(path), "{path}");
    }
}

#[test]
fn a_scan_without_a_row_is_pruned_altogether() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.scan("4_t2", Kind::Pir);
    release.import(data.path());
    without_files_of(&release, "4_t2");
    import(&release, &Destination::folder(data.path()), ImportOptions { prune: true, ..OPTIONS });
    Service::over(data.path()).problem("/v1/scans/4_t2", 404);
}

#[test]
fn a_refused_scan_that_is_still_served_is_named() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    release.write("images/1_t1.mha", b"");
    let report = import(&release, &Destination::folder(data.path()), ImportOptions { prune: true, ..OPTIONS });
    assert_eq!((report.still_served, report.removed), (ids(&["1_t1"]), vec![]));
    assert_eq!(Service::over(data.path()).json("/v1/scans")["total"], 3);
}

#[test]
fn removed_scans_leave_nothing_behind() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    write_export(data.path(), "webdataset", "train-0.tar", b"x");
    let service = Service::over(data.path());
    let removed = sagittal(&["remove", "1_t1", "1_t2", "--data", as_str(data.path())]);
    let said = text(&removed.stdout);
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    assert!(said.contains("2 scans removed") && said.contains("/train-0.tar"), "{said}");

    service.block_on(service.renderer.renew()).unwrap();
    assert_eq!(groups(data.path()).len(), 1);
    for path in ["/v1/scans/1_t1", "/v1/scans/1_t2/slices/mid/image.png", "/v1/patients/1"] {
        service.problem(path, 404);
    }
    assert_eq!(service.json("/v1/gradings")["total"], 0);
    assert_eq!(service.json("/v1/scans?volume=any")["total"], 2);
    // Not even in pages of the index that are free now.
    let index = fs::read(path_in(data.path())).unwrap();
    assert!(!index.windows(4).any(|bytes| bytes == b"1_t1"), "the id is still in the file");

    let unknown = sagittal(&["remove", "2_t2_SPACE", "1_t1", "--data", as_str(data.path())]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there is nothing of 1_t1 here, so nothing was removed"));
    assert_eq!(groups(data.path()).len(), 1);
    // The source still has them.
    assert_eq!(import(&release, &Destination::folder(data.path()), OPTIONS).imported().count(), 2);
    service.block_on(service.renderer.renew()).unwrap();
    assert_eq!(service.json("/v1/gradings")["total"], 2);
}

#[test]
fn a_removal_that_was_interrupted_is_run_again() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    let group = groups(data.path()).into_iter().find(|name| name.starts_with("1_t1-")).unwrap();
    let (there, aside) = (data.path().join("scans").join(&group), data.path().join("aside"));
    fs::rename(&there, &aside).unwrap();
    assert!(sagittal(&["remove", "1_t1", "--data", as_str(data.path())]).status.success());
    fs::rename(&aside, &there).unwrap();
    let again = sagittal(&["remove", "1_t1", "--data", as_str(data.path())]);
    assert!(again.status.success() && text(&again.stdout).contains("1 groups deleted"), "{again:?}");
    assert!(!there.exists());
}

#[test]
fn removals_travel_with_snapshots_and_old_snapshots_go() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    let place = DataLocation::Shared(data.path().to_owned());
    let destination = Destination { grace: std::time::Duration::ZERO, ..Destination::new(place.clone()) };
    import(&release, &destination, OPTIONS);
    release.scan("4_t2", Kind::Pir);
    import(&release, &destination, OPTIONS);
    let (service, mut replica) = Service::following(&place);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let removed = ingest::remove(&ids(&["1_t1"]), &destination, runtime.handle()).unwrap();
    assert_eq!(removed.groups.len(), 1);
    assert_eq!(groups(data.path()).len(), 3);
    let snapshots = fs::read_dir(data.path().join("index"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "sqlite"));
    assert_eq!(snapshots.count(), 1, "a snapshot still tells of the scan");
    service.block_on(service.renderer.refresh(&mut replica)).unwrap();
    service.problem("/v1/scans/1_t1", 404);
    assert_eq!(service.json("/v1/scans")["total"], 3);
}

#[test]
fn voxels_that_changed_behind_length_and_time_are_found_by_their_checksums() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    let path = release.path("images/1_t1.mha");
    let write = |volume: &sagittal::volume::Volume| {
        let mut file = Vec::new();
        sagittal::formats::metaimage::write(volume, None, &mut file).unwrap();
        fs::write(&path, file).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
    };
    let mut volume = image(Kind::Lps);
    write(&volume);
    release.import(data.path());
    volume.bytes[0] ^= 1;
    write(&volume);
    let destination = Destination::folder(data.path());
    assert_eq!(import(&release, &destination, OPTIONS).unchanged(), 3);
    let report = import(&release, &destination, ImportOptions { verify: true, ..OPTIONS });
    assert_eq!((report.imported().count(), report.unchanged()), (1, 2));
    assert!(matches!(report.outcomes[&"1_t1".parse().unwrap()], Outcome::Imported { .. }));
    assert_eq!(import(&release, &destination, ImportOptions { verify: true, ..OPTIONS }).unchanged(), 3);
}
