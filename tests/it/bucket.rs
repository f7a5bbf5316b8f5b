//! The program against a bucket that keeps conditions and fails on demand: what a real store does seldom or never, on purpose.
//! That it speaks S3 as others do is judged against a real store in tests/end_to_end/test_object_store.py.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::support::{Kind, Release};

/// What goes wrong, once each, when a request fits.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Nothing is done.
    Refused,
    /// It is done, and the answer says that it was not.
    AnswerLost,
    /// Someone else replaces the pointer first.
    Overtaken,
}

#[derive(Default)]
struct Contents {
    objects: BTreeMap<String, Bytes>,
    /// Method and key of every request.
    asked: Vec<String>,
    /// Method, end of the key, what happens.
    faults: Vec<(Method, &'static str, Fault)>,
}

#[derive(Clone, Default)]
struct Bucket(Arc<Mutex<Contents>>);

fn tag(bytes: &[u8]) -> String {
    format!("\"{:08x}\"", crc32fast::hash(bytes))
}

impl Bucket {
    fn fault(&self, method: Method, end: &'static str, fault: Fault) {
        self.0.lock().unwrap().faults.push((method, end, fault));
    }

    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Response {
        let mut contents = self.0.lock().unwrap();
        let key = uri.path().trim_start_matches("/bucket").trim_start_matches('/').to_owned();
        contents.asked.push(format!("{method} {key}"));
        let fits = |(wanted, end, _): &(Method, &str, Fault)| wanted == method && key.ends_with(end);
        let found = contents.faults.iter().position(fits);
        let fault = found.map(|n| contents.faults.remove(n).2);
        match fault {
            Some(Fault::Refused) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Some(Fault::Overtaken) => {
                contents.objects.insert(key.clone(), Bytes::from_static(b"{}"));
            }
            Some(Fault::AnswerLost) | None => {}
        }
        let answer = match *method {
            Method::GET if key.is_empty() => list(&contents.objects, uri),
            Method::GET | Method::HEAD => get(contents.objects.get(&key), headers),
            Method::PUT => put(&mut contents.objects, key, headers, body),
            Method::POST => delete(&mut contents.objects, &body),
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        };
        if fault == Some(Fault::AnswerLost) { StatusCode::SERVICE_UNAVAILABLE.into_response() } else { answer }
    }

    fn keys(&self) -> Vec<String> {
        self.0.lock().unwrap().objects.keys().cloned().collect()
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

fn get(object: Option<&Bytes>, headers: &HeaderMap) -> Response {
    let Some(object) = object else { return StatusCode::NOT_FOUND.into_response() };
    let tag = tag(object);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let modified = "Mon, 23 Nov 2026 12:00:00 GMT".to_owned();
    let told = |bytes: Bytes| ([(header::ETAG, tag), (header::LAST_MODIFIED, modified)], bytes);
    let Some(range) = headers.get(header::RANGE).map(|range| range.to_str().unwrap().trim_start_matches("bytes="))
    else {
        return told(object.clone()).into_response();
    };
    let (first, last) = range.split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse::<usize>().unwrap().min(object.len() - 1));
    let range = format!("bytes {first}-{last}/{}", object.len());
    (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, range)], told(object.slice(first..=last))).into_response()
}

fn put(objects: &mut BTreeMap<String, Bytes>, key: String, headers: &HeaderMap, body: Bytes) -> Response {
    let there = objects.get(&key).map(|object| tag(object));
    let unmet = headers.get(header::IF_NONE_MATCH).is_some() && there.is_some()
        || headers.get(header::IF_MATCH).is_some_and(|known| there.is_none_or(|there| known != there.as_str()));
    if unmet {
        return StatusCode::PRECONDITION_FAILED.into_response();
    }
    let tag = tag(&body);
    objects.insert(key, body);
    [(header::ETAG, tag)].into_response()
}

fn list(objects: &BTreeMap<String, Bytes>, uri: &Uri) -> Response {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let prefix =
        pairs.into_iter().find(|(name, _)| name == "prefix").map_or(String::new(), |(_, prefix)| prefix.into());
    let mut text = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
    for (key, object) in objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
        text += &format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-23T12:00:00.000Z</LastModified><ETag>x</ETag><Size>{}</Size></Contents>",
            object.len()
        );
    }
    (text + "</ListBucketResult>").into_response()
}

fn delete(objects: &mut BTreeMap<String, Bytes>, body: &[u8]) -> Response {
    let text = std::str::from_utf8(body).unwrap();
    let mut told = String::new();
    for (key, _) in text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>")) {
        objects.remove(key);
        told += &format!("<Deleted><Key>{key}</Key></Deleted>");
    }
    format!("<DeleteResult>{told}</DeleteResult>").into_response()
}

/// The bucket behind a socket, for as long as the test runs.
struct Server {
    bucket: Bucket,
    address: String,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start() -> Self {
        let (bucket, runtime) = (Bucket::default(), tokio::runtime::Runtime::new().unwrap());
        let answer = async |State(bucket): State<Bucket>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            bucket.answer(&method, &uri, &headers, body)
        };
        let limit = axum::extract::DefaultBodyLimit::disable();
        let router = Router::new().fallback(answer).layer(limit).with_state(bucket.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async { axum::serve(listener, router).await });
        Self { bucket, address, _runtime: runtime }
    }

    fn sagittal(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_sagittal"))
            .args(arguments)
            .args(["--data", "s3://bucket/mri"])
            .env("AWS_ENDPOINT", &self.address)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "here")
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .output()
            .unwrap()
    }

    fn import(&self, release: &Release) -> Output {
        self.sagittal(&["import", path(release.dir.path())])
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn chunks_come_first_then_the_snapshot_then_the_pointer_and_a_slice_is_one_request() {
    let (release, server) = (Release::small(), Server::start());
    let import = server.import(&release);
    assert!(import.status.success(), "{}", said(&import));
    assert!(!said(&import).contains("ignores conditional writes"), "{}", said(&import));
    let asked = server.bucket.asked();
    let puts: Vec<_> = asked.iter().filter_map(|line| line.strip_prefix("PUT mri/")).collect();
    let last = |start: &str| puts.iter().rposition(|key| key.starts_with(start)).unwrap();
    assert_eq!(puts.iter().filter(|key| key.starts_with("scans/")).count(), 3 * (5 + 5 + 5), "{puts:?}");
    let snapshot = puts.iter().position(|key| key.ends_with(".sqlite")).unwrap();
    assert!(last("scans/") < snapshot && snapshot < last("index/current.json"), "{puts:?}");

    let check = server.sagittal(&["check"]);
    assert!(check.status.success(), "{}", said(&check));
    let reads = server.bucket.asked().into_iter().filter(|line| line.contains("/c/")).collect::<Vec<_>>();
    assert_eq!(reads.len(), 3 * (5 + 5), "{reads:?}");
}

#[test]
fn a_moment_of_weakness_is_waited_for() {
    let (release, server) = (Release::small(), Server::start());
    for end in ["/0/0", "/zarr.json", ".sqlite", "/current.json"] {
        server.bucket.fault(Method::PUT, end, Fault::Refused);
    }
    server.bucket.fault(Method::GET, "/current.json", Fault::Refused);
    let import = server.import(&release);
    assert!(import.status.success(), "{}", said(&import));
    server.bucket.fault(Method::GET, "/0/0", Fault::Refused);
    let check = server.sagittal(&["check"]);
    assert!(check.status.success(), "{}", said(&check));
    assert!(server.bucket.0.lock().unwrap().faults.is_empty(), "a fault that nobody met");
}

#[test]
fn an_answer_that_got_lost_is_no_lost_race() {
    let (release, server) = (Release::small(), Server::start());
    for scan in ["3_t1", "4_t1"] {
        // The first pointer, then one that replaces another.
        server.bucket.fault(Method::PUT, "/current.json", Fault::AnswerLost);
        let import = server.import(&release);
        assert!(import.status.success(), "{}", said(&import));
        release.scan(scan, Kind::Lps);
    }
    assert!(server.bucket.0.lock().unwrap().faults.is_empty(), "a fault that nobody met");
}

#[test]
fn a_pointer_that_changed_at_the_last_moment_is_not_overwritten() {
    let (release, server) = (Release::small(), Server::start());
    assert!(server.import(&release).status.success());
    release.scan("3_t1", Kind::Lps);
    server.bucket.fault(Method::PUT, "/current.json", Fault::Overtaken);
    let import = server.import(&release);
    assert_eq!(import.status.code(), Some(2), "{}", said(&import));
    assert!(said(&import).contains("another import published to s3://bucket/mri meanwhile"), "{}", said(&import));
    let snapshots = server.bucket.keys().into_iter().filter(|key| key.ends_with(".sqlite")).count();
    assert_eq!(snapshots, 1, "what lost is not left behind");
    let pointer = server.bucket.0.lock().unwrap().objects["mri/index/current.json"].clone();
    assert_eq!(pointer, "{}", "the other one's pointer was overwritten");
}

#[test]
fn what_is_replaced_and_old_goes_from_the_bucket_too() {
    let (release, server) = (Release::small(), Server::start());
    for scan in ["3_t1", "4_t1", "5_t1", "6_t1"] {
        let import = server.import(&release);
        assert!(import.status.success() && !said(&import).contains("WARN"), "{}", said(&import));
        let mut other = crate::support::image(Kind::Lps);
        other.bytes[0] ^= scan.as_bytes()[0];
        release.volume("images", "1_t1", &other);
        release.scan(scan, Kind::Lps);
    }
    let keys = server.bucket.keys();
    assert_eq!(keys.iter().filter(|key| key.ends_with(".sqlite")).count(), 3, "{keys:?}");
    let groups: std::collections::BTreeSet<_> =
        keys.iter().filter_map(|key| key.strip_prefix("mri/scans/1_t1-")?.split('/').next()).collect();
    assert_eq!(groups.len(), 2, "the one that is served and the one before: {groups:?}");
}

#[test]
fn a_chunk_that_lost_its_end_is_damage_and_no_outage() {
    let (release, server) = (Release::small(), Server::start());
    assert!(server.import(&release).status.success());
    let key = server.bucket.keys().into_iter().find(|key| key.ends_with("/image/c/1/0/0")).unwrap();
    {
        let objects = &mut server.bucket.0.lock().unwrap().objects;
        let short = objects[&key].slice(..7);
        objects.insert(key.clone(), short);
    }
    let check = server.sagittal(&["check"]);
    let told = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.code() == Some(1) && told.contains("1 slices missing or damaged"), "{told}");
    let line = told.lines().find(|line| line.contains(key.trim_start_matches("mri/"))).unwrap();
    assert!(line.contains("is damaged"), "{line}");
}

#[test]
fn a_place_where_slices_cannot_be_kept_is_refused_with_the_way_out() {
    let (release, server) = (Release::small(), Server::start());
    assert!(server.import(&release).status.success());
    let file = release.path("a file");
    std::fs::write(&file, b"").unwrap();
    let serve = server.sagittal(&["serve", "--listen", "127.0.0.1:0", "--slice-cache-dir", path(&file)]);
    assert_eq!(serve.status.code(), Some(2), "{}", said(&serve));
    assert!(said(&serve).contains("choose a folder that you may write to"), "{}", said(&serve));
}
