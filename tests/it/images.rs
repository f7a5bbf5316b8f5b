//! Renderings over HTTP: the right voxels, the right headers, the right refusals.

use std::io::Cursor;

use axum::http::StatusCode;

use crate::support::{Answer, Kind, Release, SHAPE, Service, label, value};

/// Width, height and samples of a PNG; 16-bit samples as they are meant.
fn png(answer: &Answer) -> (u32, u32, Vec<u16>) {
    assert_eq!(answer.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), "image/png");
    let mut reader = png::Decoder::new(Cursor::new(&answer.body)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let samples = match info.bit_depth {
        png::BitDepth::Sixteen => bytes.chunks(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect(),
        _ => bytes.into_iter().map(u16::from).collect(),
    };
    (info.width, info.height, samples)
}

/// The header's text and the elements' bytes of a `.npy` file.
fn npy(answer: &Answer) -> (String, Vec<u8>) {
    assert_eq!(answer.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(&answer.body[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([answer.body[8], answer.body[9]]));
    let text = String::from_utf8(answer.body[10..10 + length].to_vec()).unwrap();
    (text, answer.body[10 + length..].to_vec())
}

fn canonical_values(kind: Kind, slice: usize) -> Vec<i32> {
    let [_, rows, columns] = SHAPE;
    (0..rows * columns).map(|n| value(kind, [slice, n / columns, n % columns])).collect()
}

fn canonical_labels(slice: usize) -> Vec<u8> {
    let [_, rows, columns] = SHAPE;
    (0..rows * columns).map(|n| label([slice, n / columns, n % columns])).collect()
}

#[test]
fn both_kinds_are_served_upright_voxel_for_voxel() {
    let service = Service::small();
    for (scan, kind) in [("1_t1", Kind::Lps), ("1_t2", Kind::Pir)] {
        for slice in 0..SHAPE[0] {
            let (header, bytes) = npy(&service.get(&format!("/v1/scans/{scan}/slices/{slice}/image.npy?size=native")));
            assert!(header.contains("(24, 16)"), "{header}");
            let values: Vec<i32> = match kind {
                Kind::Lps => bytes.as_chunks::<2>().0.iter().map(|&b| i16::from_le_bytes(b).into()).collect(),
                Kind::Pir => bytes.as_chunks::<2>().0.iter().map(|&b| u16::from_le_bytes(b).into()).collect(),
            };
            assert_eq!(values, canonical_values(kind, slice), "{scan} {slice}");
            let (_, labels) = npy(&service.get(&format!("/v1/scans/{scan}/slices/{slice}/mask.npy?size=native")));
            assert_eq!(labels, canonical_labels(slice), "{scan} {slice}");
        }
    }
}

#[test]
fn the_stored_layout_is_the_files_own() {
    let service = Service::small();
    // LPS: rows from the lowest, slices in the same order. PIR: rows from the highest, slices in the opposite order.
    let top_row = |scan: &str, slice: usize| -> Vec<u8> {
        let path = format!("/v1/scans/{scan}/slices/{slice}/mask.npy?size=native&layout=stored");
        npy(&service.get(&path)).1
    };
    let flipped: Vec<u8> = canonical_labels(1).chunks(SHAPE[2]).rev().flatten().copied().collect();
    assert_eq!(top_row("1_t1", 1), flipped);
    assert_eq!(top_row("1_t2", 1), canonical_labels(SHAPE[0] - 1 - 1));
}

#[test]
fn the_full_window_has_an_exact_inverse() {
    let service = Service::small();
    let answer = service.get("/v1/scans/1_t1/slices/2/image.png?size=native");
    let (slope, intercept): (f64, f64) =
        (answer.header("x-sagittal-slope").parse().unwrap(), answer.header("x-sagittal-intercept").parse().unwrap());
    let (_, _, samples) = png(&answer);
    let stored: Vec<_> = samples.iter().map(|&s| (f64::from(s) * slope + intercept).round() as i32).collect();
    assert_eq!(stored, canonical_values(Kind::Lps, 2));
    assert_eq!(answer.header("x-sagittal-spacing-mm"), "2,2.5");
}

#[test]
fn two_spellings_of_one_image_share_a_tag_and_two_images_do_not() {
    let service = Service::small();
    let tag = |path: &str| service.get(&format!("/v1/scans/1_t1/slices/{path}")).header("etag").to_owned();
    for (one, other) in [
        ("2/image.png", "mid/image.png?size=512&fit=stretch&window=full&bits=16"),
        ("2/image.png?size=40&preset=hf", "2/image.png?width=40&height=40&layout=stored&window=hf&filter=linear"),
        ("2/image.png?size=native", "2/image.png?width=16&height=24&filter=cubic"),
        ("1/mask.png", "best/mask.png?map=native&filter=nearest"),
        ("1/overlay.png?alpha=0.5", "1/overlay.png?alpha=.50&outline=0"),
    ] {
        assert_eq!(tag(one), tag(other), "{one} {other}");
    }
    let renderer = [
        "1/image.png",
        "2/image.png",
        "2/image.png?size=511",
        "2/image.png?filter=area",
        "2/image.png?window=auto",
        "2/image.png?bits=8",
        "2/image.png?layout=stored",
        "2/image.png?fit=contain",
        "2/mask.png",
        "2/mask.png?map=binary",
        "2/mask.png?palette",
        "2/mask.png?labels=discs",
        "2/overlay.png",
        "2/overlay.png?alpha=0.4",
        "2/overlay.png?outline=1",
        "2/image.npy",
        "2/mask.npy",
    ];
    let tags: std::collections::BTreeSet<_> = renderer.iter().map(|path| tag(path)).collect();
    assert_eq!(tags.len(), renderer.len());
}

#[test]
fn masks_can_be_selected_mapped_and_coloured_without_changing_values() {
    let service = Service::small();
    let values = |query: &str| -> Vec<u16> {
        let (_, _, samples) = png(&service.get(&format!("/v1/scans/1_t1/slices/2/mask.png?size=native&{query}")));
        samples.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    };
    assert_eq!(values(""), [0, 1, 2, 100, 201, 202]);
    assert_eq!(values("map=semantic"), [0, 1, 2, 3]);
    assert_eq!(values("map=binary"), [0, 1]);
    assert_eq!(values("labels=discs,100"), [0, 100, 201, 202]);
    assert_eq!(values("map=1-25%3E7,discs:9"), [0, 7, 9]);
    assert_eq!(values("palette"), values(""));
    let large = png(&service.get("/v1/scans/1_t1/slices/2/mask.png?size=333")).2;
    assert!(large.iter().all(|v| [0, 1, 2, 100, 201, 202].contains(v)));
}

#[test]
fn overlay_and_montage_have_their_shapes() {
    let service = Service::small();
    let (width, height, rgb) = png(&service.get("/v1/scans/1_t1/slices/2/overlay.png?size=native"));
    assert_eq!((width, height, rgb.len()), (16, 24, 16 * 24 * 3));
    let (width, height, _) = png(&service.get("/v1/scans/1_t2/montage.png?size=50"));
    assert_eq!((width, height), (150, 100));
}

#[test]
fn every_window_and_type_is_what_it_says() {
    let service = Service::small();
    let element = |query: &str| npy(&service.get(&format!("/v1/scans/1_t2/slices/2/image.npy?size=native&{query}"))).0;
    for (query, descr) in [
        ("", "'<u2'"),
        ("window=full", "'<u2'"),
        ("window=full&dtype=uint8", "'|u1'"),
        ("window=auto&dtype=float32", "'<f4'"),
        ("dtype=float32", "'<f4'"),
        ("dtype=int16", "'<i2'"),
        ("window=hf", "'<u2'"),
    ] {
        assert!(element(query).contains(descr), "{query}: {}", element(query));
    }
    // C 2000, W 1001: 1500 and below are black, 2499.5 and above white.
    let (_, _, samples) = png(&service.get("/v1/scans/1_t2/slices/2/image.png?size=native&window=2000,1001&bits=8"));
    let expected: Vec<u16> = canonical_values(Kind::Pir, 2)
        .iter()
        .map(|&v| ((f64::from(v) - 1499.5) / 1000.0 * 255.0).round_ties_even().clamp(0.0, 255.0) as u16)
        .collect();
    assert_eq!(samples, expected);
    // The table has centre 2000 and width 1000 for it.
    assert_eq!(
        service.get("/v1/scans/1_t2/slices/2/image.png?window=dicom").body,
        service.get("/v1/scans/1_t2/slices/2/image.png?window=2000,1000").body
    );
}

#[test]
fn wrong_parameters_are_named_with_what_is_allowed() {
    let service = Service::small();
    let image =
        |query: &str, status: u16| service.problem(&format!("/v1/scans/1_t1/slices/2/image.png?{query}"), status);
    for (query, code, parameter) in [
        ("size=0", "invalid_value", "size"),
        ("size=1e9", "invalid_value", "size"),
        ("size=abc", "invalid_value", "size"),
        ("size=-5", "invalid_value", "size"),
        ("size=", "invalid_value", "size"),
        ("siez=5", "unknown_parameter", "siez"),
        ("size=5&size=5", "repeated_parameter", "size"),
        ("size=5&width=5", "conflicting_parameters", "size"),
        ("width=5&spacing=1", "conflicting_parameters", "spacing"),
        ("spacing=0", "invalid_value", "spacing"),
        ("spacing=nan", "invalid_value", "spacing"),
        ("fit=fill", "invalid_value", "fit"),
        ("filter=bilinear", "invalid_value", "filter"),
        ("window=bone", "invalid_value", "window"),
        ("window=p5", "invalid_value", "window"),
        ("bits=12", "invalid_value", "bits"),
        ("dtype=uint8", "unknown_parameter", "dtype"),
        ("preset=hf&layout=canonical", "conflicting_parameters", "layout"),
        ("preset=idc", "invalid_value", "preset"),
        ("window=none", "window_unavailable", "window"),
        ("palette=1", "unknown_parameter", "palette"),
    ] {
        let problem = image(query, 400);
        assert_eq!(
            (problem["code"].as_str(), problem["parameter"].as_str()),
            (Some(code), Some(parameter)),
            "{query}: {problem}"
        );
    }
    assert_eq!(image("size=1000000000", 413)["code"], "output_too_large");
    assert_eq!(image("spacing=0.01", 413)["code"], "output_too_large");
    assert!(image("siez=5", 400)["detail"].as_str().unwrap().contains("did you mean size?"));
    let mask = |query: &str| service.problem(&format!("/v1/scans/1_t1/slices/2/mask.png?{query}"), 400);
    assert_eq!(mask("filter=linear")["parameter"], "filter");
    assert_eq!(mask("window=full")["code"], "unknown_parameter");
    assert_eq!(mask("labels=spine")["parameter"], "labels");
    assert_eq!(mask("map=1:2,1:3")["parameter"], "map");
    assert_eq!(service.problem("/v1/scans/1_t1/slices/2/image.npy?dtype=uint8", 400)["parameter"], "dtype");
    assert_eq!(service.problem("/v1/scans/1_t1/slices/2/image.npy?dtype=int16&window=full", 400)["parameter"], "dtype");
    assert_eq!(service.problem("/v1/scans/3_t1/slices/2/image.png", 404)["code"], "no_volume");
    assert_eq!(service.problem("/v1/scans/3_t1/montage.png", 404)["code"], "no_volume");
    assert_eq!(service.problem("/v1/scans/9_t1/montage.png", 404)["code"], "unknown_scan");
    assert_eq!(service.problem("/v1/scans/1_t1/slices/5/image.png", 404)["code"], "unknown_slice");
}

#[test]
fn a_damaged_chunk_is_a_clear_error_for_that_slice_alone() {
    let data = tempfile::tempdir().unwrap();
    Release::small().import(data.path());
    let group = std::fs::read_dir(data.path().join("scans")).unwrap().map(|e| e.unwrap().path());
    let group = group.into_iter().find(|p| p.to_str().unwrap().contains("1_t1-")).unwrap();
    let chunk = group.join("image/c/2/0/0");
    let mut bytes = std::fs::read(&chunk).unwrap();
    bytes[100] ^= 4;
    std::fs::write(&chunk, bytes).unwrap();
    let service = Service::over(data.path());
    // The last one is sent band by band.
    for file in ["image.png", "image.npy", "pair.npz", "image.npy?size=2048"] {
        assert_eq!(
            service.problem(&format!("/v1/scans/1_t1/slices/2/{file}"), 500)["code"],
            "internal_error",
            "{file}"
        );
    }
    assert_eq!(service.get("/v1/scans/1_t1/slices/1/image.png").status, StatusCode::OK);
    assert_eq!(service.get("/v1/scans/1_t1/slices/2/mask.png").status, StatusCode::OK);
}

#[test]
fn a_scan_that_is_imported_anew_is_rendered_anew() {
    let (release, data) = (Release::small(), tempfile::tempdir().unwrap());
    release.import(data.path());
    let service = Service::over(data.path());
    let path = "/v1/scans/1_t1/slices/2/image.npy?size=native";
    let before = service.get(path);
    let mut other = crate::support::image(Kind::Lps);
    other.bytes.chunks_mut(2).for_each(|v| v[0] ^= 1);
    release.volume("images", "1_t1", &other);
    release.import(data.path());
    // What is cached is still right for its tag; what is not makes the server notice, and is rendered from the new voxels.
    assert_eq!(service.get(path).header("etag"), before.header("etag"));
    let other_slice = npy(&service.get("/v1/scans/1_t1/slices/1/image.npy?size=native")).1;
    let expected = canonical_values(Kind::Lps, 1).into_iter().flat_map(|value| ((value as i16) ^ 1).to_le_bytes());
    assert_eq!(other_slice, expected.collect::<Vec<_>>());
    let after = service.get(path);
    assert_ne!(after.header("etag"), before.header("etag"));
    assert_ne!(after.body, before.body);
}
