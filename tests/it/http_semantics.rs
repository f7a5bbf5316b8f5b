//! HTTP as its specifications have it: lengths and ranges, compression, negotiation, file names, origins.

use std::io::Read;

use flate2::read::GzDecoder;
use sagittal::http::{AllowedOrigins, Limits};
use serde_json::json;

use crate::support::{Answer, Service};

const GZIP: (&str, &str) = ("accept-encoding", "gzip, deflate, br");
const SLICES: &str = "/v1/slices.ndjson";

fn inflated(answer: &Answer) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(answer.body.as_slice()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn varies_by_encoding(answer: &Answer) -> bool {
    let values = answer.headers.get_all("vary").iter();
    values.flat_map(|value| value.to_str().unwrap().split(',')).any(|name| name.trim() == "accept-encoding")
}

// Tables as files.

#[test]
fn text_tables_have_a_length_ranges_and_a_strong_tag() {
    let service = Service::small();
    for path in ["/v1/scans.csv", SLICES, "/v1/discs.csv?fields=all&limit=3", "/v1/patients.csv?sex=null"] {
        let whole = service.get(path);
        let len = whole.body.len();
        assert_eq!(whole.header("content-length"), len.to_string(), "{path}");
        assert_eq!(whole.header("accept-ranges"), "bytes", "{path}");
        let tag = whole.header("etag");
        assert!(tag.starts_with('"'), "{path}: {tag}");
        let head = service.send_with("HEAD", path, &[], "");
        assert_eq!(
            (head.header("content-length"), head.header("etag")),
            (whole.header("content-length"), tag),
            "{path}"
        );
        assert!(head.body.is_empty());
        let part = service.get_with(path, &[("range", "bytes=5-19"), ("if-range", tag)]);
        assert_eq!(part.status, 206, "{path}");
        assert_eq!(part.header("content-range"), format!("bytes 5-19/{len}"), "{path}");
        assert_eq!(part.body, &whole.body[5..20], "{path}");
        let beyond = service.get_with(path, &[("range", &format!("bytes={len}-"))]);
        assert_eq!(
            (beyond.status.as_u16(), beyond.header("content-range")),
            (416, &*format!("bytes */{len}")),
            "{path}"
        );
        assert_eq!(service.get_with(path, &[("if-none-match", tag)]).status, 304, "{path}");
    }
}

#[test]
fn formats_of_one_url_are_different_files() {
    let service = Service::small();
    let of = |accept: &str| service.get_with("/v1/scans", &[("accept", accept)]);
    let (csv, ndjson) = (of("text/csv"), of("application/x-ndjson"));
    assert_eq!(csv.body, service.get("/v1/scans.csv").body);
    assert_eq!(ndjson.body, service.get("/v1/scans.ndjson").body);
    assert_ne!(csv.header("etag"), ndjson.header("etag"));
}

#[test]
fn a_table_that_is_too_large_to_be_made_whole_is_streamed() {
    let whole = Service::small();
    let streaming = Service::changed(|app| app.within(Limits { whole_table_bytes: 100, ..Limits::default() }));
    for path in ["/v1/slices.csv", SLICES] {
        let streamed = streaming.get(path);
        assert_eq!(streamed.body, whole.get(path).body, "{path}");
        assert!(streamed.headers.get("content-length").is_none(), "{path}");
        assert_eq!(streamed.header("accept-ranges"), "none", "{path}");
        let part = streaming.get_with(path, &[("range", "bytes=0-3")]);
        assert_eq!((part.status.as_u16(), &part.body), (200, &streamed.body), "{path}");
    }
}

// Negotiation.

#[test]
fn the_preferred_format_is_sent() {
    let service = Service::small();
    let of = |accept: &str| service.get_with("/v1/scans", &[("accept", accept)]).header("content-type").to_owned();
    assert_eq!(of("application/json;q=0.2, text/csv;q=0.9"), "text/csv; charset=utf-8");
    assert_eq!(of("Application/X-NDJSON"), "application/x-ndjson");
    assert_eq!(of("text/html, */*;q=0.1"), "application/json");
}

#[test]
fn what_is_no_range_is_ignored_and_its_unit_has_capitals_or_not() {
    let service = Service::small();
    let of = |range: &str| {
        let answer = service.get_with("/v1/scans/1_t1/image.npy", &[("range", range)]);
        (answer.status.as_u16(), answer.body.len())
    };
    let whole = service.get("/v1/scans/1_t1/image.npy").body.len();
    assert_eq!(of("BYTES=0-3"), (206, 4));
    for range in ["bytes=+0-+3", "bytes=0 - 3", "bytes=-+3", "bits=0-3"] {
        assert_eq!(of(range), (200, whole), "{range}");
    }
}

#[test]
fn a_batch_is_json_and_says_so() {
    let service = Service::small();
    let body = r#"{"items": [{"scan_id": "1_t1", "slice": 0}]}"#;
    let posted = |headers: &[(&str, &str)]| service.send_with("POST", "/v1/batch", headers, body);
    for media_type in ["application/json", "Application/JSON", "application/json; charset=utf-8"] {
        assert_eq!(posted(&[("content-type", media_type)]).status, 200, "{media_type}");
    }
    for media_type in ["application/jsonfoo", "application/json+x", "text/json", "json", ""] {
        let refused = posted(&[("content-type", media_type)]);
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (415, &json!("unsupported_media_type")));
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(&format!("{media_type:?}")), "{detail}");
    }
    let untyped = posted(&[]);
    assert_eq!(untyped.status, 415);
    assert!(untyped.json()["detail"].as_str().unwrap().contains("no Content-Type"));
    let compressed = posted(&[("content-type", "application/json"), ("content-encoding", "gzip")]);
    assert_eq!(compressed.status, 415);
    assert!(compressed.json()["detail"].as_str().unwrap().contains("gzip"));
    assert_eq!(posted(&[("content-type", "application/json"), ("content-encoding", "identity")]).status, 200);
}

#[test]
fn a_body_that_is_declared_too_large_is_refused() {
    let service = Service::changed(|app| app.within(Limits { body_bytes: 10, ..Limits::default() }));
    let json = ("content-type", "application/json");
    let refused = service.send_with("POST", "/v1/batch", &[json], r#"{"items": []}"#);
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (413, &json!("body_too_large")));
}

// Compression.

#[test]
fn text_is_compressed_for_those_who_accept_it_and_stays_the_same_text() {
    let service = Service::small();
    let texts =
        ["/v1/scans", "/v1/scans.csv", SLICES, "/v1/stats", "/", "/openapi.json", "/problems", "/docs/swagger-ui.css"];
    for path in texts.into_iter().chain(["/viewer/main.js", "/metrics", "/croissant.json", "/v1/scans/1_t1"]) {
        let (plain, compressed) = (service.get(path), service.get_with(path, &[GZIP]));
        assert_eq!((plain.status.as_u16(), compressed.status.as_u16()), (200, 200), "{path}");
        assert!(plain.headers.get("content-encoding").is_none(), "{path}");
        assert_eq!(compressed.header("content-encoding"), "gzip", "{path}");
        assert!(varies_by_encoding(&plain) && varies_by_encoding(&compressed), "{path}");
        assert!(compressed.headers.get("content-length").is_none(), "{path}");
        assert!(compressed.headers.get("accept-ranges").is_none(), "{path}");
        assert!(compressed.body.len() < plain.body.len(), "{path}");
        // Counters grow with every request.
        assert!(path == "/metrics" || inflated(&compressed) == plain.body, "{path}");
    }
}

#[test]
fn a_compressed_table_has_a_weak_tag_that_conditions_know() {
    let service = Service::small();
    for path in [SLICES, "/v1/slices", "/openapi.json"] {
        let (plain, compressed) = (service.get(path), service.get_with(path, &[GZIP]));
        let (strong, weak) = (plain.header("etag"), compressed.header("etag"));
        assert_eq!(weak, format!("W/{strong}"), "{path}");
        let known = service.get_with(path, &[GZIP, ("if-none-match", weak)]);
        assert_eq!((known.status.as_u16(), known.header("etag")), (304, weak), "{path}");
        assert!(known.body.is_empty() && known.headers.get("content-encoding").is_none(), "{path}");
        assert!(varies_by_encoding(&known), "{path}");
        let known = service.get_with(path, &[("if-none-match", strong)]);
        assert_eq!((known.status.as_u16(), known.header("etag")), (304, strong), "{path}");
    }
}

#[test]
fn parts_and_lengths_are_those_of_the_uncompressed_file() {
    let service = Service::small();
    let whole = service.get(SLICES);
    let part = service.get_with(SLICES, &[GZIP, ("range", "bytes=3-9")]);
    assert_eq!((part.status.as_u16(), &part.body[..]), (206, &whole.body[3..10]));
    assert!(part.headers.get("content-encoding").is_none());
    // The tag of compressed bytes is never that of a part's file.
    let weak = service.get_with(SLICES, &[GZIP]).header("etag").to_owned();
    let other = service.get_with(SLICES, &[GZIP, ("range", "bytes=3-9"), ("if-range", &weak)]);
    assert_eq!((other.status.as_u16(), &other.body), (200, &whole.body));
    let head = service.send_with("HEAD", SLICES, &[GZIP], "");
    assert_eq!(head.header("content-length"), whole.body.len().to_string());
    assert_eq!((head.header("etag"), head.header("accept-ranges")), (whole.header("etag"), "bytes"));
    assert!(head.headers.get("content-encoding").is_none() && varies_by_encoding(&head));
}

#[test]
fn what_is_compressed_already_or_read_in_parts_is_left_alone() {
    let service = Service::small();
    let slice = "/v1/scans/1_t1/slices/2";
    let others = [
        format!("{slice}/image.png?size=300"),
        format!("{slice}/image.npy"),
        format!("{slice}/pair.npz"),
        "/v1/scans/1_t1/image.nii".to_owned(),
        "/v1/scans/1_t1/image.nii.gz".to_owned(),
        "/v1/scans/1_t1/mask.mha".to_owned(),
        "/v1/stream.tar".to_owned(),
        "/v1/scans.parquet".to_owned(),
        "/v1/discs/x".to_owned(),
    ];
    for path in others {
        let (plain, accepting) = (service.get(&path), service.get_with(&path, &[GZIP]));
        assert!(accepting.headers.get("content-encoding").is_none(), "{path}");
        assert!(!varies_by_encoding(&accepting), "{path}");
        assert_eq!(accepting.headers.get("etag"), plain.headers.get("etag"), "{path}");
        assert_eq!(accepting.headers.get("accept-ranges"), plain.headers.get("accept-ranges"), "{path}");
    }
}

#[test]
fn who_refuses_uncompressed_responses_is_responded_all_the_same() {
    let service = Service::small();
    for encodings in ["identity;q=0", "*;q=0", "br;q=1, identity;q=0", "gzip;q=0"] {
        let answer = service.get_with(SLICES, &[("accept-encoding", encodings)]);
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &service.get(SLICES).body), "{encodings}");
    }
    assert_eq!(service.get_with("/v1/scans/1_t1/montage.png", &[("accept-encoding", "*;q=0")]).status, 200);
}

// File names.

#[test]
fn files_are_saved_under_names_that_tell_what_they_are_of() {
    let service = Service::small();
    let named = [
        ("/v1/scans/2_t2_SPACE/image.nii.gz", "attachment; filename=\"2_t2_SPACE_image.nii.gz\""),
        ("/v1/scans/1_t1/slices/2/image.png", "inline; filename=\"1_t1_slice_2_image.png\""),
        ("/v1/scans/1_t1/discs/201/patch.npy", "attachment; filename=\"1_t1_disc_201_patch.npy\""),
        ("/v1/slices.csv", "attachment; filename=\"slices.csv\""),
        ("/v1/stream.tar", "attachment; filename=\"stream.tar\""),
    ];
    for (path, disposition) in named {
        assert_eq!(service.get(path).header("content-disposition"), disposition, "{path}");
        assert_eq!(service.send_with("HEAD", path, &[], "").header("content-disposition"), disposition, "{path}");
    }
    let batch = |query: &str| {
        let body = r#"{"items": [{"scan_id": "1_t1", "slice": 0}]}"#;
        let json = ("content-type", "application/json");
        let answer = service.send_with("POST", &format!("/v1/batch{query}"), &[json], body);
        answer.header("content-disposition").to_owned()
    };
    assert_eq!(batch(""), "attachment; filename=\"batch.npz\"");
    assert_eq!(batch("?format=npy"), "attachment; filename=\"batch.npy\"");
    for path in ["/v1/scans", "/v1/scans/9_t1/image.npy", "/v1/scans/1_t1.ome.zarr/zarr.json", "/"] {
        assert!(service.get(path).headers.get("content-disposition").is_none(), "{path}");
    }
}

// Origins.

#[test]
fn pages_of_the_allowed_origins_may_read_and_no_others() {
    let page = |service: &Service, origin: &str| {
        let answer = service.get_with("/v1/scans/1_t1/montage.png", &[("origin", origin)]);
        let allowed = answer.headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap().to_owned());
        (allowed, answer.header("cross-origin-resource-policy").to_owned())
    };
    let allowing = |origins: &[&str]| {
        let origins: Vec<_> = origins.iter().copied().map(str::to_owned).collect();
        Service::changed(|app| app.allowing(AllowedOrigins::parse(&origins).unwrap()))
    };
    let (viewer, other) = ("https://viewer.example", "https://other.example");
    let anybody = Service::small();
    assert_eq!(page(&anybody, other), (Some("*".to_owned()), "cross-origin".to_owned()));
    let listed = allowing(&[viewer, "http://localhost:3000"]);
    assert_eq!(page(&listed, viewer), (Some(viewer.to_owned()), "same-origin".to_owned()));
    assert_eq!(page(&listed, other), (None, "same-origin".to_owned()));
    assert_eq!(page(&allowing(&["none"]), viewer), (None, "same-origin".to_owned()));
}
