//! Every route of the service, with what it says to caches; a test holds the table against the documented routes.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request};
use sagittal::formats::npy;
use sagittal::volume::ElementType;

use crate::support::{Answer, Release, SHAPE, Service, write_export};

/// How long a cache may keep a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    NoStore,
    Revalidate,
    Fresh,
}

/// What a resource depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// The data: it is there under their revision, too.
    Data,
    /// The program, or files that the index knows nothing of.
    Program,
}

use Of::{Data, Program};
use Policy::{Fresh, NoStore, Revalidate};

/// Route as the documentation names it, an example of it, what it depends on, how long it may be kept.
#[rustfmt::skip] // One route, one line: this is a table.
pub(crate) const ROUTES: [(&str, &str, Of, Policy); 72] = [
    ("/v1/dataset", "/v1/dataset", Data, Revalidate),
    ("/v1/labels", "/v1/labels", Data, Revalidate),
    ("/v1/splits", "/v1/splits?folds=2", Data, Revalidate),
    ("/v1/stats", "/v1/stats?of=discs", Data, Revalidate),
    ("/v1/audit", "/v1/audit", Data, Revalidate),
    ("/v1/patients/{id}", "/v1/patients/1", Data, Revalidate),
    ("/v1/scans/{id}", "/v1/scans/1_t1", Data, Revalidate),
    ("/v1/scans/{id}/metadata", "/v1/scans/1_t1/metadata", Data, Revalidate),
    ("/v1/scans/{id}/gradings", "/v1/scans/1_t1/gradings", Data, Revalidate),
    ("/v1/scans/{id}/slices", "/v1/scans/1_t1/slices", Data, Revalidate),
    ("/v1/scans/{id}/slices/{k}", "/v1/scans/1_t1/slices/mid", Data, Revalidate),
    ("/v1/scans", "/v1/scans?limit=2", Data, Revalidate),
    ("/v1/scans.ndjson", "/v1/scans.ndjson", Data, Revalidate),
    ("/v1/scans.csv", "/v1/scans.csv", Data, Revalidate),
    ("/v1/scans.parquet", "/v1/scans.parquet", Data, Revalidate),
    ("/v1/slices", "/v1/slices?has=201", Data, Revalidate),
    ("/v1/slices.ndjson", "/v1/slices.ndjson", Data, Revalidate),
    ("/v1/slices.csv", "/v1/slices.csv", Data, Revalidate),
    ("/v1/slices.parquet", "/v1/slices.parquet", Data, Revalidate),
    ("/v1/discs", "/v1/discs", Data, Revalidate),
    ("/v1/discs.ndjson", "/v1/discs.ndjson", Data, Revalidate),
    ("/v1/discs.csv", "/v1/discs.csv", Data, Revalidate),
    ("/v1/discs.parquet", "/v1/discs.parquet", Data, Revalidate),
    ("/v1/gradings", "/v1/gradings", Data, Revalidate),
    ("/v1/gradings.ndjson", "/v1/gradings.ndjson", Data, Revalidate),
    ("/v1/gradings.csv", "/v1/gradings.csv", Data, Revalidate),
    ("/v1/gradings.parquet", "/v1/gradings.parquet", Data, Revalidate),
    ("/v1/patients", "/v1/patients", Data, Revalidate),
    ("/v1/patients.ndjson", "/v1/patients.ndjson", Data, Revalidate),
    ("/v1/patients.csv", "/v1/patients.csv", Data, Revalidate),
    ("/v1/patients.parquet", "/v1/patients.parquet", Data, Revalidate),
    ("/v1/scans/{id}/slices/{k}/image.png", "/v1/scans/1_t1/slices/2/image.png?window=p1,99", Data, Fresh),
    ("/v1/scans/{id}/slices/{k}/image.npy", "/v1/scans/1_t1/slices/2/image.npy", Data, Fresh),
    ("/v1/scans/{id}/slices/{k}/mask.png", "/v1/scans/1_t1/slices/2/mask.png", Data, Fresh),
    ("/v1/scans/{id}/slices/{k}/mask.npy", "/v1/scans/1_t1/slices/2/mask.npy", Data, Fresh),
    ("/v1/scans/{id}/slices/{k}/overlay.png", "/v1/scans/1_t1/slices/2/overlay.png", Data, Fresh),
    ("/v1/scans/{id}/montage.png", "/v1/scans/1_t1/montage.png", Data, Fresh),
    ("/v1/scans/{id}/image.npy", "/v1/scans/1_t1/image.npy?size=32", Data, Revalidate),
    ("/v1/scans/{id}/image.nii", "/v1/scans/1_t1/image.nii", Data, Revalidate),
    ("/v1/scans/{id}/image.nii.gz", "/v1/scans/1_t1/image.nii.gz", Data, Revalidate),
    ("/v1/scans/{id}/image.mha", "/v1/scans/1_t1/image.mha", Data, Revalidate),
    ("/v1/scans/{id}/mask.npy", "/v1/scans/1_t1/mask.npy?map=binary", Data, Revalidate),
    ("/v1/scans/{id}/mask.nii", "/v1/scans/1_t1/mask.nii", Data, Revalidate),
    ("/v1/scans/{id}/mask.nii.gz", "/v1/scans/1_t1/mask.nii.gz", Data, Revalidate),
    ("/v1/scans/{id}/mask.mha", "/v1/scans/1_t1/mask.mha", Data, Revalidate),
    ("/v1/scans/{id}/slices/{k}/pair.npz", "/v1/scans/1_t1/slices/2/pair.npz?context=1", Data, Revalidate),
    ("/v1/stream.tar", "/v1/stream.tar?size=16", Data, Revalidate),
    ("/v1/scans/{id}/discs/{label}/patch.png", "/v1/scans/1_t1/discs/201/patch.png", Data, Fresh),
    ("/v1/scans/{id}/discs/{label}/patch.npy", "/v1/scans/1_t1/discs/201/patch.npy", Data, Fresh),
    ("/v1/batch", "/v1/batch?size=16", Data, NoStore),
    ("/v1/scans/{id}/evaluation", "/v1/scans/1_t1/evaluation", Data, NoStore),
    ("/v1/exports", "/v1/exports", Program, Revalidate),
    ("/v1/signed", "/v1/signed?url=/v1/scans/1_t1/montage.png", Program, NoStore),
    ("/healthz", "/healthz", Program, NoStore),
    ("/readyz", "/readyz", Program, NoStore),
    ("/", "/", Program, Revalidate),
    ("/docs", "/docs", Program, Revalidate),
    ("/metrics", "/metrics", Program, NoStore),
    ("/problems", "/problems", Program, Revalidate),
    ("/problems/{code}", "/problems/unknown_scan", Program, Revalidate),
    // Not in the document: they are found by their links, or belong to a page.
    ("", "/v1/scans/1_t1.ome.zarr/zarr.json", Data, Revalidate),
    ("", "/v1/scans/1_t1.ome.zarr/labels/spider/zarr.json", Data, Revalidate),
    ("", "/v1/scans/1_t1.ome.zarr/image/c/2/0/0", Data, Revalidate),
    ("", "/v1/exports/webdataset/default/0/a.tar", Program, Revalidate),
    ("", "/api/datasets/cdoswald/SPIDER", Program, Revalidate),
    ("", "/api/datasets/cdoswald/SPIDER/tree/main?recursive=true", Program, Revalidate),
    ("", "/datasets/cdoswald/SPIDER/resolve/main/README.md", Program, Revalidate),
    ("", "/datasets/cdoswald/SPIDER/resolve/main/default/train.parquet", Program, Revalidate),
    ("", "/croissant.json", Program, Revalidate),
    ("", "/openapi.json", Program, Revalidate),
    ("", "/viewer/main.js", Program, Revalidate),
    ("", "/docs/start.js", Program, Revalidate),
];

/// A service over the small release, with one export, whose last change was a while ago.
pub(crate) fn service() -> (Service, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    Release::small().import(data.path());
    write_export(data.path(), "webdataset", "a.tar", &[7; 100]);
    write_export(data.path(), "hf-parquet", "train.parquet", &[7; 100]);
    let service = Service::over(data.path());
    // The date of a change is reported once its second has passed.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    (service, data)
}

fn request(url: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if url.split('?').next().unwrap().ends_with("/v1/batch") {
        let request = request.method(Method::POST).header("content-type", "application/json");
        return request.body(Body::from(r#"{"items":[{"scan_id":"1_t1","slice":"mid"}]}"#)).unwrap();
    }
    if url.split('?').next().unwrap().ends_with("/evaluation") {
        let mask = [npy::header(ElementType::Uint8, &SHAPE), vec![0; SHAPE.iter().product()]].concat();
        return request.method(Method::POST).body(Body::from(mask)).unwrap();
    }
    request.body(Body::empty()).unwrap()
}

pub(crate) fn ask(service: &Service, url: &str, headers: &[(&str, &str)]) -> Answer {
    service.send(request(url, headers))
}

#[test]
fn the_table_names_every_route() {
    let service = Service::small();
    let document = service.json("/openapi.json");
    let documented: BTreeSet<_> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let named: BTreeSet<_> = ROUTES.iter().map(|(route, ..)| *route).filter(|route| !route.is_empty()).collect();
    assert_eq!(named, documented);
}
