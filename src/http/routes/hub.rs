//! The part of the Hugging Face Hub's API that its clients need to load the exports of `--format hf-parquet`, as the dataset
//! `cdoswald/SPIDER`: with `HF_ENDPOINT=http://host:8080` in the environment, `datasets`, `huggingface_hub` and `hf://` paths
//! read from this server. The paths and fields are the Hub's: <https://huggingface.co/docs/hub/api>.

mod card;
mod repository;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json as JsonBody, Router};
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::exports;
use crate::http::extract::{HubPath, RawPairs, body_bytes};
use crate::http::responses::caching::{CachePolicy, Caching};
use crate::http::responses::files::InMemoryFile;
use crate::http::responses::problem::{Code, Problem};
use crate::http::responses::validator::Validator;
use crate::http::state::App;
use crate::params::{decode, flag};

use repository::{FileContents, Repository};
pub(in crate::http) use repository::{Repositories, repositories};

/// The dataset's name on the Hub.
const NAME: &str = "cdoswald/SPIDER";

/// The revision that clients request when none is given.
const MAIN: &str = "main";

const COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");
/// What failed, for the Hub's clients; they show the message.
const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
const ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");

/// What is wrong before the first export.
const NOT_EXPORTED: &str = "nothing is exported for Hugging Face datasets yet: run `sagittal export --format hf-parquet --data \
                            DATA` on the server; `sagittal demo` does so by itself within seconds";

/// Every route.
pub(in crate::http) fn routes() -> Router<App> {
    let api = format!("/api/datasets/{NAME}");
    [
        (api.clone(), get(info)),
        (format!("{api}/revision/{{revision}}"), get(info)),
        (format!("{api}/tree/{{revision}}"), get(tree)),
        (format!("{api}/tree/{{revision}}/{{*path}}"), get(tree)),
        (format!("{api}/paths-info/{{revision}}"), post(paths_info)),
        (format!("/datasets/{NAME}/resolve/{{revision}}/{{*path}}"), get(resolve)),
    ]
    .into_iter()
    .fold(Router::new(), |router, (path, handler)| router.route(&path, handler))
}

/// A failed request, with the Hub's name for the failure if it has one.
struct HubError {
    code: Option<&'static str>,
    problem: Problem,
}

impl HubError {
    fn entry_not_found(path: &str) -> Self {
        let problem = Problem::new(Code::UnknownPath, format!("there is no {path} in {NAME}"));
        Self { code: Some("EntryNotFound"), problem }
    }
}

impl<E: Into<Problem>> From<E> for HubError {
    fn from(error: E) -> Self {
        Self { code: None, problem: error.into() }
    }
}

impl IntoResponse for HubError {
    fn into_response(self) -> Response {
        let message = HeaderValue::from_str(self.problem.detail());
        let mut response = self.problem.into_response();
        let headers = response.headers_mut();
        headers.extend(self.code.map(|code| (ERROR_CODE, HeaderValue::from_static(code))));
        headers.extend(message.map(|message| (ERROR_MESSAGE, message)));
        response
    }
}

/// The dataset at a revision.
async fn repository(app: &App, revision: &str) -> Result<Arc<Repository>, HubError> {
    if let Some(known) = app.repositories().get(revision) {
        return Ok(known);
    }
    // Clients show the message of this status, and of 404 their own.
    let not_exported = || HubError::from(Problem::new(Code::NotExported, NOT_EXPORTED));
    let current = Arc::new(Repository::read(app.store()).await?.ok_or_else(not_exported)?);
    app.repositories().insert(current.sha.clone(), Arc::clone(&current));
    if [MAIN, &current.sha].contains(&revision) {
        return Ok(current);
    }
    let detail = format!("there is no revision {revision} of {NAME}, or not any more: it is at {} now", current.sha);
    Err(HubError { code: Some("RevisionNotFound"), problem: Problem::new(Code::UnknownRevision, detail) })
}

/// `GET /api/datasets/cdoswald/SPIDER`, `…/revision/{revision}`
async fn info(
    State(app): State<App>,
    HubPath { revision, .. }: HubPath,
    headers: HeaderMap,
) -> Result<Response, HubError> {
    let repository = repository(&app, revision.as_deref().unwrap_or(MAIN)).await?;
    let file = |(path, file): (&String, &repository::RepositoryFile)| json!({ "rfilename": path, "size": file.bytes });
    let modified = repository.last_modified();
    let body = json!({
        "_id": repository.sha[..24],
        "id": NAME,
        "author": NAME.split('/').next(),
        "sha": repository.sha,
        "createdAt": modified,
        "lastModified": modified,
        "private": false,
        "gated": false,
        "disabled": false,
        "downloads": 0,
        "likes": 0,
        "tags": card::TAGS,
        "siblings": repository.files.iter().map(file).collect::<Vec<_>>(),
    });
    Ok(document(&body, &repository, &headers))
}

/// `GET /api/datasets/cdoswald/SPIDER/tree/{revision}[/{folder}]`
async fn tree(
    State(app): State<App>,
    HubPath { revision, path }: HubPath,
    RawPairs(pairs): RawPairs,
    headers: HeaderMap,
) -> Result<Response, HubError> {
    let repository = repository(&app, revision.as_deref().unwrap_or(MAIN)).await?;
    let folder = path.as_deref().unwrap_or_default().trim_matches('/');
    // Clients in Python write `True`.
    let is_set = |name: &str| pairs.iter().any(|(n, v)| n == name && flag(&v.to_ascii_lowercase()) == Some(true));
    let entries = repository.entries(folder, is_set("recursive"));
    if entries.is_empty() {
        return Err(HubError::entry_not_found(folder));
    }
    let body: Vec<_> = entries.iter().map(|entry| repository.describe(entry)).collect();
    Ok(document(&json!(body), &repository, &headers))
}

/// `POST /api/datasets/cdoswald/SPIDER/paths-info/{revision}`: a form with `paths`; those that there are.
async fn paths_info(
    State(app): State<App>,
    HubPath { revision, .. }: HubPath,
    body: Body,
) -> Result<Response, HubError> {
    let repository = repository(&app, revision.as_deref().unwrap_or(MAIN)).await?;
    let body = body_bytes(body, &app, app.limits().body_bytes).await?;
    let form = decode(&String::from_utf8_lossy(&body));
    let paths = form.iter().filter(|(name, _)| name == "paths").map(|(_, path)| path.trim_matches('/'));
    let found: Vec<_> = paths.filter_map(|path| Some(repository.describe(&repository.entry(path)?))).collect();
    Ok(Caching::NO_STORE.attach(JsonBody(json!(found))))
}

/// `GET /datasets/cdoswald/SPIDER/resolve/{revision}/{path}`
async fn resolve(
    State(app): State<App>,
    HubPath { revision, path }: HubPath,
    headers: HeaderMap,
) -> Result<Response, HubError> {
    let path = path.unwrap_or_default();
    let repository = match repository(&app, revision.as_deref().unwrap_or(MAIN)).await {
        // Clients look for the card first, and take any other error than this for a broken connection.
        Err(error) if error.problem.is_of(Code::NotExported) => {
            let problem = Problem::new(Code::UnknownPath, NOT_EXPORTED);
            return Err(HubError { code: Some("EntryNotFound"), problem });
        }
        found => found?,
    };
    let missing = || HubError::entry_not_found(&path);
    let file = repository.files.get(&path).ok_or_else(missing)?;
    let response = match &file.contents {
        FileContents::Readme(text) => {
            let (bytes, validator) = (text.clone(), Validator::of_bytes(text));
            InMemoryFile { bytes, media_type: "text/markdown; charset=utf-8", validator }.answer(&headers)
        }
        FileContents::Export(exported) => {
            let found = app.store().export(exported).await?.ok_or_else(missing)?;
            exports::send(&app, &headers, &found, || missing().problem).await?
        }
    };
    Ok(at_commit(response, &repository))
}

fn document(body: &Json, repository: &Repository, headers: &HeaderMap) -> Response {
    let bytes = Bytes::from(body.to_string());
    let caching = Caching::new(CachePolicy::Revalidate, Validator::of_bytes(&bytes));
    let response = caching
        .decided(headers)
        .unwrap_or_else(|| caching.attach(([(header::CONTENT_TYPE, "application/json")], bytes)));
    at_commit(response, repository)
}

fn at_commit(mut response: Response, repository: &Repository) -> Response {
    response.headers_mut().extend(HeaderValue::from_str(&repository.sha).map(|sha| (COMMIT, sha)));
    response
}
