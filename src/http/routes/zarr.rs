//! `GET /v1/scans/{id}.ome.zarr/…`: a scan's Zarr group, file by file, as it lies in the store. Clients of Zarr take 404 for
//! a key that is not there, and nothing else.

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use crate::http::extract::GroupPath;
use crate::http::responses::entity_tag::EntityTag;
use crate::http::responses::files::InMemoryFile;
use crate::http::responses::problem::{Code, Problem};
use crate::http::responses::validator::Validator;
use crate::http::state::ApiRequest;
use crate::renderer::{Catalogue, Renderer};
use crate::spider::{CONDITIONS, Grading, ScanId};

/// The group's own document.
const GROUP: &str = "zarr.json";
/// What is in the group, and the document of each.
const MEMBERS: [(&str, &str); 4] = [
    ("image", "image/zarr.json"),
    ("labels", "labels/zarr.json"),
    ("labels/spider", LABELS),
    ("labels/spider/0", "labels/spider/0/zarr.json"),
];
/// The document that tells what the labels are.
const LABELS: &str = "labels/spider/zarr.json";

/// `GET /v1/scans/{id}/{*file}`, for names of groups.
pub(in crate::http) async fn file(
    GroupPath { scan, file }: GroupPath,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.retried(|catalogue| answer(&request, catalogue, scan, &file)).await
}

async fn answer(
    request: &ApiRequest,
    catalogue: Arc<Catalogue>,
    scan: ScanId,
    file: &str,
) -> Result<Response, Problem> {
    let media_type = if file.ends_with(".json") { "application/json" } else { "application/octet-stream" };
    // Gradings are in the index only: the catalogue that goes with them is the snapshot's.
    let (catalogue, gradings) = if file == LABELS {
        let snapshot = request.snapshot().await?;
        let gradings = snapshot.index.gradings(scan.patient).await?;
        (snapshot.catalogue, gradings)
    } else {
        (catalogue, Vec::new())
    };
    let missing = || Problem::new(Code::UnknownPath, format!("there is no {file} in the Zarr group of {scan}"));
    let group = catalogue.group(scan).ok_or_else(missing)?;
    let tables = catalogue.tables_sha256.as_deref().filter(|_| file == LABELS).unwrap_or_default();
    let tag = EntityTag::of(&["zarr", &scan.to_string(), &group.revision, tables, file]);
    let validator = Validator::of_revision(tag, catalogue.revision);
    let renderer = request.app.renderer();
    let bytes = renderer.group_file(&catalogue, scan, file).await?.ok_or_else(missing)?;
    let bytes = match file {
        LABELS => graded(&bytes, scan, &gradings).unwrap_or(bytes),
        GROUP => consolidated(renderer, &catalogue, scan, &bytes).await?.unwrap_or(bytes),
        _ => bytes,
    };
    Ok(InMemoryFile { bytes, media_type, validator }.answer(&request.headers))
}

/// The group's document with those of everything in it: over HTTP nothing can be listed, and xarray opens what is listed.
async fn consolidated(
    renderer: &Renderer,
    catalogue: &Catalogue,
    scan: ScanId,
    document: &Bytes,
) -> Result<Option<Bytes>, Problem> {
    let Ok(mut group) = serde_json::from_slice::<Json>(document) else { return Ok(None) };
    let mut metadata = Map::new();
    for (name, file) in MEMBERS {
        let Some(bytes) = renderer.group_file(catalogue, scan, file).await? else { return Ok(None) };
        metadata.insert(name.to_owned(), serde_json::from_slice(&bytes).unwrap_or_default());
    }
    group["consolidated_metadata"] = json!({ "kind": "inline", "must_understand": false, "metadata": metadata });
    Ok(serde_json::to_vec(&group).ok().map(Bytes::from))
}

/// The labels' document with the patient's gradings among the properties of the discs.
fn graded(document: &Bytes, scan: ScanId, gradings: &[Grading]) -> Option<Bytes> {
    let mut document: Json = serde_json::from_slice(document).ok()?;
    let properties = document.pointer_mut("/attributes/ome/image-label/properties")?.as_array_mut()?;
    for property in properties {
        let of = |grading: &&Grading| {
            grading.mask_label().map(|label| json!(label)) == Some(property["label-value"].clone())
        };
        let Some(grading) = gradings.iter().find(of) else { continue };
        for (condition, value) in CONDITIONS.iter().zip(grading.values()) {
            property[condition.name] = json!(value);
        }
    }
    document["attributes"]["sagittal"]["scan_id"] = json!(scan.to_string());
    Some(serde_json::to_vec(&document).ok()?.into())
}
