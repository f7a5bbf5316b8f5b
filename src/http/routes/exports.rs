//! Files that `sagittal export` wrote: listed, and served whole or in ranges.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use futures_util::TryStreamExt;
use schemars::JsonSchema;
use serde::Serialize;

use super::listing::Listing;
use crate::http::extract::ExportPath;
use crate::http::responses::caching::{CachePolicy, Caching};
use crate::http::responses::entity_tag::EntityTag;
use crate::http::responses::files::{requested, sized};
use crate::http::responses::problem::{Code, Problem};
use crate::http::responses::validator::Validator;
use crate::http::state::App;
use crate::store::{ExportManifest, ExportedFile, ManifestFile};

/// An exported file.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct ExportBody {
    /// Loader that it is for: hf-parquet, webdataset or nnunet.
    format: String,
    /// Name of the export among those of its format.
    name: String,
    /// Path of the file inside the export.
    file: String,
    bytes: u64,
    /// SHA-256, hexadecimal.
    sha256: String,
    /// Revision of the data that the export was made from.
    revision: u64,
    /// Its URL, which never gives other bytes: after the next export it gives 404.
    url: String,
}

/// `GET /v1/exports`. Exports come and go without the index knowing, so the list is made anew each time.
pub(in crate::http) async fn list(State(app): State<App>) -> Result<Response, Problem> {
    let body = |export: &ExportManifest, file: &ManifestFile| ExportBody {
        format: export.format.clone(),
        name: export.name.clone(),
        file: file.path.clone(),
        bytes: file.bytes,
        sha256: file.sha256.clone(),
        revision: export.revision,
        url: format!("/v1/exports/{}", export.path_of(&file.path)),
    };
    let exports = app.store().exports().await?;
    let files = exports.iter().flat_map(|export| export.files.iter().map(move |file| body(export, file)));
    let listing = Listing::whole(files.collect());
    let bytes = serde_json::to_vec(&listing).map_err(|error| Problem::internal(&error))?;
    let caching = Caching::new(CachePolicy::Revalidate, Validator::of_bytes(&bytes));
    Ok(caching.attach(([(header::CONTENT_TYPE, "application/json")], bytes)))
}

/// `GET /v1/exports/{*path}`
pub(in crate::http) async fn show(
    State(app): State<App>,
    ExportPath(path): ExportPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let missing = || {
        Problem::new(Code::UnknownPath, format!("there is no export {path}; /v1/exports lists those that there are"))
    };
    let file = app.store().export(&path).await?.ok_or_else(missing)?;
    send(&app, &headers, &file, missing).await
}

/// An exported file, or the part of it that is requested; what `missing` gives when it was removed meanwhile.
pub(in crate::http) async fn send(
    app: &App,
    headers: &HeaderMap,
    file: &ExportedFile,
    missing: impl Fn() -> Problem,
) -> Result<Response, Problem> {
    let tag = EntityTag::of(&["export", &file.path, &file.version]);
    let validator = Validator { tag, modified: Some(file.modified) };
    let range = match requested(headers, &validator, file.bytes) {
        Ok(range) => range,
        Err(response) => return Ok(*response),
    };
    let bytes = range.clone().unwrap_or(0..file.bytes);
    let body = if bytes.is_empty() {
        Body::empty()
    } else {
        let pieces = app.store().read_export(&file.path, bytes).await?.ok_or_else(missing)?;
        Body::from_stream(pieces.inspect_err(|error| {
            tracing::error!(error = error as &dyn std::error::Error, "an exported file was truncated");
        }))
    };
    Ok(sized(&validator, media_type(&file.path), file.bytes, range, body))
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("parquet") => "application/vnd.apache.parquet",
        Some("tar") => "application/x-tar",
        Some("json") => "application/json",
        Some("gz") => "application/gzip",
        _ => "application/octet-stream",
    }
}
