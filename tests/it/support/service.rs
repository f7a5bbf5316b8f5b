use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use sagittal::auth::{Authenticator, TokenFile, Tokens, UrlSigner};
use sagittal::http::{self, App};
use sagittal::imaging::RenderLimits;
use sagittal::renderer::Renderer;
use sagittal::snapshots::{self, Replica};
use sagittal::store::{DataLocation, KeptSlices};
use sagittal::worker_pool::{Flow, Pool};
use serde_json::Value as Json;
use tempfile::TempDir;
use tower::ServiceExt;

use super::Release;

/// Memory for renderings.
const CACHE_BYTES: u64 = 64 << 20;

/// A pool whose only thread is taken until the sender is dropped, so that every rendering waits.
pub fn held_pool() -> (Pool, Sender<()>) {
    let pool = Pool::new(1, 256).unwrap();
    let (release, released) = mpsc::channel();
    let mut holding = Box::pin(pool.run(Flow::interactive(), 1, move || released.recv()));
    assert!(holding.as_mut().now_or_never().is_none());
    while pool.pieces_begun() == 0 {
        std::thread::yield_now();
    }
    // What has begun goes on, whether or not anybody waits for it.
    drop(holding);
    (pool, release)
}

/// The service over a data folder, called without a socket.
pub struct Service {
    pub app: App,
    service: http::Service,
    pub renderer: Arc<Renderer>,
    runtime: tokio::runtime::Runtime,
    _data: Option<TempDir>,
}

/// What the service answered.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// A response of which nothing was read yet but its headers.
pub struct Begun {
    body: Body,
}

impl Begun {
    /// All of it, if it does not break off.
    pub async fn rest(self) -> Result<Vec<u8>, axum::Error> {
        Ok(self.body.collect().await?.to_bytes().to_vec())
    }
}

impl Service {
    /// Over [`Release::small`].
    pub fn small() -> Self {
        let data = tempfile::tempdir().unwrap();
        Release::small().import(data.path());
        let service = Self::over(data.path());
        Self { _data: Some(data), ..service }
    }

    pub fn over(data: &Path) -> Self {
        Self::with(data, Pool::new(2, 256).unwrap())
    }

    pub fn with(data: &Path, pool: Pool) -> Self {
        Self::of(&DataLocation::Folder(data.to_owned()), pool).0
    }

    /// Over a place whose index travels as snapshots, which the replica fetches on request.
    pub fn following(place: &DataLocation) -> (Self, Replica) {
        let (service, replica) = Self::of(place, Pool::new(2, 256).unwrap());
        (service, replica.unwrap())
    }

    /// Over a folder, for requests with the token.
    pub fn authenticated(data: &Path) -> (Self, String) {
        let new = Tokens::generate("ann").unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("{}\n", new.line)).unwrap();
        (Self::authenticating(data, file.path()).0, new.token)
    }

    /// Over a folder, for requests with the tokens of a file, which is read again when the authenticator is reported to.
    pub fn authenticating(data: &Path, token_file: &Path) -> (Self, Arc<Authenticator>) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let file = runtime.block_on(TokenFile::open(token_file)).unwrap();
        let authenticator = Arc::new(Authenticator::new(file, UrlSigner::random().unwrap()));
        let place = DataLocation::Folder(data.to_owned());
        let finish = |app: App| app.authenticated_by(Some(Arc::clone(&authenticator)));
        let (service, _) = Self::built(&place, Pool::new(2, 256).unwrap(), CACHE_BYTES, finish);
        (service, authenticator)
    }

    /// Over a folder, without room for renderings.
    pub fn uncached(data: &Path) -> Self {
        Self::built(&DataLocation::Folder(data.to_owned()), Pool::new(2, 256).unwrap(), 0, |app| app).0
    }

    /// Over a folder, with so long for a response to begin.
    pub fn answering_within(data: &Path, pool: Pool, response_time: Duration) -> Self {
        let limits = http::Limits { response_time, ..http::Limits::default() };
        Self::built(&DataLocation::Folder(data.to_owned()), pool, CACHE_BYTES, |app| app.within(limits)).0
    }

    /// Over [`Release::small`], with an app that is changed first.
    pub fn changed(change: impl FnOnce(App) -> App) -> Self {
        let data = tempfile::tempdir().unwrap();
        Release::small().import(data.path());
        let place = DataLocation::Folder(data.path().to_owned());
        let (service, _) = Self::built(&place, Pool::new(2, 256).unwrap(), CACHE_BYTES, change);
        Self { _data: Some(data), ..service }
    }

    fn of(place: &DataLocation, pool: Pool) -> (Self, Option<Replica>) {
        Self::built(place, pool, CACHE_BYTES, |app| app)
    }

    fn built(
        place: &DataLocation,
        pool: Pool,
        cache_bytes: u64,
        finish: impl FnOnce(App) -> App,
    ) -> (Self, Option<Replica>) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (app, renderer, replica) = runtime.block_on(async {
            let (store, reader, replica) = snapshots::open(place, &KeptSlices::default()).await.unwrap();
            let limits = RenderLimits { max_pixels: 4096 * 4096 };
            let renderer = Arc::new(Renderer::open(reader, store.clone(), pool, limits, cache_bytes).await.unwrap());
            (finish(App::new(Arc::clone(&renderer), store)), renderer, replica)
        });
        (Self { service: http::service(app.clone()), app, renderer, runtime, _data: None }, replica)
    }

    /// Renderings that run or wait, as the service counts them.
    pub async fn queued(&self) -> u64 {
        let metrics = self.answer(Request::get("/metrics").body(Body::empty()).unwrap()).await;
        let text = String::from_utf8(metrics.body).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("sagittal_render_queue ")).unwrap();
        line.parse().unwrap()
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
    }

    /// The response to a request with these headers.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send_with("GET", path, headers, "")
    }

    /// The same with another method and a body.
    pub fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &'static str) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::from(body)).unwrap())
    }

    /// What comes of a path once its response has begun.
    pub fn begin(&self, path: &str) -> Begun {
        self.begin_with(path, &[])
    }

    /// The same for a request with these headers.
    pub fn begin_with(&self, path: &str, headers: &[(&str, &str)]) -> Begun {
        let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        let request = request.body(Body::empty()).unwrap();
        let response = self.runtime.block_on(self.service.clone().oneshot(request)).unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        Begun { body: response.into_body() }
    }

    pub fn send(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(self.answer(request))
    }

    pub async fn answer(&self, request: Request<Body>) -> Answer {
        let response = self.service.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// The JSON at a path that must be there.
    pub fn json(&self, path: &str) -> Json {
        let answer = self.get(path);
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// The problem at a path that must not be there, by its status.
    pub fn problem(&self, path: &str, status: u16) -> Json {
        let answer = self.get(path);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status.as_u16(), status, "{path}: {text}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        problem
    }
}

impl Answer {
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} header")).to_str().unwrap()
    }
}
