//! Renderings over HTTP: the right voxels, the right headers, the right refusals, drawn once.

use std::io::Cursor;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures_util::FutureExt;
use sagittal::worker_pool::Pool;

use crate::support::{Answer, Kind, Release, SHAPE, Service, held_pool, label, value};

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
fn a_known_image_is_not_rendered_again() {
    let service = Service::small();
    let path = "/v1/scans/1_t1/slices/2/image.png";
    let first = service.get(path);
    assert_eq!(first.header("cache-status"), "sagittal; fwd=miss; stored");
    assert!(first.header("server-timing").contains("render;dur="));
    assert_eq!(service.get(path).header("cache-status"), "sagittal; hit");
    let known = Request::get(path).header("if-none-match", first.header("etag")).body(Body::empty()).unwrap();
    let answer = service.send(known);
    assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0));
    // The tag is known before anything is rendered: a client that has the image costs a fresh server nothing.
    let fresh = Service::small();
    let known = Request::get(path).header("if-none-match", first.header("etag")).body(Body::empty()).unwrap();
    assert_eq!(fresh.send(known).status, StatusCode::NOT_MODIFIED);
    assert_eq!(fresh.get(path).header("cache-status"), "sagittal; fwd=miss; stored");
}

#[test]
fn head_renders_nothing_and_gives_the_length_where_it_is_known() {
    let head = |service: &Service, path: &str| {
        let answer = service.send(Request::head(path).body(Body::empty()).unwrap());
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0), "{path}");
        answer
    };
    let same = ["etag", "content-type", "x-sagittal-slope", "x-sagittal-intercept", "x-sagittal-spacing-mm"];
    for path in [
        "/v1/scans/1_t1/slices/2/image.npy?window=auto",
        "/v1/scans/1_t1/slices/2/mask.npy?dtype=int64",
        "/v1/scans/1_t1/slices/2/image.npy?size=900&dtype=float64",
        "/v1/scans/1_t1/image.npy",
        "/v1/scans/1_t1/image.nii",
        "/v1/scans/1_t1/slices/2/pair.npz?context=3",
        "/v1/stream.tar?size=20",
        "/v1/scans/1_t1/discs/201/patch.npy?dims=3",
    ] {
        let service = Service::small();
        let known = head(&service, path);
        assert_eq!(service.renderer.pool().pieces_begun(), 0, "{path}");
        let whole = service.get(path);
        assert_eq!(known.header("content-length"), whole.body.len().to_string(), "{path}");
        same.iter().for_each(|name| assert_eq!(known.headers.get(*name), whole.headers.get(*name), "{path} {name}"));
    }
    for path in ["/v1/scans/1_t1/slices/2/image.png", "/v1/scans/1_t1/montage.png", "/v1/scans/1_t1/image.nii.gz"] {
        let service = Service::small();
        let head = || head(&service, path);
        assert_eq!(head().headers.get("content-length"), None, "{path}");
        assert_eq!(service.renderer.pool().pieces_begun(), 0, "{path}");
        let whole = service.get(path);
        assert_eq!(head().header("content-length"), whole.body.len().to_string(), "{path}");
        same.iter().for_each(|name| assert_eq!(head().headers.get(*name), whole.headers.get(*name), "{path} {name}"));
    }
}

#[test]
fn sixty_four_clients_at_once_cost_one_rendering() {
    let service = Service::small();
    let path = "/v1/scans/1_t1/slices/2/image.png?size=1500";
    let answers = service.block_on(async {
        let ask = || service.answer(Request::get(path).body(Body::empty()).unwrap());
        futures_util::future::join_all((0..64).map(|_| ask())).await
    });
    let rendered = |status: &str| answers.iter().filter(|a| a.header("cache-status") == status).count();
    assert_eq!(rendered("sagittal; fwd=miss; stored"), 1);
    assert_eq!(rendered("sagittal; fwd=miss; collapsed"), 63);
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
}

#[test]
fn a_response_that_does_not_begin_in_time_is_given_up() {
    let data = tempfile::tempdir().unwrap();
    Release::small().import(data.path());
    let (pool, _held) = held_pool();
    let service = Service::answering_within(data.path(), pool, Duration::from_millis(50));
    let problem = service.get("/v1/scans/1_t1/slices/2/image.png?size=64");
    assert_eq!(problem.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem.json()["code"], "response_too_slow");
    assert!(problem.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(service.get("/healthz").status, StatusCode::OK);
}

#[test]
fn a_rendering_goes_on_while_anybody_waits_and_no_longer() {
    let data = tempfile::tempdir().unwrap();
    Release::small().import(data.path());
    let (pool, held) = held_pool();
    let service = Service::with(data.path(), pool);
    let request = |path| Box::pin(service.answer(Request::get(path).body(Body::empty()).unwrap()));
    let (shared, abandoned) =
        ("/v1/scans/1_t1/slices/2/image.png?size=64", "/v1/scans/1_t1/slices/2/image.png?size=65");
    service.block_on(async {
        let mut clients: Vec<_> = (0..6).map(|_| request(shared)).collect();
        let mut only = request(abandoned);
        for client in clients.iter_mut().chain([&mut only]) {
            assert!(client.now_or_never().is_none(), "every client waits");
        }
        assert_eq!(service.queued().await, 2);
        // Five of six give up, the one whose request started the rendering among them, and the only one of another.
        let last = clients.pop().unwrap();
        drop((clients, only));
        assert_eq!(service.queued().await, 1);
        drop(held);
        assert_eq!(last.await.header("cache-status"), "sagittal; fwd=miss; collapsed");
        assert_eq!(request(shared).await.header("cache-status"), "sagittal; hit");
        // What held the thread, and one rendering of one band.
        assert_eq!(service.renderer.pool().pieces_begun(), 2);
        assert_eq!(request(abandoned).await.header("cache-status"), "sagittal; fwd=miss; stored");
    });
}

#[test]
fn a_full_queue_refuses_quickly_and_keeps_serving_what_is_cached() {
    let data = tempfile::tempdir().unwrap();
    Release::small().import(data.path());
    let service = Service::with(data.path(), Pool::new(1, 0).unwrap());
    let cached = "/v1/scans/1_t1/slices/2/image.png?size=64";
    assert_eq!(service.get(cached).status, StatusCode::OK);
    let answers = service.block_on(async {
        let ask = |n: usize| {
            let path = format!("/v1/scans/1_t1/slices/2/image.png?size={}", 1500 + n);
            service.answer(Request::get(path).body(Body::empty()).unwrap())
        };
        let cached = service.answer(Request::get(cached).body(Body::empty()).unwrap());
        let (rendered, cached) = tokio::join!(futures_util::future::join_all((0..16).map(ask)), cached);
        assert_eq!(cached.status, StatusCode::OK);
        rendered
    });
    let refused: Vec<_> = answers.iter().filter(|a| a.status == StatusCode::SERVICE_UNAVAILABLE).collect();
    assert!(!refused.is_empty() && refused.len() < 16, "{} of 16 refused", refused.len());
    assert_eq!(refused[0].header("retry-after"), "1");
    assert_eq!(refused[0].json()["code"], "overloaded");
    // Errors are not kept.
    assert_eq!(service.get("/v1/scans/1_t1/slices/2/image.png?size=1515").status, StatusCode::OK);
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
    assert_eq!(image("spacing=0.0000001", 413)["code"], "output_too_large");
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
