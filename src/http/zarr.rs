//! `GET /v1/scans/{id}.ome.zarr/…`: a scan's Zarr group, file by file, as it lies in the store. Clients of Zarr take 404 for
//! a key that is not there, and nothing else.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::app::App;
use super::extract::GroupPath;
use super::freshness::EntityTag;
use super::problem::{Code, Problem};
use super::ranges::File;
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
pub(super) async fn file(
    State(app): State<App>,
    GroupPath { scan, file }: GroupPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let missing = || Problem::new(Code::UnknownPath, format!("there is no {file} in the Zarr group of {scan}"));
    let bytes = app.pictures().group_file(scan, &file).await?.ok_or_else(missing)?;
    let revision = app.pictures().revision_of(scan).ok_or_else(missing)?;
    let media_type = if file.ends_with(".json") { "application/json" } else { "application/octet-stream" };
    if file == LABELS {
        let gradings = app.index().gradings(scan.patient).await?;
        let bytes = graded(&bytes, scan, &gradings).unwrap_or(bytes);
        return Ok(File { tag: EntityTag::of_bytes(&bytes), bytes, media_type }.answer(&headers));
    }
    if file == GROUP {
        let bytes = consolidated(&app, scan, &bytes).await?.unwrap_or(bytes);
        return Ok(File { tag: EntityTag::of_bytes(&bytes), bytes, media_type }.answer(&headers));
    }
    let tag = EntityTag::of(&["zarr", &scan.to_string(), &revision, &file]);
    Ok(File { bytes, media_type, tag }.answer(&headers))
}

/// The group's document with those of everything in it: over HTTP nothing can be listed, and xarray opens what is listed.
async fn consolidated(app: &App, scan: ScanId, document: &Bytes) -> Result<Option<Bytes>, Problem> {
    let Ok(mut group) = serde_json::from_slice::<Json>(document) else { return Ok(None) };
    let mut metadata = Map::new();
    for (name, file) in MEMBERS {
        let Some(bytes) = app.pictures().group_file(scan, file).await? else { return Ok(None) };
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
