//! A small release, a data folder, and a server over it that answers without a socket.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use sagittal::auth::{Authenticator, TokenFile, Tokens, UrlSigner};
use sagittal::formats::metaimage;
use sagittal::http::{self, App, router};
use sagittal::imaging::Limits;
use sagittal::ingest::{self, Destination, ImportError, ImportOptions, Report, Source};
use sagittal::renderer::Renderer;
use sagittal::snapshots::{self, Replica};
use sagittal::spider::FIELDS;
use sagittal::store::{DataLocation, ExportManifest, KeptSlices, MANIFEST, ManifestFile};
use sagittal::volume::{Axis, ElementType, Geometry, Volume};
use sagittal::worker_pool::{Flow, Pool};
use serde_json::Value as Json;
use tempfile::TempDir;
use tower::ServiceExt;

/// A file of `tests/fixtures`: synthetic tables whose series are those of the release.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Writes an export with one file into a data folder.
pub fn write_export(data: &Path, format: &str, file: &str, contents: &[u8]) {
    let folder = data.join("exports").join(format).join("default/0");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(file), contents).unwrap();
    let files = vec![ManifestFile { path: file.to_owned(), bytes: contents.len() as u64, sha256: "0".repeat(64) }];
    let (format, name, id, options) = (format.to_owned(), "default".to_owned(), "0".to_owned(), String::new());
    let manifest = ExportManifest { format, name, id, revision: 1, render: String::new(), options, created: 1, files };
    fs::write(folder.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
}

/// Memory for renderings.
const CACHE_BYTES: u64 = 64 << 20;

/// The two ways volumes of the release lie in their files.
#[derive(Clone, Copy)]
pub enum Kind {
    /// int16, slices on the fastest axis, lowest row first.
    Lps,
    /// uint16, slices on the slowest axis, highest row first.
    Pir,
}

/// Canonical (slices, rows, columns) of every scan that [`scan`] makes.
pub const SHAPE: [usize; 3] = [5, 24, 16];

fn axis(len: usize, spacing_mm: f64, direction: [f64; 3]) -> Axis {
    Axis { len, spacing_mm, direction }
}

fn geometry(kind: Kind) -> Geometry {
    let [slices, rows, columns] = SHAPE;
    let (left, right) = ([1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]);
    let (up, down, back) = ([0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]);
    let axes = match kind {
        Kind::Lps => [axis(rows, 2.0, up), axis(columns, 2.5, back), axis(slices, 4.0, left)],
        Kind::Pir => [axis(slices, 4.0, right), axis(rows, 2.0, down), axis(columns, 2.5, back)],
    };
    Geometry { axes, origin_mm: [3.0, -20.0, 10.0] }
}

/// The value of a voxel, by canonical index: different everywhere, so that no flip goes unnoticed.
pub fn value(kind: Kind, [slice, row, column]: [usize; 3]) -> i32 {
    let ramp = (slice * 1000 + row * 30 + column) as i32;
    match kind {
        Kind::Lps => ramp - 1000,
        Kind::Pir => ramp,
    }
}

/// The label of a voxel, by canonical index: L5 below its disc below L4, the canal behind, and nothing in the outer slices.
pub fn label([slice, row, column]: [usize; 3]) -> u8 {
    match (slice, row, column) {
        (1..4, 4..10, 4..9) => 2,
        (1..4, 10..12, 4..9) => 202,
        (1..4, 12..18, 4..9) => 1,
        (1..4, 18..20, 4..9) => 201,
        (1..4, 2..22, 11..13) => 100,
        _ => 0,
    }
}

fn canonical_index(kind: Kind, [a, b, c]: [usize; 3]) -> [usize; 3] {
    match kind {
        Kind::Lps => [c, SHAPE[1] - 1 - a, b],
        Kind::Pir => [SHAPE[0] - 1 - a, b, c],
    }
}

fn volume(kind: Kind, element: ElementType, voxel: impl Fn([usize; 3]) -> i32) -> Volume {
    let geometry = geometry(kind);
    let [na, nb, nc] = geometry.shape();
    let indices = (0..na).flat_map(|a| (0..nb).flat_map(move |b| (0..nc).map(move |c| [a, b, c])));
    let bytes = indices.flat_map(|index| (voxel(canonical_index(kind, index)) as i16).to_le_bytes()).collect();
    Volume { element, geometry, bytes }
}

/// The image of a synthetic scan.
pub fn image(kind: Kind) -> Volume {
    let element = match kind {
        Kind::Lps => ElementType::Int16,
        Kind::Pir => ElementType::Uint16,
    };
    volume(kind, element, |index| value(kind, index))
}

/// The mask of a synthetic scan.
pub fn mask(kind: Kind) -> Volume {
    volume(kind, ElementType::Int16, |index| i32::from(label(index)))
}

/// A folder laid out like the release.
pub struct Release {
    pub dir: TempDir,
}

impl Release {
    /// Tables with four rows and files for `1_t1` (LPS), `1_t2` (PIR) and `2_t2_SPACE` (PIR); `3_t1` has a row alone.
    pub fn small() -> Self {
        let release = Self::empty();
        release.table(&[("1_t1", "F "), ("1_t2", "F"), ("2_t2_SPACE", "M "), ("3_t1", "")]);
        release.scan("1_t1", Kind::Lps);
        release.scan("1_t2", Kind::Pir);
        release.scan("2_t2_SPACE", Kind::Pir);
        release
    }

    /// No scans and tables without rows.
    pub fn empty() -> Self {
        let release = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(release.path("images")).unwrap();
        fs::create_dir(release.path("masks")).unwrap();
        release.table(&[]);
        let head = "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc narrowing,Disc bulging,Pfirrman grade";
        release.write(
            "radiological_gradings.csv",
            format!("{head}\r\n1,1,0,0,0,0,1,0,1,4\r\n1,2,1,0,0,0,0,0,0,2\r\n").as_bytes(),
        );
        release
    }

    /// No scans, and synthetic tables with a row for every scan of the release.
    pub fn tables() -> Self {
        let release = Self::empty();
        for table in ["overview.csv", "radiological_gradings.csv"] {
            release.write(table, &fs::read(fixture(table)).unwrap());
        }
        release
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Writes overview.csv with these scans and sexes; every other cell is as in a plausible row.
    pub fn table(&self, rows: &[(&str, &str)]) {
        let columns: Vec<_> = FIELDS.iter().map(|field| field.column).collect();
        let mut text = format!("new_file_name,{}\r\n", columns.join(","));
        for (scan, sex) in rows {
            let cell = |column: &&str| match *column {
                "sex" => (*sex).to_owned(),
                "num_vertebrae" | "num_discs" => "2".to_owned(),
                "birth_date" => "59.0".to_owned(),
                "subset" => "training".to_owned(),
                "Manufacturer" => "SIEMENS".to_owned(),
                "PixelSpacing" => "\"[2.0, 2.5]\"".to_owned(),
                "WindowCenter" => "2000.0".to_owned(),
                "WindowWidth" => "1000.0".to_owned(),
                _ => String::new(),
            };
            let cells: Vec<_> = columns.iter().map(cell).collect();
            text.push_str(&format!("{scan},{}\r\n", cells.join(",")));
        }
        self.write("overview.csv", text.as_bytes());
    }

    pub fn scan(&self, scan: &str, kind: Kind) {
        self.volume("images", scan, &image(kind));
        self.volume("masks", scan, &mask(kind));
    }

    pub fn volume(&self, folder: &str, scan: &str, volume: &Volume) {
        self.write(&format!("{folder}/{scan}.mha"), &file_of(volume));
    }

    /// Imports into `data`; must be called outside any runtime.
    pub fn import(&self, data: &Path) -> Report {
        self.import_into(&Destination::folder(data)).unwrap()
    }

    /// The same into any place, and in parts.
    pub fn import_into(&self, destination: &Destination) -> Result<Report, ImportError> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let source = Source::open(self.dir.path()).unwrap();
        let options = ImportOptions { jobs: 2, again: false, verify: false, prune: false, memory_bytes: 64 << 20 };
        ingest::run_into(&source, destination, options, runtime.handle(), &|_| ())
    }
}

/// A volume as a compressed MetaImage.
pub fn file_of(volume: &Volume) -> Vec<u8> {
    let mut file = Vec::new();
    metaimage::write(volume, Some(flate2::Compression::fast()), &mut file).unwrap();
    file
}

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
    router: Router,
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
            let limits = Limits { max_pixels: 4096 * 4096 };
            let renderer = Arc::new(Renderer::open(reader, store.clone(), pool, limits, cache_bytes).await.unwrap());
            (finish(App::new(Arc::clone(&renderer), store)), renderer, replica)
        });
        (Self { router: router(app.clone()), app, renderer, runtime, _data: None }, replica)
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
        let response = self.runtime.block_on(self.router.clone().oneshot(request)).unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        Begun { body: response.into_body() }
    }

    pub fn send(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(self.answer(request))
    }

    pub async fn answer(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
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
