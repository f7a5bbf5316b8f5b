//! What every route says to caches, and how it answers conditional requests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::Value as Json;

use crate::routes::Of::{Data, Program};
use crate::routes::Policy::{Fresh, NoStore, Revalidate};
use crate::routes::{Of, Policy, ROUTES, ask, service};
use crate::support::{Answer, Service};

fn of_policy(wanted: Policy) -> impl Iterator<Item = (&'static str, Of)> {
    ROUTES.into_iter().filter(move |(.., policy)| *policy == wanted).map(|(_, url, of, _)| (url, of))
}

fn cache_control(answer: &Answer) -> &str {
    answer.header("cache-control")
}

#[test]
fn what_must_not_be_stored_has_no_validator() {
    let (service, _data) = service();
    for (url, _) in of_policy(NoStore) {
        let answer = ask(&service, url, &[("if-none-match", "*"), ("if-match", "\"x\"")]);
        assert_eq!((answer.status, cache_control(&answer)), (StatusCode::OK, "no-store"), "{url}");
        assert!(!answer.headers.contains_key("etag") && !answer.headers.contains_key("last-modified"), "{url}");
    }
}

/// What a cache has to request each time, and what it may give for five minutes.
#[test]
fn everything_else_says_how_long_it_may_be_kept() {
    let (service, _data) = service();
    for (policy, said) in [(Revalidate, "no-cache"), (Fresh, "public, max-age=300")] {
        for (url, of) in of_policy(policy) {
            let answer = ask(&service, url, &[]);
            assert_eq!((answer.status, cache_control(&answer)), (StatusCode::OK, said), "{url}");
            let tag = answer.header("etag");
            assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() == 34, "{url}: {tag}");
            let has_date = of == Data || url.ends_with("a.tar") || url.ends_with("train.parquet");
            assert_eq!(answer.headers.contains_key("last-modified"), has_date, "{url}");
            let head = service.send(Request::head(url).body(Body::empty()).unwrap());
            for name in ["etag", "cache-control", "last-modified", "content-type"] {
                assert_eq!(head.headers.get(name), answer.headers.get(name), "{url} {name}");
            }
            assert!(head.body.is_empty(), "{url}");
        }
    }
}

const OLD: &str = "Sat, 01 Jan 2000 00:00:00 GMT";
const LATER: &str = "Fri, 01 Jan 2100 00:00:00 GMT";

#[test]
fn conditions_decide_on_every_route_that_has_a_validator() {
    let (service, _data) = service();
    for (url, _) in of_policy(Revalidate).chain(of_policy(Fresh)) {
        let whole = ask(&service, url, &[]);
        let tag = whole.header("etag").to_owned();
        for headers in [[("if-none-match", &*tag)], [("if-none-match", "*")]] {
            let known = ask(&service, url, &headers);
            assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0), "{url} {headers:?}");
            assert_eq!((known.header("etag"), cache_control(&known)), (&*tag, cache_control(&whole)), "{url}");
        }
        for (headers, status) in [
            ([("if-none-match", "\"x\"")], 200),
            ([("if-match", &*tag)], 200),
            ([("if-match", "*")], 200),
            ([("if-match", "\"x\"")], 412),
            ([("if-unmodified-since", LATER)], 200),
            ([("if-modified-since", OLD)], 200),
        ] {
            let answer = ask(&service, url, &headers);
            assert_eq!(answer.status.as_u16(), status, "{url} {headers:?}");
            if status == 412 {
                assert_eq!(answer.json()["code"], "precondition_failed", "{url}");
                assert_eq!(cache_control(&answer), "no-store", "{url}");
            } else {
                assert!(answer.body == whole.body, "{url} {headers:?}");
            }
        }
        let Some(date) = whole.headers.get("last-modified").map(|date| date.to_str().unwrap()) else { continue };
        let unmodified = ask(&service, url, &[("if-unmodified-since", date)]);
        assert_eq!(unmodified.status, StatusCode::OK, "{url}");
        let modified = ask(&service, url, &[("if-unmodified-since", OLD)]);
        assert_eq!(modified.status, StatusCode::PRECONDITION_FAILED, "{url}");
        let known = ask(&service, url, &[("if-modified-since", date)]);
        assert_eq!((known.status, known.header("etag")), (StatusCode::NOT_MODIFIED, &*tag), "{url}");
    }
}

/// A download in parts is not put together from two versions, whichever condition the client knows.
#[test]
fn parts_of_another_version_are_refused() {
    let (service, _data) = service();
    let ranged = ROUTES.into_iter().filter(|(_, url, ..)| {
        ask(&service, url, &[]).headers.get("accept-ranges").is_some_and(|ranges| ranges == "bytes")
    });
    let ranged: Vec<_> = ranged.map(|(_, url, ..)| url).collect();
    assert!(ranged.len() > 20, "{ranged:?}");
    for url in ranged {
        let whole = ask(&service, url, &[]);
        let (tag, range) = (whole.header("etag"), ("range", "bytes=0-9"));
        for (condition, status) in [
            (("if-match", tag), 206),
            (("if-match", "\"x\""), 412),
            (("if-unmodified-since", LATER), 206),
            (("if-range", tag), 206),
            (("if-range", "\"x\""), 200),
            (("if-range", OLD), 200),
        ] {
            let answer = ask(&service, url, &[range, condition]);
            assert_eq!(answer.status.as_u16(), status, "{url} {condition:?}");
            if status == 206 {
                assert_eq!((answer.header("etag"), &answer.body[..]), (tag, &whole.body[..10]), "{url}");
            }
        }
        if let Some(date) = whole.headers.get("last-modified").map(|date| date.to_str().unwrap()) {
            assert_eq!(ask(&service, url, &[range, ("if-range", date)]).status, StatusCode::PARTIAL_CONTENT, "{url}");
        }
    }
}

#[test]
fn under_its_revision_all_data_may_be_kept_for_ever() {
    let (service, _data) = service();
    let revision = service.json("/readyz")["revision"].as_u64().unwrap();
    for (_, url, of, policy) in ROUTES {
        let (plain, pinned) = (ask(&service, url, &[]), ask(&service, &format!("/r/{revision}{url}"), &[]));
        if of == Program {
            assert_eq!((pinned.status, cache_control(&pinned)), (StatusCode::NOT_FOUND, "no-store"), "{url}");
            continue;
        }
        assert!(pinned.status == StatusCode::OK && pinned.body == plain.body, "{url}: {}", pinned.status);
        assert_eq!(pinned.headers.get("etag"), plain.headers.get("etag"), "{url}");
        let said = if policy == NoStore { "no-store" } else { "public, max-age=31536000, immutable" };
        assert_eq!(cache_control(&pinned), said, "{url}");
    }
}

#[test]
fn behind_a_token_nothing_is_for_others() {
    let (_, data) = service();
    let (service, token) = Service::authenticated(data.path());
    let authorization = format!("Bearer {token}");
    let revision = ask(&service, "/readyz", &[]).json()["revision"].as_u64().unwrap();
    for (_, url, of, policy) in ROUTES {
        let answer = ask(&service, url, &[("authorization", &authorization)]);
        let said = match policy {
            NoStore => "no-store",
            Revalidate => "private, no-cache",
            Fresh => "private, max-age=300",
        };
        assert_eq!((answer.status, cache_control(&answer)), (StatusCode::OK, said), "{url}");
        if policy != NoStore && of == Data {
            let pinned = ask(&service, &format!("/r/{revision}{url}"), &[("authorization", &authorization)]);
            assert_eq!(cache_control(&pinned), "private, max-age=31536000, immutable", "{url}");
        }
        if !["/healthz", "/readyz"].contains(&url) {
            let refused = ask(&service, url, &[]);
            assert_eq!((refused.status, cache_control(&refused)), (StatusCode::UNAUTHORIZED, "no-store"), "{url}");
        }
    }
}

#[test]
fn problems_are_never_kept() {
    let (service, _data) = service();
    for (url, status) in [
        ("/v1/scans/9_t1", 404),
        ("/v1/scans?limt=1", 400),
        ("/nothing", 404),
        ("/v1/scans/1_t1/slices/99/image.png", 404),
        ("/v1/scans/1_t1/discs/209/patch.png", 404),
        ("/r/1/v1/scans", 410),
    ] {
        let answer = ask(&service, url, &[("if-none-match", "*")]);
        assert_eq!((answer.status.as_u16(), cache_control(&answer)), (status, "no-store"), "{url}");
        assert!(!answer.headers.contains_key("etag"), "{url}");
    }
    let answer = ask(&service, "/v1/scans/1_t1/image.npy", &[("range", "bytes=999999999-")]);
    assert_eq!((answer.status.as_u16(), cache_control(&answer)), (416, "no-store"));
}

/// A table comes in the format that `Accept` names; other responses do not depend on it.
#[test]
fn tables_vary_with_accept() {
    let (service, _data) = service();
    let varies = |url: &str| ask(&service, url, &[]).headers.get_all("vary").iter().any(|name| name == "accept");
    for table in ["scans", "slices", "discs", "gradings", "patients"] {
        assert!(varies(&format!("/v1/{table}")) && !varies(&format!("/v1/{table}.csv")), "{table}");
    }
    let csv = ask(&service, "/v1/scans", &[("accept", "text/csv")]);
    assert_ne!(csv.header("etag"), ask(&service, "/v1/scans", &[]).header("etag"));
    let known = ask(&service, "/v1/scans", &[("accept", "text/csv"), ("if-none-match", csv.header("etag"))]);
    assert_eq!((known.status, known.header("vary")), (StatusCode::NOT_MODIFIED, "accept"));
}

/// The tag of a patch of several slices is known before any of them is rendered.
#[test]
fn a_known_volume_patch_costs_no_rendering() {
    let (service, data) = service();
    let url = "/v1/scans/1_t1/discs/201/patch.npy?dims=3&mm=30";
    let tag = ask(&service, url, &[]).header("etag").to_owned();
    let fresh = Service::over(data.path());
    let before = fresh.renderer.load();
    assert_eq!(ask(&fresh, url, &[("if-none-match", &tag)]).status, StatusCode::NOT_MODIFIED);
    assert_eq!(ask(&fresh, url, &[("if-match", "\"x\"")]).status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(fresh.renderer.load(), before);
}

/// One module writes these headers, from what handlers say.
#[test]
fn nothing_else_writes_the_headers_of_caching() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let names =
        ["CACHE_CONTROL", "ETAG", "LAST_MODIFIED", "VARY", "\"cache-control\"", "\"etag\"", "\"last-modified\""];
    let mut writers = BTreeSet::new();
    for file in sources(&root) {
        let text = fs::read_to_string(&file).unwrap();
        // With a bracket before it the name is written; without one it is read, or named to browsers.
        let writes = |name: &&str| text.contains(&format!("(header::{name}")) || text.contains(&format!("({name}"));
        if names.iter().any(writes) {
            writers.insert(file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
        }
    }
    assert_eq!(writers, BTreeSet::from(["responses/caching.rs".to_owned()]));
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}

/// Pages elsewhere may send the conditions and read what they depend on.
#[test]
fn browsers_may_send_conditions_from_anywhere() {
    let service = Service::small();
    let conditions = "if-match,if-none-match,if-modified-since,if-unmodified-since,if-range";
    let preflight = Request::options("/v1/scans")
        .header("origin", "https://example.org")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", conditions);
    let answer = service.send(preflight.body(Body::empty()).unwrap());
    let permitted = answer.header("access-control-allow-headers").to_ascii_lowercase();
    let permitted: BTreeSet<_> = permitted.split(',').map(str::trim).collect();
    assert!(conditions.split(',').all(|name| permitted.contains(name)), "{permitted:?}");
    let read = ask(&service, "/v1/scans", &[("origin", "https://example.org")]);
    let exposed = read.header("access-control-expose-headers").to_ascii_lowercase();
    assert!(["etag", "last-modified"].iter().all(|name| exposed.contains(name)), "{exposed}");
}

/// The document says which routes can be answered with 304 and 412.
#[test]
fn the_document_tells_of_conditions() {
    let service = Service::small();
    let document = service.json("/openapi.json");
    for (route, _, _, policy) in ROUTES.into_iter().filter(|(route, ..)| !route.is_empty()) {
        let operations: Vec<&Json> = document["paths"][route].as_object().unwrap().values().collect();
        let responses = &operations[0]["responses"];
        for status in ["304", "412"] {
            assert_eq!(responses.get(status).is_some(), policy != NoStore, "{route} {status}");
        }
    }
}
