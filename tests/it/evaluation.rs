//! What the pool does for scores of masks.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures_util::FutureExt;

use crate::support::{Release, Service, held_pool};

#[test]
fn scores_that_nobody_waits_for_cost_nothing() {
    let data = tempfile::tempdir().unwrap();
    Release::small().import(data.path());
    let (pool, held) = held_pool();
    let service = Service::with(data.path(), pool);
    let begun = || service.renderer.pool().pieces_begun();
    // Which file it is, a thread of the pool finds out.
    let evaluation = || {
        let request =
            Request::post("/v1/scans/1_t1/evaluation").header(header::CONTENT_TYPE, "application/octet-stream");
        Box::pin(service.answer(request.body(Body::from("no mask")).unwrap()))
    };
    service.block_on(async {
        let mut clients = [evaluation(), evaluation()];
        for client in &mut clients {
            assert!(client.now_or_never().is_none(), "every client waits");
        }
        drop(clients);
        drop(held);
        let image = Request::get("/v1/scans/1_t1/slices/2/image.png").body(Body::empty()).unwrap();
        assert_eq!(service.answer(image).await.status, StatusCode::OK);
        assert_eq!(begun(), 2, "what held the thread, and the image");
        assert_eq!(evaluation().await.status, StatusCode::BAD_REQUEST);
        assert_eq!(begun(), 3);
    });
}
