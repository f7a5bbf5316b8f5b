//! The index on its way between machines: published, fetched, replaced under requests, kept out when it is bad.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use sagittal::index::Writer;
use sagittal::ingest::Destination;
use sagittal::snapshots::{Pointer, Publisher, Replica, SnapshotError};
use sagittal::store::{DataLocation, KeptSlices, Store};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{Answer, Kind, Release, Service, image};

/// A folder that is used as a bucket is.
struct Shared {
    dir: TempDir,
}

impl Shared {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn place(&self) -> DataLocation {
        DataLocation::Shared(self.dir.path().to_owned())
    }

    fn import(&self, release: &Release) {
        release.import_into(&Destination::new(self.place())).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn pointer(&self) -> Pointer {
        serde_json::from_slice(&fs::read(self.path("index/current.json")).unwrap()).unwrap()
    }

    /// What another process might put there.
    fn point_to(&self, revision: u64, snapshot: &[u8]) {
        let sha256: String = Sha256::digest(snapshot).iter().map(|byte| format!("{byte:02x}")).collect();
        let file = format!("index/{revision}-{}.sqlite", &sha256[..16]);
        fs::write(self.path(&file), snapshot).unwrap();
        let bytes = snapshot.len() as u64;
        self.write_pointer(&Pointer { revision, file, sha256, bytes, created: String::new(), obsolete: Vec::new() });
    }

    fn write_pointer(&self, pointer: &Pointer) {
        fs::write(self.path("index/current.json"), serde_json::to_vec(pointer).unwrap()).unwrap();
    }

    fn files(&self, folder: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.into_string().unwrap()).collect()
    }
}

fn refresh(service: &Service, replica: &mut Replica) -> Result<(), SnapshotError> {
    service.block_on(service.renderer.refresh(replica))
}

#[test]
fn a_published_index_responses_as_the_one_in_a_folder() {
    let (release, shared, folder) = (Release::small(), Shared::new(), tempfile::tempdir().unwrap());
    shared.import(&release);
    release.import(folder.path());
    assert!(!shared.path("index.sqlite").exists());
    let (here, (there, _)) = (Service::over(folder.path()), Service::following(&shared.place()));
    // All but the revision, which tells when the index was changed.
    let revisions = [&here, &there].map(|service| service.json("/readyz")["revision"].to_string());
    let [here_at, there_at] = revisions.each_ref().map(String::as_str);
    assert_ne!(here_at, there_at);
    for path in [
        "/readyz",
        "/v1/dataset",
        "/v1/scans",
        "/v1/scans/1_t2",
        "/v1/discs",
        "/v1/slices?has=201",
        "/v1/scans/2_t2_SPACE/slices/best/overlay.png?size=64",
        "/v1/scans/1_t1/slices/mid/image.npy?layout=stored",
        "/v1/scans/1_t1/montage.png",
        "/v1/scans/1_t2/image.nii",
    ] {
        let (one, other) = (here.get(path), there.get(path));
        assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200), "{path}");
        if one.header("content-type") == "application/json" {
            let text = |answer: &Answer| String::from_utf8(answer.body.to_vec()).unwrap();
            assert_eq!(text(&one).replace(here_at, there_at), text(&other), "{path}");
        } else {
            assert!(one.body == other.body, "{path} differs");
            assert_eq!(one.headers.get("etag"), other.headers.get("etag"), "{path}");
        }
    }
}

#[test]
fn nothing_published_says_what_to_do() {
    let shared = Shared::new();
    let store = Store::open(&shared.place(), &KeptSlices::default()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime.block_on(Replica::open(&store)).unwrap_err().to_string();
    assert!(error.contains("run `sagittal import SOURCE --data file:///"), "{error}");
}

#[test]
fn a_newer_snapshot_is_taken_without_dropping_a_request() {
    let (release, shared) = (Release::small(), Shared::new());
    shared.import(&release);
    let (service, mut replica) = Service::following(&shared.place());
    let before = service.json("/readyz")["revision"].as_u64().unwrap();
    let first = service.get("/v1/scans/1_t2/slices/mid/image.png?size=64");

    let (done, asked) = (AtomicBool::new(false), std::sync::atomic::AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let ask = |thread| {
            let (service, done, asked, first) = (&service, &done, &asked, &first);
            scope.spawn(move || {
                let mut size = 16 + thread;
                while !done.load(Ordering::Relaxed) {
                    // Some from memory, some drawn, some from the index.
                    let same = service.get("/v1/scans/1_t2/slices/mid/image.png?size=64");
                    assert!(same.body == first.body && same.header("etag") == first.header("etag"));
                    let path = format!("/v1/scans/2_t2_SPACE/slices/best/image.png?size={size}&window=p1,99");
                    assert_eq!(service.get(&path).status, 200);
                    let total = service.json(&format!("/v1/scans?limit={}", size % 900 + 1))["total"].as_u64().unwrap();
                    assert!((3..=8).contains(&total), "{total}");
                    size = size % 900 + 3;
                    asked.fetch_add(3, Ordering::Relaxed);
                }
            })
        };
        let threads: Vec<_> = (0..3).map(ask).collect();
        for scan in ["3_t1", "4_t1", "5_t1", "6_t1", "7_t1"] {
            release.scan(scan, Kind::Lps);
            shared.import(&release);
            refresh(&service, &mut replica).unwrap();
            let after = asked.load(Ordering::Relaxed) + 6;
            while asked.load(Ordering::Relaxed) < after
                && !threads.iter().any(std::thread::ScopedJoinHandle::is_finished)
            {
                std::thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let ready = service.json("/readyz");
    assert!(ready["revision"].as_u64().unwrap() >= before + 5);
    assert_eq!(ready["scans"], 8);
    assert_eq!(service.json("/v1/scans")["total"], 8);
}

#[test]
fn a_bad_snapshot_is_kept_out_and_a_good_one_after_it_is_taken() {
    let (release, shared) = (Release::small(), Shared::new());
    shared.import(&release);
    let (service, mut replica) = Service::following(&shared.place());
    let good = shared.pointer();
    let snapshot = fs::read(shared.path(&good.file)).unwrap();
    let stays = |said: &str, replica: &mut Replica| {
        let mut error: &dyn std::error::Error = &refresh(&service, replica).unwrap_err();
        let mut text = error.to_string();
        while let Some(source) = error.source() {
            (text, error) = (format!("{text}: {source}"), source);
        }
        assert!(text.contains(said), "{text}");
        assert_eq!(service.json("/v1/scans")["total"], 3);
        assert_eq!(service.json("/readyz")["revision"], good.revision);
        assert_eq!(service.get("/v1/scans/1_t1/slices/0/image.png?window=p1,99").status, 200);
    };

    // Not what the pointer says it is.
    shared.write_pointer(&Pointer { revision: good.revision + 1, sha256: "0".repeat(64), ..good.clone() });
    stays("has the SHA-256", &mut replica);
    // Cut off.
    shared.write_pointer(&Pointer {
        revision: good.revision + 1,
        sha256: "1".repeat(64),
        bytes: good.bytes + 1,
        ..good.clone()
    });
    stays("has the SHA-256", &mut replica);
    // Not there.
    let missing = Pointer {
        revision: good.revision + 1,
        file: "index/9-0.sqlite".into(),
        sha256: "2".repeat(64),
        ..good.clone()
    };
    shared.write_pointer(&missing);
    stays("could not read index/9-0.sqlite", &mut replica);
    // Not an index, though as published.
    shared.point_to(good.revision + 1, &[7; 5000]);
    stays("file is not a database", &mut replica);
    // Of another version of the program.
    shared.point_to(good.revision + 1, &changed(&snapshot, "INSERT INTO _sqlx_migrations SELECT 9999, description, installed_on, success, checksum, execution_time FROM _sqlx_migrations LIMIT 1"));
    stays("schema 9999", &mut replica);
    // Rows that no version writes.
    shared.point_to(
        good.revision + 1,
        &changed(&snapshot, "UPDATE volumes SET source_geometry = 'flat'; UPDATE state SET revision = revision + 1"),
    );
    stays("unusable geometry", &mut replica);
    // The pointer and its file disagree.
    shared.point_to(good.revision + 7, &changed(&snapshot, "UPDATE state SET revision = revision + 1"));
    stays("unusable revision", &mut replica);
    // Older.
    shared.point_to(good.revision - 1, &changed(&snapshot, "UPDATE state SET revision = revision - 1"));
    stays("is not newer than", &mut replica);
    // No pointer at all, and one that is none.
    fs::remove_file(shared.path("index/current.json")).unwrap();
    stays("there is no index in file:///", &mut replica);
    fs::write(shared.path("index/current.json"), b"{}").unwrap();
    stays("is not what an import writes", &mut replica);

    // What the attempts above left has the revision of the next one.
    shared.write_pointer(&good);
    refresh(&service, &mut replica).unwrap();
    release.scan("3_t1", Kind::Lps);
    shared.import(&release);
    refresh(&service, &mut replica).unwrap();
    assert_eq!(service.json("/v1/scans")["total"], 4);
}

/// A snapshot after some SQL.
fn changed(snapshot: &[u8], sql: &'static str) -> Vec<u8> {
    use sqlx::{Connection, Executor};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("changed.sqlite");
    fs::write(&path, snapshot).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
        connection.execute(sqlx::raw_sql(sql)).await.unwrap();
        connection.close().await.unwrap();
    });
    fs::read(path).unwrap()
}

#[test]
fn nobody_can_take_the_local_copy_away() {
    let (release, shared) = (Release::small(), Shared::new());
    shared.import(&release);
    let (service, mut replica) = Service::following(&shared.place());
    let folder = replica.folder().to_owned();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "the copy has a name that somebody could remove");
    fs::remove_dir_all(&folder).unwrap();
    // More queries at once than there are connections.
    let answers: Vec<_> = service.block_on(async {
        let ask = |n| {
            let path = format!("/v1/slices?limit={n}&fields=slice,labels");
            service.answer(axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap())
        };
        futures_util::future::join_all((1..=40).map(ask)).await
    });
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }
    release.scan("3_t1", Kind::Lps);
    shared.import(&release);
    refresh(&service, &mut replica).unwrap();
    assert_eq!(service.json("/v1/scans")["total"], 4);
}

#[test]
fn of_two_imports_at_once_the_second_is_reported_and_can_go_on() {
    let (release, shared) = (Release::small(), Shared::new());
    shared.import(&release);
    let store = Store::open(&shared.place(), &KeptSlices::default()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut slow = runtime.block_on(Publisher::begin(&store, None, false)).unwrap();

    release.scan("3_t1", Kind::Lps);
    shared.import(&release);
    let winner = shared.pointer();

    let copy = slow.folder().join("copy.sqlite");
    let publish = |publisher: &mut Publisher, copy: &Path| {
        runtime.block_on(async {
            let mut writer = Writer::open(publisher.folder()).await.unwrap();
            writer.copy_to(copy).await.unwrap();
            let revision = writer.revision().await.unwrap() + 5;
            publisher.publish(copy, revision, Vec::new(), &BTreeSet::new()).await
        })
    };
    let error = publish(&mut slow, &copy).unwrap_err();
    assert!(matches!(error, SnapshotError::LostRace { .. }), "{error}");
    assert!(error.to_string().contains("run the same import again"), "{error}");
    assert_eq!(shared.pointer(), winner);
    let mut again = runtime.block_on(Publisher::begin(&store, None, false)).unwrap();
    let copy = again.folder().join("copy.sqlite");
    publish(&mut again, &copy).unwrap();
    assert!(shared.pointer().revision > winner.revision);
}

#[test]
fn what_a_scan_was_before_stays_until_no_replica_reads_it() {
    let (release, shared) = (Release::small(), Shared::new());
    shared.import(&release);
    let (service, _) = Service::following(&shared.place());
    let old = shared.files("scans");
    let mut other = image(Kind::Lps);
    other.bytes[0] ^= 1;
    release.volume("images", "1_t1", &other);
    shared.import(&release);
    assert_eq!(service.get("/v1/scans/1_t1/slices/0/image.png").status, 200, "the replica has not looked yet");
    let both = shared.files("scans");
    assert!(both.is_superset(&old) && both.len() == 4, "{both:?}");

    release.scan("3_t1", Kind::Lps);
    shared.import(&release);
    let left = shared.files("scans");
    assert_eq!((left.len(), left.intersection(&old).count()), (4, 2), "{left:?}");
}

#[test]
fn a_scan_that_becomes_what_it_was_keeps_its_group() {
    let (release, shared) = (Release::small(), Shared::new());
    shared.import(&release);
    let mut other = image(Kind::Lps);
    other.bytes[0] ^= 1;
    release.volume("images", "1_t1", &other);
    shared.import(&release);
    release.volume("images", "1_t1", &image(Kind::Lps));
    shared.import(&release);
    let (service, _) = Service::following(&shared.place());
    assert_eq!(service.get("/v1/scans/1_t1/slices/0/image.png").status, 200);
}

#[test]
fn few_old_snapshots_are_kept_and_nothing_is_published_twice() {
    let (release, shared) = (Release::small(), Shared::new());
    for scan in ["3_t1", "4_t1", "5_t1", "6_t1", "7_t1"] {
        release.scan(scan, Kind::Lps);
        shared.import(&release);
    }
    let files = shared.files("index");
    assert_eq!(files.iter().filter(|name| name.ends_with(".sqlite")).count(), 3, "{files:?}");
    let current = shared.pointer();
    shared.import(&release);
    assert_eq!((shared.pointer(), shared.files("index")), (current, files));
}

#[test]
fn a_long_import_shows_what_it_has_so_far() {
    let (release, shared) = (Release::small(), Shared::new());
    let destination = Destination { publish_every: std::time::Duration::ZERO, ..Destination::new(shared.place()) };
    release.import_into(&destination).unwrap();
    let snapshots = shared.files("index").into_iter().filter(|name| name.ends_with(".sqlite")).count();
    assert!(snapshots >= 2, "{snapshots}");
    assert_eq!(Service::following(&shared.place()).0.json("/readyz")["scans"], 3);
}
