//! What equals the Hugging Face edition, type for type, and the splits; on synthetic tables of the release's series.

use serde_json::{Value as Json, json};

use crate::support::{Release, Service, fixture};

/// A service over tables alone.
fn tables() -> (Service, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    Release::tables().import(data.path());
    (Service::over(data.path()), data)
}

/// Six levels are graded; the edition's loader pads levels 0 and 7 to 9 with empty texts and sorts by level.
#[test]
fn gradings_of_a_patient_are_the_editions() {
    let (service, _data) = tables();
    let table = std::fs::read_to_string(fixture("radiological_gradings.csv")).unwrap();
    let head: Vec<_> = table.lines().next().unwrap().split(',').collect();
    let rows: Vec<Vec<_>> = table.lines().filter(|l| l.starts_with("173,")).map(|l| l.split(',').collect()).collect();
    assert_eq!(rows.iter().map(|row| row[1]).collect::<String>(), "123456");
    let found = service.json("/v1/scans/173_t1/gradings?format=hf");
    assert_eq!(found.as_object().unwrap().len(), 9);
    assert_eq!(found["IVD label"], json!(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]));
    for (n, column) in head.iter().enumerate().skip(2) {
        let cells = std::iter::once("").chain(rows.iter().map(|row| row[n])).chain(["", "", ""]);
        assert_eq!(found[column], Json::from(cells.collect::<Vec<_>>()), "{column}");
    }
}

#[test]
fn metadata_has_the_editions_types_and_ours_is_clean() {
    let (service, _data) = tables();
    let edition = service.json("/v1/scans/11_t1/metadata?format=hf");
    assert_eq!(edition.as_object().unwrap().len(), 38);
    assert_eq!(
        (&edition["sex"], &edition["birth_date"], &edition["OrigSubset"]),
        (&json!("F "), &json!("63.0"), &json!("training"))
    );
    assert_eq!(edition["PixelSpacing"], "[0.31250001, 0.31250001]");
    assert_eq!(edition["num_vertebrae"], 7);
    // numpy.float32(127.748906), numpy.float64(3.042878640634068)
    assert_eq!(
        (&edition["ImagingFrequency"], &edition["SAR"]),
        (&json!(127.748_908_996_582_03), &json!(3.042_878_640_634_068))
    );
    let ours = service.json("/v1/scans/11_t1/metadata");
    assert_eq!(
        (&ours["sex"], &ours["age"], &ours["imaging_frequency"]),
        (&json!("F"), &json!(63.0), &json!(127.748_906))
    );
    assert_eq!(ours["pixel_spacing"], json!([0.312_500_01, 0.312_500_01]));
    assert_eq!(service.json("/v1/scans/1_t1/metadata")["age"], json!(null));
    assert_eq!(service.problem("/v1/scans/11_t1/metadata?format=xml", 400)["parameter"], "format");
}

fn sizes(splits: &Json) -> [usize; 3] {
    ["train", "validation", "test"].map(|split| splits["splits"][split].as_array().unwrap().len())
}

#[test]
fn splits_are_by_patient_and_say_how_they_were_rendered() {
    let (service, _data) = tables();
    assert_eq!(sizes(&service.json("/v1/splits")), [149, 37, 32]);
    assert_eq!(service.json("/v1/splits?scheme=hf")["splits"], service.json("/v1/splits?seed=9999")["splits"]);
    assert_eq!(sizes(&service.json("/v1/splits?scheme=original")), [179, 39, 0]);
    // numpy.random.seed(1); numpy.random.choice(3, p=[1 - .1 - .3, .1, .3], size=218)
    assert_eq!(sizes(&service.json("/v1/splits?seed=1&validation_share=0.1&test_share=0.3")), [130, 24, 64]);
    let folds = service.json("/v1/splits?folds=5");
    let members = folds["members"].as_array().unwrap();
    assert_eq!(members.iter().map(|fold| fold.as_array().unwrap().len()).sum::<usize>(), 218);
    assert_eq!(service.json("/v1/splits?folds=5&fold=2")["splits"]["validation"], members[2]);
    for query in [
        "scheme=random",
        "seed=-1",
        "validation_share=0.7&test_share=0.7",
        "folds=1",
        "folds=5&fold=5",
        "fold=1",
        "scheme=original&seed=1",
        "folds=5&test_share=0.1",
        "share=1",
    ] {
        service.problem(&format!("/v1/splits?{query}"), 400);
    }
}

/// What the index says of a label is where the image of that layout shows it, and its place in the patient is the same.
#[test]
fn labels_of_slices_follow_the_layout_and_stay_in_their_place() {
    let service = Service::small();
    for scan in ["1_t1", "1_t2"] {
        let slices = |layout: &str| service.json(&format!("/v1/scans/{scan}/slices?layout={layout}"))["items"].clone();
        let (canonical, stored) = (slices("canonical"), slices("stored"));
        let mut places: Vec<Vec<String>> = Vec::new();
        for listing in [&canonical, &stored] {
            let labels = listing.as_array().unwrap().iter().flat_map(|slice| slice["labels"].as_array().unwrap());
            let mut found: Vec<_> = labels.map(|l| format!("{} {}", l["label"], l["centroid_mm_lps"])).collect();
            found.sort();
            places.push(found);
        }
        assert_eq!(places[0], places[1], "{scan}");
        for slice in stored.as_array().unwrap() {
            let path = slice["links"]["mask_npy"].as_str().unwrap();
            let mask = service.get(&format!("{path}&size=native")).body;
            let mask = &mask[mask.len() - 24 * 16..];
            for label in slice["labels"].as_array().unwrap() {
                let pixels: Vec<_> = (0..24 * 16).filter(|&n| label["label"] == mask[n]).collect();
                let (rows, columns) = (pixels.iter().map(|n| n / 16), pixels.iter().map(|n| n % 16));
                assert_eq!(label["pixels"], pixels.len());
                assert_eq!(label["rows"], json!([rows.clone().min(), rows.max()]), "{scan} {}", label["label"]);
                assert_eq!(
                    label["columns"],
                    json!([columns.clone().min(), columns.max()]),
                    "{scan} {}",
                    label["label"]
                );
            }
        }
    }
}

#[test]
fn the_stored_layout_has_its_own_affine_for_the_same_places() {
    let service = Service::small();
    for scan in ["1_t1", "1_t2"] {
        let geometry = service.json(&format!("/v1/scans/{scan}"))["geometry"].clone();
        let corner = |layout: &Json, index: [f64; 3]| -> Vec<f64> {
            let row = |row: usize| {
                layout["affine_lps"][row].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>()
            };
            (0..3).map(row).map(|r| r[0] * index[0] + r[1] * index[1] + r[2] * index[2] + r[3]).collect()
        };
        // Canonical (0, 0, 0): slice 0, topmost row. LPS stores the lowest row first, PIR the last slice first.
        let stored = if scan == "1_t1" { [0.0, 23.0, 0.0] } else { [4.0, 0.0, 0.0] };
        assert_eq!(corner(&geometry, [0.0; 3]), corner(&geometry["stored_layout"], stored), "{scan}");
        assert_eq!(geometry["stored_layout"]["shape"], json!([5, 24, 16]));
    }
}
