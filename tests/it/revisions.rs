//! One request sees one state of the data, whatever an import does meanwhile, and a URL under a revision never gives another's.

use std::fs;
use std::path::Path;
use std::time::Duration;

use axum::http::StatusCode;
use sagittal::index::path_in;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::support::{Answer, Kind, Release, Service, image, mask};

/// A release like the other in everything but its values, its masks and its tables.
fn another(kind_of: &[(&str, Kind)]) -> Release {
    let release = Release::empty();
    release.table(&[("1_t1", "M"), ("1_t2", "M"), ("2_t2_SPACE", "F"), ("3_t1", "M")]);
    for &(scan, kind) in kind_of {
        let (mut image, mut mask) = (image(kind), mask(kind));
        image.bytes.chunks_mut(2).for_each(|value| value[0] ^= 1);
        // Labels move by one voxel along the fastest axis.
        mask.bytes.rotate_right(2);
        release.volume("images", scan, &image);
        release.volume("masks", scan, &mask);
    }
    release
}

const SCANS: [(&str, Kind); 3] = [("1_t1", Kind::Lps), ("1_t2", Kind::Pir), ("2_t2_SPACE", Kind::Pir)];

fn imported(release: &Release) -> TempDir {
    let data = tempfile::tempdir().unwrap();
    release.import(data.path());
    data
}

fn renew(service: &Service) {
    service.block_on(service.renderer.renew()).unwrap();
}

fn revision(service: &Service) -> u64 {
    service.json("/v1/dataset")["revision"].as_u64().unwrap()
}

/// Responses with an image are kept once the second of a change has passed.
fn wait_for_the_next_second() {
    std::thread::sleep(Duration::from_millis(1100));
}

#[test]
fn an_image_that_was_requested_often_changes_with_its_scan() {
    let (here, there) = (imported(&Release::small()), imported(&another(&SCANS)));
    let service = Service::over(here.path());
    let old = revision(&service);
    wait_for_the_next_second();
    let paths = ["/v1/scans/1_t1/slices/2/image.png", "/v1/scans/1_t2/slices/2/mask.npy", "/v1/scans/1_t1/montage.png"];
    let pinned = |revision: u64, path: &str| format!("/r/{revision}{path}");
    let before: Vec<_> =
        paths.iter().map(|path| [path, path, &*pinned(old, path)].map(|url| service.get(url))).collect();
    for (path, answers) in paths.iter().zip(&before) {
        assert!(answers.iter().all(|answer| answer.body == answers[0].body), "{path}");
        assert_eq!(service.get(path).header("cache-status"), "sagittal; hit", "{path}");
        assert_eq!(service.get(&pinned(old, path)).header("cache-control"), "public, max-age=31536000, immutable");
    }
    another(&SCANS).import(here.path());
    renew(&service);
    let expected = Service::over(there.path());
    for (path, answers) in paths.iter().zip(&before) {
        let now = service.get(path);
        assert!(now.body == expected.get(path).body && now.body != answers[0].body, "{path}");
        assert_ne!(now.header("etag"), answers[0].header("etag"), "{path}");
        assert_eq!(service.problem(&pinned(old, path), 410)["code"], "revision_gone", "{path}");
    }
}

/// The rows come from another transaction than the catalogue did; both have to be of one revision.
#[test]
fn the_first_response_after_a_change_is_wholly_of_the_new_revision() {
    let data = imported(&Release::small());
    let service = Service::over(data.path());
    let old = revision(&service);
    another(&SCANS).import(data.path());
    // Nothing has looked at the index since.
    let dataset = service.json("/v1/scans?fields=scan_id,sex&volume=any");
    assert_eq!(dataset["items"][0]["sex"], "M");
    let plain = service.get("/v1/scans?fields=scan_id,sex&volume=any");
    let new = revision(&service);
    assert!(new > old);
    let pinned = service.get(&format!("/r/{new}/v1/scans?fields=scan_id,sex&volume=any"));
    assert_eq!((pinned.header("etag"), &pinned.body), (plain.header("etag"), &plain.body));
}

#[test]
fn an_old_revision_never_gives_new_rows() {
    let data = imported(&Release::small());
    let service = Service::over(data.path());
    let old = revision(&service);
    let before = service.get(&format!("/r/{old}/v1/scans"));
    another(&SCANS).import(data.path());
    // Until the change is noticed, what was made before is still what this URL said; nothing else can be made of it.
    assert_eq!(service.get(&format!("/r/{old}/v1/scans")).body, before.body);
    for path in [
        "/v1/scans?limit=2",
        "/v1/scans.csv",
        "/v1/scans.parquet",
        "/v1/scans/1_t1",
        "/v1/stats?of=discs",
        "/v1/audit",
        "/v1/scans/1_t1/discs/201/patch.npy",
        "/v1/scans/1_t1/slices/2/image.npy",
        "/v1/scans/1_t1/image.nii.gz",
        "/v1/stream.tar?size=16",
    ] {
        let url = format!("/r/{old}{path}");
        let problem = service.problem(&url, 410);
        assert_eq!(problem["code"], "revision_gone", "{path}");
        assert_eq!(problem["current_url"], format!("/r/{}{path}", revision(&service)), "{path}");
        assert_eq!(service.get(&url).header("cache-control"), "no-store");
    }
}

#[test]
fn only_what_depends_on_the_data_has_a_revision() {
    let service = Service::small();
    let now = revision(&service);
    for path in
        ["/v1/exports", "/v1/exports/x/y.tar", "/", "/docs", "/openapi.json", "/problems", "/healthz", "/metrics"]
    {
        assert_eq!(service.problem(&format!("/r/{now}{path}"), 404)["code"], "unknown_path", "{path}");
    }
    assert_eq!(service.problem(&format!("/r/{}/v1/scans", now + 1), 404)["code"], "unknown_revision");
    assert_eq!(service.problem(&format!("/r/{}/v1/scans", now - 1), 410)["code"], "revision_gone");
    for named in ["", "x", "-1", "1.0", "+1", "99999999999999999999"] {
        assert_eq!(service.problem(&format!("/r/{named}/v1/scans"), 404)["code"], "unknown_path", "{named}");
    }
}

/// The disc's place and its voxels are of one import.
#[test]
fn a_patch_is_cut_from_the_voxels_that_the_disc_was_found_in() {
    let (here, there) = (imported(&Release::small()), imported(&another(&SCANS)));
    let path = "/v1/scans/1_t1/discs/201/patch.npy?mm=20&spacing=0.5";
    let expected = Service::over(there.path()).get(path).body;
    let service = Service::over(here.path());
    wait_for_the_next_second();
    for _ in 0..3 {
        assert!(service.get(path).body != expected);
    }
    another(&SCANS).import(here.path());
    assert!(service.get(path).body == expected);
}

#[test]
fn a_stream_goes_on_while_other_scans_are_imported_and_breaks_off_when_its_own_change() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    let service = Service::over(data.path());
    let path = "/v1/stream.tar?size=1024&context=2";
    let whole = service.get(path);
    let begun = |service: &Service| service.begin(path);

    let stream = begun(&service);
    release.scan("3_t1", Kind::Lps);
    release.import(data.path());
    renew(&service);
    assert!(service.block_on(stream.rest()).unwrap() == whole.body);

    // Fifteen samples of 10 MB: what is made ahead is far less.
    let fresh = Service::over(data.path());
    let stream = begun(&fresh);
    another(&SCANS).import(data.path());
    renew(&fresh);
    assert!(fresh.block_on(stream.rest()).is_err(), "the stream went on with other data");
}

#[test]
fn an_index_that_is_put_in_the_place_of_another_is_read_wholly() {
    let (here, there) = (imported(&Release::small()), imported(&another(&SCANS)));
    let service = Service::over(here.path());
    let path = "/v1/scans?fields=scan_id,sex&volume=any";
    let sex = |answer: &Json| answer["items"][0]["sex"].as_str().unwrap().to_owned();
    assert_eq!(sex(&service.json(path)), "F");
    let old = revision(&service);
    fs::rename(path_in(there.path()), path_in(here.path())).unwrap();
    renew(&service);
    // More at once than there are connections, and none of them from memory.
    let answers = service.block_on(async {
        let ask = |n: usize| {
            let path = format!("{path}&limit={}", n + 4);
            service.answer(axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap())
        };
        futures_util::future::join_all((0..32).map(ask)).await
    });
    assert!(answers.iter().all(|answer| sex(&answer.json()) == "M"));
    assert_ne!(revision(&service), old);
    // The older one comes back, as from a backup, with the revision that it had.
    let backup = imported(&Release::small());
    fs::rename(path_in(backup.path()), path_in(here.path())).unwrap();
    renew(&service);
    assert_eq!(sex(&service.json(path)), "F");
}

fn not_ready(service: &Service, reason: &str) {
    let problem = service.problem("/readyz", 503);
    assert!(problem["detail"].as_str().unwrap().contains(reason), "{problem}");
}

#[test]
fn an_index_that_is_gone_is_reported_of_and_what_was_read_stays() {
    let data = imported(&Release::small());
    let service = Service::over(data.path());
    let path = path_in(data.path());
    fs::rename(&path, data.path().join("aside")).unwrap();
    not_ready(&service, "gone");
    assert_eq!(service.json("/v1/scans")["total"], 3);
    fs::rename(data.path().join("aside"), &path).unwrap();
    assert_eq!(service.json("/readyz")["status"], "ready");
    // Something else in its place.
    fs::rename(&path, data.path().join("aside")).unwrap();
    fs::write(&path, "this is no index").unwrap();
    not_ready(&service, "cannot be read");
    assert_eq!(service.json("/v1/discs")["total"], 6);
}

/// A page of a mapped file that is not there any more kills the process.
#[test]
fn an_index_that_is_cut_short_is_survived() {
    let data = imported(&Release::small());
    let service = Service::over(data.path());
    let path = path_in(data.path());
    let whole = fs::read(&path).unwrap();
    for len in [whole.len() as u64 / 2, 100, 0] {
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len).unwrap();
        for url in ["/v1/scans?volume=any", "/v1/slices?has=201", "/v1/scans/1_t2", "/v1/stats", "/v1/discs.csv"] {
            let answer = service.get(&format!("{url}{}limit={}", if url.contains('?') { "&" } else { "?" }, 7));
            assert!(answer.status == 503 || answer.status.as_u16() < 500, "{len} {url}: {}", answer.status);
        }
        if len == 0 {
            not_ready(&service, "the index");
            assert_eq!(service.problem("/v1/scans?limit=1", 503)["code"], "index_unavailable");
        }
        restore(&path, &whole);
        assert_eq!(service.json("/readyz")["status"], "ready");
        assert_eq!(service.json("/v1/scans?volume=any")["total"], 4);
    }
}

/// Into the same file, as `cp` does.
fn restore(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_locked_index_is_busy_and_not_broken() {
    let data = imported(&Release::small());
    let service = Service::over(data.path());
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path_in(data.path()));
    service.block_on(async {
        use sqlx::{ConnectOptions, Connection};
        let mut other = options.connect().await.unwrap();
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
        let get = |path: &str| axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let (rows, ready): (Answer, Answer) =
            tokio::join!(service.answer(get("/v1/scans")), service.answer(get("/readyz")));
        for answer in [&rows, &ready] {
            assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
            assert!(answer.json()["detail"].as_str().unwrap().contains("locked"), "{}", answer.json());
        }
        assert_eq!(rows.json()["code"], "index_unavailable");
        other.close().await.unwrap();
    });
    assert_eq!(service.json("/v1/scans")["total"], 3);
}
