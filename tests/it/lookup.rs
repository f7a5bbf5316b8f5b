//! JSON: scans, patients, labels, slices, the data set.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use crate::support::{Release, Service};

#[test]
fn scans_are_listed_page_by_page_in_their_natural_order() {
    let service = Service::small();
    let first = service.json("/v1/scans?limit=2");
    assert_eq!(first["total"], 3);
    assert_eq!([&first["items"][0]["scan_id"], &first["items"][1]["scan_id"]], ["1_t1", "1_t2"]);
    let next = first["next"].as_str().unwrap();
    let answer = service.get("/v1/scans?limit=2");
    assert_eq!(answer.header("link"), format!("<{next}>; rel=\"next\""));
    let second = service.json(next);
    assert_eq!(second["items"].as_array().unwrap().len(), 1);
    assert_eq!((&second["items"][0]["scan_id"], &second["next"]), (&json!("2_t2_SPACE"), &json!(null)));
}

#[test]
fn rows_without_a_volume_are_listed_when_requested_for() {
    let service = Service::small();
    assert_eq!(service.json("/v1/scans?volume=absent")["items"][0]["scan_id"], "3_t1");
    assert_eq!(service.json("/v1/scans?volume=any")["total"], 4);
    let scan = service.json("/v1/scans/3_t1");
    assert_eq!(
        (&scan["has_volume"], &scan["shape"], &scan["metadata"]["manufacturer"]),
        (&json!(false), &json!(null), &json!("SIEMENS"))
    );
    assert_eq!(service.problem("/v1/scans/3_t1/slices", 404)["code"], "no_volume");
}

#[test]
fn a_scan_tells_everything_about_itself() {
    let service = Service::small();
    let scan = service.json("/v1/scans/1_t1");
    assert_eq!(scan["shape"], json!([5, 24, 16]));
    assert_eq!(scan["spacing_mm"], json!([4.0, 2.0, 2.5]));
    assert_eq!(scan["metadata"]["sex"], "F");
    assert_eq!(scan["metadata"]["age"], 59.0);
    assert_eq!(scan["metadata"]["pixel_spacing"], json!([2.0, 2.5]));
    assert_eq!(scan["metadata"]["sar"], json!(null));
    assert_eq!(scan["intensity"]["min"], -1000.0);
    assert_eq!(scan["intensity"]["max"], 4.0 * 1000.0 + 23.0 * 30.0 + 15.0 - 1000.0);
    assert_eq!(scan["geometry"]["source"]["axis_codes_ijk"], "LPS");
    // The file's first voxel is canonical (0, 23, 0), 46 mm below the top.
    assert_eq!(
        scan["geometry"]["affine_lps"],
        json!([[4.0, 0.0, 0.0, 3.0], [0.0, 0.0, 2.5, -20.0], [0.0, -2.0, 0.0, 56.0], [0.0, 0.0, 0.0, 1.0]])
    );
    let disc = scan["labels"].as_array().unwrap().iter().find(|l| l["label"] == 201).unwrap();
    assert_eq!((&disc["name"], &disc["voxels"], &disc["slices"]), (&json!("L5/S1"), &json!(30), &json!([1, 3])));
    assert_eq!(disc["centroid"], json!([2.0, 18.5, 6.0]));
    assert_eq!(disc["centroid_mm_lps"], json!([11.0, -5.0, 19.0]));
    assert_eq!(scan["gradings"][0]["pfirrmann"], 4);
}

#[test]
fn both_kinds_put_the_same_structure_at_the_same_place() {
    let service = Service::small();
    let labels = |scan: &str| service.json(&format!("/v1/scans/{scan}"))["labels"].clone();
    let indices = |labels: &serde_json::Value| -> Vec<_> {
        labels
            .as_array()
            .unwrap()
            .iter()
            .map(|l| (l["label"].clone(), l["centroid"].clone(), l["rows"].clone()))
            .collect()
    };
    assert_eq!(indices(&labels("1_t1")), indices(&labels("1_t2")));
}

#[test]
fn slices_have_their_labels_and_names() {
    let service = Service::small();
    let slices = service.json("/v1/scans/1_t2/slices");
    assert_eq!(slices["total"], 5);
    assert_eq!(slices["items"][0]["labels"], json!([]));
    assert_eq!(slices["items"][2]["labelled_pixels"], 5 * 6 + 5 * 2 + 5 * 6 + 5 * 2 + 2 * 20);
    assert_eq!(service.json("/v1/scans/1_t2/slices/mid")["slice"], 2);
    assert_eq!(service.json("/v1/scans/1_t2/slices/best")["slice"], 1);
    assert_eq!(service.json("/v1/scans/1_t2/slices/3")["labels"][0]["class"], "vertebra");
    let detail = service.problem("/v1/scans/1_t2/slices/5", 404)["detail"].to_string();
    assert!(detail.contains("0..4"), "{detail}");
    service.problem("/v1/scans/1_t2/slices/-1", 404);
    service.problem("/v1/scans/1_t2/slices/first", 404);
}

#[test]
fn patients_join_scans_and_gradings() {
    let service = Service::small();
    assert_eq!(service.json("/v1/patients")["total"], 3);
    let patient = service.json("/v1/patients/1");
    assert_eq!((&patient["sex"], &patient["age"]), (&json!("F"), &json!(59.0)));
    assert_eq!(patient["scans"].as_array().unwrap().len(), 2);
    assert_eq!((&patient["gradings"][1]["level"], &patient["gradings"][1]["level_name"]), (&json!(2), &json!("L4/L5")));
    assert_eq!(service.problem("/v1/patients/99", 404)["code"], "unknown_patient");
    assert_eq!(service.problem("/v1/patients/x", 404)["code"], "unknown_patient");
}

#[test]
fn unknown_things_and_misspelt_parameters_are_named() {
    let service = Service::small();
    assert_eq!(service.problem("/v1/scans/9_t1", 404)["code"], "unknown_scan");
    assert_eq!(service.problem("/v1/scans/nonsense", 404)["code"], "unknown_scan");
    assert_eq!(service.problem("/v2/scans", 404)["code"], "unknown_path");
    let problem = service.problem("/v1/scans?limt=2", 400);
    assert_eq!((&problem["code"], &problem["parameter"]), (&json!("unknown_parameter"), &json!("limt")));
    assert!(problem["allowed"].as_array().unwrap().contains(&json!("limit")));
    for query in ["limit=0", "limit=1001", "limit=abc", "cursor=zz", "volume=some", "limit=1&limit=2"] {
        service.problem(&format!("/v1/scans?{query}"), 400);
    }
    let answer = service.send(Request::post("/v1/scans").body(Body::empty()).unwrap());
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
}

#[test]
fn json_that_is_known_is_not_sent_again() {
    let service = Service::small();
    let tag = service.get("/v1/scans/1_t1").header("etag").to_owned();
    let again = Request::get("/v1/scans/1_t1").header("if-none-match", &tag).body(Body::empty()).unwrap();
    let answer = service.send(again);
    assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_ne!(service.get("/v1/scans/1_t2").header("etag"), tag);
}

#[test]
fn the_series_of_the_release_give_the_published_counts() {
    let data = tempfile::tempdir().unwrap();
    Release::tables().import(data.path());
    let service = Service::over(data.path());
    let counts = service.json("/v1/dataset")["counts"].clone();
    // The table of the published data set card.
    for (split, [t1, t2, space]) in [("train", [133, 145, 26]), ("validation", [34, 34, 7]), ("test", [29, 31, 8])] {
        for (scan_type, scans) in [("t1", t1), ("t2", t2), ("t2_SPACE", space)] {
            let found = counts.as_array().unwrap().iter().find(|c| c["split"] == split && c["scan_type"] == scan_type);
            assert_eq!(found.unwrap()["scans"], scans, "{split} {scan_type}");
        }
    }
    assert_eq!(service.json("/v1/patients")["total"], 218);
    assert_eq!(service.json("/v1/scans?volume=any")["total"], 447);
}
