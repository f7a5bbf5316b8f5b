//! Images are rendered once, for all who wait for them, and no longer than somebody does.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures_util::FutureExt;
use sagittal::http::AllowedOrigins;
use sagittal::worker_pool::Pool;

use crate::support::{Release, Service, held_pool};

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

/// The service keeps the headers of images. A response with them is the one without, but for what names the request.
#[test]
fn a_response_that_is_repeated_is_the_same() {
    let (service, _data) = crate::routes::service();
    for path in [
        "/v1/scans/1_t1/slices/2/image.png?size=20",
        "/v1/scans/1_t1/slices/2/mask.npy",
        "/v1/scans/1_t1/slices/2/overlay.png?alpha=0.3",
        "/v1/scans/1_t1/montage.png",
        "/v1/scans/1_t1/discs/201/patch.npy",
    ] {
        service.get(path);
        let known = service.get(path);
        assert_eq!(known.header("cache-status"), "sagittal; hit", "{path}");
        let hits = service.renderer.load().hits;
        for n in 1..4 {
            let mut repeated = service.get_with(path, &[("x-request-id", "mine"), ("accept-encoding", "gzip")]);
            assert_eq!(repeated.headers.insert("x-request-id", known.headers["x-request-id"].clone()).unwrap(), "mine");
            assert_eq!((repeated.status, &repeated.headers), (known.status, &known.headers), "{path}");
            assert!(repeated.body == known.body, "{path}");
            assert_eq!(service.renderer.load().hits, hits + n, "{path}");
        }
        assert_ne!(service.get(path).header("x-request-id"), known.header("x-request-id"));
        let metrics = String::from_utf8(service.get("/metrics").body).unwrap();
        let count =
            metrics.lines().find(|line| line.contains("requests_total") && line.contains(route_of(path))).unwrap();
        assert!(count.ends_with(" 6"), "{count}");
    }
}

/// The part of a route's name that no other route of the test has.
fn route_of(path: &str) -> &str {
    path.split('?').next().unwrap().rsplit('/').next().unwrap()
}

/// Requests without the token are refused, and those with an `Origin` or conditions get the response that these determine.
#[test]
fn a_response_that_is_known_is_not_repeated_where_more_than_the_url_counts() {
    let origin = "https://viewer.example";
    let service = Service::changed(|app| app.allowing(AllowedOrigins::parse(&[origin.to_owned()]).unwrap()));
    std::thread::sleep(Duration::from_millis(1100));
    let path = "/v1/scans/1_t1/slices/2/mask.png";
    let known = (0..3).map(|_| service.get(path)).next_back().unwrap();
    assert!(!known.headers.contains_key("access-control-allow-origin"));
    assert_eq!(service.get_with(path, &[("origin", origin)]).header("access-control-allow-origin"), origin);
    assert!(!service.get(path).headers.contains_key("access-control-allow-origin"));
    let head = service.send(Request::head(path).body(Body::empty()).unwrap());
    assert_eq!((head.body.len(), head.header("content-length")), (0, known.header("content-length")));
    assert_eq!(service.get_with(path, &[("if-none-match", known.header("etag"))]).status, StatusCode::NOT_MODIFIED);
    assert_eq!(service.get_with(path, &[("if-match", "\"x\"")]).status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(service.send_with("POST", path, &[], "").status, StatusCode::METHOD_NOT_ALLOWED);

    let data = tempfile::tempdir().unwrap();
    Release::small().import(data.path());
    let (service, token) = Service::authenticated(data.path());
    std::thread::sleep(Duration::from_millis(1100));
    let token = format!("Bearer {token}");
    for _ in 0..3 {
        let answer = service.get_with(path, &[("authorization", &token)]);
        assert_eq!(answer.header("cache-control"), "private, max-age=300");
    }
    assert_eq!(service.get(path).status, StatusCode::UNAUTHORIZED);
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
