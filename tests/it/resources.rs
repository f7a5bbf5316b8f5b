//! Memory and threads that requests take: known before anything is rendered, waited for, given back.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use sagittal::worker_pool::{Class, Client, Flow, MemoryPlan, Pool};

use crate::support::{Release, Service};

/// A service whose work may take so many bytes.
fn within(work: u64) -> (Service, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    Release::small().import(data.path());
    let plan = MemoryPlan { work, ..MemoryPlan::default() };
    let pool = Pool::new(1, 256).unwrap().within(plan);
    (Service::with(data.path(), pool), data)
}

/// Bytes that are reserved.
fn reserved(service: &Service) -> u64 {
    service.renderer.pool().budget().load().0
}

#[test]
fn what_a_response_would_take_is_refused_by_its_request_alone() {
    let (service, _data) = within(64 << 20);
    for path in [
        // More than an archive without ZIP64 can hold.
        "/v1/scans/1_t1/slices/2/pair.npz?size=4096&dtype=float64&context=16",
        // More than the memory for one response: 4096 × 4096 × 3 bytes.
        "/v1/scans/1_t1/slices/2/overlay.png?size=4096",
    ] {
        let problem = service.problem(path, 413);
        assert_eq!(problem["code"], "output_too_large", "{path}");
        assert_eq!((service.renderer.pool().pieces_begun(), reserved(&service)), (0, 0), "{path}");
    }
    // An array of the same size is rendered while it is sent.
    let array = service.get("/v1/scans/1_t1/slices/2/image.npy?size=4096&dtype=float64");
    assert_eq!((array.status, array.body.len()), (StatusCode::OK, 128 + 4096 * 4096 * 8));
}

#[test]
fn a_response_counts_as_memory_until_it_was_sent() {
    let (service, _data) = within(64 << 20);
    let path = "/v1/scans/1_t1/slices/2/image.npy?size=200";
    // Rendered for this request, and found in the cache.
    for _ in 0..2 {
        let response = service.begin(path);
        assert!(reserved(&service) >= 200 * 200 * 2, "{}", reserved(&service));
        let body = service.block_on(response.rest()).unwrap();
        assert_eq!(reserved(&service), 0);
        drop(body);
    }
}

#[test]
fn work_waits_for_memory_and_goes_on_when_there_is_some() {
    let (service, _data) = within(64 << 20);
    let budget = service.renderer.pool().budget();
    // Clients have all that is for small responses, a quarter of the whole.
    let flow = |principal| Flow { class: Class::Interactive, client: Client { principal, connection: 0 } };
    let held = (1..=8).map(|n| budget.reserve(flow(n), 2 << 20));
    let held = service.block_on(futures_util::future::try_join_all(held)).unwrap();
    let before = reserved(&service);
    let requests = [
        Request::get("/v1/scans/1_t1/slices/2/image.png?size=300").body(Body::empty()).unwrap(),
        // A body that nobody has read yet.
        Request::post("/v1/batch?size=32")
            .header("content-type", "application/json")
            .body(Body::from(r#"{"items":[{"scan_id":"1_t1","slice":2}]}"#.to_owned() + &" ".repeat(1 << 20)))
            .unwrap(),
    ];
    service.block_on(async {
        let mut responses = Box::pin(futures_util::future::join_all(requests.map(|request| service.answer(request))));
        let waiting = tokio::time::timeout(Duration::from_millis(50), &mut responses).await;
        assert!(waiting.is_err(), "both wait for memory");
        assert_eq!(service.renderer.pool().pieces_begun(), 0);
        assert_eq!(reserved(&service), before);
        drop(held);
        for response in responses.await {
            assert_eq!(response.status, StatusCode::OK, "{}", String::from_utf8_lossy(&response.body));
        }
    });
    assert_eq!(reserved(&service), 0);
}

#[test]
fn large_images_are_rendered_in_many_pieces_with_room_for_others_between_them() {
    let (service, _data) = within(1 << 30);
    let pieces = |path: &str| {
        let before = service.renderer.pool().pieces_begun();
        assert_eq!(service.get(path).status, StatusCode::OK, "{path}");
        service.renderer.pool().pieces_begun() - before
    };
    // One more where the file system does not tell whether it has a slice in memory.
    assert!((1..=2).contains(&pieces("/v1/scans/1_t1/slices/2/image.png?size=512")));
    for file in ["image.png", "overlay.png", "mask.png"] {
        let pieces = pieces(&format!("/v1/scans/1_t1/slices/2/{file}?size=2048"));
        assert!((16..=17).contains(&pieces), "{file}: {pieces}");
    }
    assert!(pieces("/v1/scans/1_t1/slices/2/image.npy?size=2048") >= 16);
    assert!(pieces("/v1/scans/1_t1/montage.png?size=800") > 8);
}
