//! The tables: filters, orders, pages, files, plans, limits.

use std::time::Duration;

use sagittal::index::{IndexError, Reader};
use sagittal::params::{Pairs, decode};
use sagittal::query::{Listing, Shown, Table};
use serde_json::{Value as Json, json};

use crate::support::{Kind, Release, Service};

fn ids(listing: &Json) -> Vec<String> {
    listing["items"].as_array().unwrap().iter().map(|item| item["scan_id"].as_str().unwrap().to_owned()).collect()
}

fn query(table: Table, text: &str) -> Listing {
    let pairs = decode(text);
    Listing::parse(table, Shown::InItems, &Pairs::new(&pairs, &table.listing_parameters()).unwrap()).unwrap()
}

#[test]
fn conditions_choose_scans() {
    let service = Service::small();
    let found = |query: &str| ids(&service.json(&format!("/v1/scans?{query}")));
    assert_eq!(found("sex=F&scan_type=t1"), ["1_t1"]);
    assert_eq!(found("sex=M,F&slices=5&row_spacing_mm=..2"), ["1_t1", "1_t2", "2_t2_SPACE"]);
    assert_eq!(found("pixel_spacing=2.4..2.6&manufacturer=siemens&patient_id=2.."), ["2_t2_SPACE"]);
    assert_eq!(found("sex=null&volume=any"), ["3_t1"]);
    assert_eq!(found("sar=!null"), [""; 0]);
    assert_eq!(found("element_type=uint16&sort=-scan_id"), ["2_t2_SPACE", "1_t2"]);
    // Disc 1 has Pfirrmann 4, disc 2 has Modic 1: no disc has both.
    assert_eq!(found("pfirrmann=4&level=1"), ["1_t1", "1_t2"]);
    assert_eq!(found("pfirrmann=4&modic=1"), [""; 0]);
}

#[test]
fn slices_and_discs_are_chosen_across_scans() {
    let service = Service::small();
    let total = |path: &str| service.json(path)["total"].as_u64().unwrap();
    assert_eq!(total("/v1/slices"), 15);
    assert_eq!(total("/v1/slices?has=201"), 9);
    assert_eq!(total("/v1/slices?has=201&min_pixels=11"), 0);
    assert_eq!(total("/v1/slices?has=201,202&min_pixels=10&scan_id=1_t1"), 3);
    assert_eq!(total("/v1/slices?has=discs&scan_type=t1"), 3);
    assert_eq!(total("/v1/slices?has=3-25,203"), 0);
    // 202 has 10 pixels in a slice, 2 has 30: a list asks each label by itself.
    assert_eq!(total("/v1/slices?has=2,3,202&min_pixels=30"), 9);
    assert_eq!(total("/v1/slices?has=2,3,202&min_pixels=31"), 0);
    assert_eq!(total("/v1/slices?has=4-25,202-209&min_pixels=10"), 9);
    assert_eq!(total("/v1/slices?has=4-25,203-209&min_pixels=1"), 0);
    assert_eq!(total("/v1/slices?slice=mid"), 3);
    assert_eq!(total("/v1/slices?slice=best,4&pfirrmann=4"), 4);
    let slice = &service.json("/v1/slices?slice=2&scan_id=1_t2")["items"][0];
    assert_eq!(
        (&slice["labels"], &slice["label_pixels"]),
        (&json!([1, 2, 100, 201, 202]), &json!([30, 30, 40, 10, 10]))
    );
    assert_eq!(slice["links"]["image"], "/v1/scans/1_t2/slices/2/image.png");

    assert_eq!(total("/v1/discs"), 6);
    let disc = &service.json("/v1/discs?pfirrmann=4&scan_type=t1")["items"][0];
    let of_scan = service.json("/v1/scans/1_t1")["labels"].clone();
    let of_scan = of_scan.as_array().unwrap().iter().find(|found| found["label"] == disc["label"]).unwrap().clone();
    assert_eq!((&disc["label"], &disc["level_name"], &disc["pfirrmann"]), (&json!(201), &json!("L5/S1"), &json!(4)));
    for name in ["voxels", "volume_mm3", "best_slice", "centroid", "centroid_mm_lps"] {
        assert_eq!(disc[name], of_scan[name], "{name}");
    }
    assert_eq!(total("/v1/discs?pfirrmann=null&patient_id=2"), 2);
    assert_eq!(total("/v1/discs?volume_mm3=600..600&patient_id=..1"), 4);
}

#[test]
fn a_page_goes_on_where_the_last_one_ended_though_scans_came_in_between() {
    let data = tempfile::tempdir().unwrap();
    let release = Release::empty();
    release.table(&[("1_t1", "F"), ("1_t2", "F"), ("2_t1", "M"), ("3_t1", "M")]);
    release.scan("1_t2", Kind::Pir);
    release.scan("3_t1", Kind::Pir);
    release.import(data.path());
    let service = Service::over(data.path());
    let first = service.json("/v1/scans?limit=1&sort=-scan_id");
    assert_eq!(ids(&first), ["3_t1"]);
    release.scan("1_t1", Kind::Lps);
    release.scan("2_t1", Kind::Lps);
    release.import(data.path());
    service.block_on(service.renderer.renew()).unwrap();
    let mut seen = Vec::new();
    let mut next = first["next"].clone();
    while let Some(path) = next.as_str() {
        let page = service.json(path);
        seen.extend(ids(&page));
        next = page["next"].clone();
    }
    assert_eq!(seen, ["2_t1", "1_t2", "1_t1"]);
}

#[test]
fn a_row_keeps_its_values_in_every_format() {
    let service = Service::small();
    let csv = String::from_utf8(service.get("/v1/scans.csv?fields=scan_id,age,sar,shape,sex&volume=any").body).unwrap();
    let row = "3_t1,59.0,,,\n";
    assert_eq!(
        csv,
        format!(
            "scan_id,age,sar,shape,sex\n1_t1,59.0,,\"[5,24,16]\",F\n1_t2,59.0,,\"[5,24,16]\",F\n2_t2_SPACE,59.0,,\"[5,24,16]\",M\n{row}"
        )
    );
    let ndjson = service.get("/v1/scans.ndjson?fields=scan_id,age,sar,shape&limit=1").body;
    assert_eq!(ndjson, b"{\"scan_id\":\"1_t1\",\"age\":59.0,\"sar\":null,\"shape\":[5,24,16]}\n");
    let parquet = service.get("/v1/discs.parquet");
    assert_eq!((&parquet.body[..4], parquet.header("content-type")), (&b"PAR1"[..], "application/vnd.apache.parquet"));
    // Pages are at the table's own URL only.
    assert_eq!(service.problem("/v1/scans.json", 404)["code"], "unknown_path");
}

#[test]
fn statistics_count_what_a_filter_chooses() {
    let service = Service::small();
    let stats = service.json("/v1/stats?of=scans&by=sex,scan_type&fields=age,manufacturer,value_min&bins=2");
    assert_eq!(stats["total"], 3);
    assert_eq!(stats["groups"][0], json!({ "sex": "F", "scan_type": "t1", "count": 1 }));
    assert_eq!(
        stats["fields"]["manufacturer"],
        json!({ "missing": 0, "distinct": 1, "values": [{ "value": "SIEMENS", "count": 3 }] })
    );
    assert_eq!(stats["fields"]["age"]["histogram"], json!({ "edges": [59.0, 59.0], "counts": [3] }));
    assert_eq!(stats["fields"]["value_min"]["histogram"], json!({ "edges": [-1000.0, -500.0, 0.0], "counts": [1, 2] }));
    let slices = service.json("/v1/stats?of=slices&by=scan_type&has=201");
    assert_eq!((&slices["total"], &slices["groups"][1]["count"]), (&json!(9), &json!(3)));
    assert_eq!(
        service.json("/v1/stats?of=slices&by=split")["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|g| g["count"].as_u64().unwrap())
            .sum::<u64>(),
        15
    );
    let problem = service.problem("/v1/stats?of=scan", 400);
    assert_eq!(problem["parameter"], "of");
    service.problem("/v1/stats?by=age,age", 400);
    service.problem("/v1/stats?by=agee", 400);
}

#[test]
fn a_new_grading_table_reaches_discs_and_a_new_mask_the_counts() {
    let data = tempfile::tempdir().unwrap();
    let release = Release::small();
    release.import(data.path());
    let head = "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc narrowing,Disc bulging,Pfirrman grade";
    release.write("radiological_gradings.csv", format!("{head}\r\n1,1,0,0,0,0,1,0,1,5\r\n").as_bytes());
    let mut mask = crate::support::mask(Kind::Lps);
    for voxel in mask.bytes.chunks_exact_mut(2).filter(|voxel| voxel[0] == 201) {
        voxel[0] = 203;
    }
    release.volume("masks", "1_t1", &mask);
    release.import(data.path());
    let service = Service::over(data.path());
    let total = |path: &str| service.json(path)["total"].clone();
    assert_eq!(total("/v1/discs?pfirrmann=5"), 1);
    assert_eq!(total("/v1/discs?pfirrmann=4"), 0);
    assert_eq!((total("/v1/slices?has=201"), total("/v1/slices?has=203&min_pixels=10")), (json!(6), json!(3)));
}

#[test]
fn labels_outside_the_scheme_are_found_like_others() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    let mut mask = crate::support::mask(Kind::Lps);
    for voxel in mask.bytes.chunks_exact_mut(2).filter(|voxel| voxel[0] == 2) {
        voxel[0] = 26;
    }
    release.volume("masks", "1_t1", &mask);
    release.import(data.path());
    let service = Service::over(data.path());
    let total = |path: &str| service.json(path)["total"].clone();
    assert_eq!((total("/v1/slices?has=26"), total("/v1/slices?has=26,150")), (json!(3), json!(3)));
    assert_eq!(total("/v1/slices?has=26,3&min_pixels=30"), 3);
    assert_eq!(total("/v1/slices?has=26,3&min_pixels=31"), 0);
}

#[test]
fn a_query_past_its_time_is_cancelled_and_the_next_one_responded() {
    let data = tempfile::tempdir().unwrap();
    Release::small().import(data.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let reader = Reader::open(data.path()).await.unwrap();
        // Long enough for SQLite to look at the clock: hundreds of ranges in the place of thousands of rows.
        let slow = query(Table::Slices, &format!("labelled_pixels=0..&age={}", vec!["1..2"; 400].join(",")));
        let none = reader.clone().within(Duration::ZERO).begin().await.unwrap();
        assert!(matches!(none.total(&slow.filter).await, Err(IndexError::TooSlow(_))));
        assert!(matches!(none.page(&slow, 10).await, Err(IndexError::TooSlow(_))));
        assert_eq!(reader.begin().await.unwrap().total(&query(Table::Slices, "").filter).await.unwrap(), 15);
    });
}

#[test]
fn a_query_that_nobody_waits_for_leaves_no_deadline_behind() {
    let (release, data) = (Release::empty(), tempfile::tempdir().unwrap());
    // So many that SQLite looks at the clock when it reads their labels.
    for patient in 1..=60 {
        release.scan(&format!("{patient}_t1"), crate::support::Kind::Lps);
    }
    release.import(data.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let reader = Reader::open(data.path()).await.unwrap();
        let hasty = reader.clone().within(Duration::from_millis(20));
        let slow = query(Table::Slices, &format!("labelled_pixels=0..&age={}", vec!["1..2"; 400].join(",")));
        for _ in 0..20 {
            // A client that goes away while its query is being answered.
            let index = hasty.begin().await.unwrap();
            let _ = tokio::time::timeout(Duration::from_millis(2), index.page(&slow, 10)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        for _ in 0..20 {
            assert_eq!(reader.begin().await.unwrap().every_label().await.unwrap().len(), 60);
        }
    });
}

/// The usual queries must not come to read whole tables of slices or labels, whatever becomes of the indexes.
#[test]
fn usual_queries_are_responded_from_indexes() {
    let data = tempfile::tempdir().unwrap();
    Release::small().import(data.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let index = Reader::open(data.path()).await.unwrap().begin().await.unwrap();
        #[rustfmt::skip] // One query, one line.
        let questions = [
            (Table::Scans, "split=train&scan_type=t1", "scans_by_split", "COVERING INDEX scans_by_split"),
            (Table::Scans, "age=40..60", "scans_by_age", "COVERING INDEX scans_by_age"),
            (Table::Scans, "manufacturer=siemens", "scans_by_manufacturer", "COVERING INDEX scans_by_manufacturer"),
            (Table::Scans, "pfirrmann=4..5&level=1", "COVERING INDEX gradings_by_grade", "COVERING INDEX gradings_by_grade"),
            (Table::Scans, "patient_id=1", "scans_by_patient", "COVERING INDEX scans_by_patient"),
            (Table::Scans, "scan_id=1_t1", "INTEGER PRIMARY KEY (rowid=?)", "INTEGER PRIMARY KEY (rowid=?)"),
            (Table::Discs, "pfirrmann=4..5&level=1&split=train", "SCAN d", "COVERING INDEX discs_by_grade (level=? AND pfirrmann>?"),
            (Table::Discs, "patient_id=1", "SEARCH d USING PRIMARY KEY (scan_key>? AND scan_key<?)", "SEARCH d USING PRIMARY KEY"),
            (Table::Slices, "split=train&has=201&min_pixels=50", "SEARCH h USING", "SEARCH s USING PRIMARY KEY (label=? AND split=?)"),
            (Table::Slices, "patient_id=1", "scans_by_patient", "COVERING INDEX scans_by_patient"),
            (Table::Slices, "scan_id=1_t1", "SEARCH x USING PRIMARY KEY (scan_key=?)", "INTEGER PRIMARY KEY (rowid=?)"),
            (Table::Slices, "has=201&min_pixels=50&manufacturer=siemens", "SEARCH h USING", "slice_labels_by_label (label=? AND scan_key=?)"),
        ];
        for (table, text, page, total) in questions {
            let [page_plan, total_plan] = index.plan(&query(table, text)).await.unwrap();
            assert!(page_plan.iter().any(|step| step.contains(page)), "{table:?} {text}: {page_plan:#?}");
            assert!(total_plan.iter().any(|step| step.contains(total)), "{table:?} {text}: {total_plan:#?}");
            let whole = |step: &&String| ["SCAN x", "SCAN h", "SCAN slice"].iter().any(|scan| step.starts_with(scan));
            assert_eq!(page_plan.iter().chain(&total_plan).find(whole), None, "{table:?} {text}");
        }
    });
}

#[test]
fn patches_are_the_slice_at_that_spacing_cut_around_the_disc() {
    let service = Service::small();
    let array = |path: &str| {
        let answer = service.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        let start = 10 + usize::from(u16::from_le_bytes([answer.body[8], answer.body[9]]));
        let header = String::from_utf8_lossy(&answer.body[10..start]).into_owned();
        (header, answer.body[start..].to_vec(), answer.header("x-sagittal-spacing-mm").to_owned())
    };
    // 48 × 40 mm. Disc 202 fills rows 10 and 11, columns 4 to 8: its centre is at 22 mm and 16.25 mm.
    let (_, slice, _) = array("/v1/scans/1_t1/slices/1/mask.npy?spacing=0.5");
    let (header, patch, spacing) = array("/v1/scans/1_t1/discs/202/patch.npy?of=mask&mm=10&spacing=0.5");
    assert!(header.contains("(20, 20)"), "{header}");
    assert_eq!(spacing, "0.5,0.5");
    let cut: Vec<u8> = (34..54).flat_map(|row| slice[row * 80 + 23..row * 80 + 43].to_vec()).collect();
    assert_eq!(patch, cut);
    // Beyond the slice there is background.
    let (header, wide, _) = array("/v1/scans/1_t1/discs/202/patch.npy?of=mask&mm=200&spacing=2");
    assert!(header.contains("(100, 100)") && wide[..100].iter().all(|&label| label == 0), "{header}");
    assert_eq!(wide.iter().filter(|&&label| label == 100).count(), {
        let (_, slice, _) = array("/v1/scans/1_t1/slices/1/mask.npy?spacing=2");
        slice.iter().filter(|&&label| label == 100).count()
    });
    let (header, _, _) = array("/v1/scans/1_t1/discs/202/patch.npy?of=mask&margin=2&spacing=0.5");
    assert!(header.contains("(16, 33)"), "{header}");
    assert_eq!(service.problem("/v1/scans/1_t1/discs/209/patch.png", 404)["code"], "unknown_disc");
    assert_eq!(service.problem("/v1/scans/1_t1/discs/1/patch.png", 404)["code"], "unknown_disc");
    service.problem("/v1/scans/1_t1/discs/201/patch.png?size=9", 400);
    service.problem("/v1/scans/1_t1/discs/201/patch.png?mm=9&margin=1", 400);
    service.problem("/v1/scans/1_t1/discs/201/patch.npy?spacing=0.01&mm=1000", 413);
    let volume = service.get("/v1/scans/1_t1/discs/202/patch.npy?dims=3&mm=10&spacing=0.5&of=mask");
    let text = String::from_utf8_lossy(&volume.body[..128]).into_owned();
    assert!(text.contains("(3, 20, 20)") && volume.header("x-sagittal-slices") == "1-3", "{text}");
    assert_eq!(&volume.body[128..528], &patch[..]);
}
