use axum::response::Response;
use serde_json::{Value as Json, json};

use super::bodies::ScanDetail;
use super::listing::Listing;
use crate::http::extract::ScanPath;
use crate::http::responses::documents::Answer;
use crate::http::responses::problem::Problem;
use crate::http::state::{ApiRequest, known_scan};
use crate::params::{Form, Parameter};
use crate::spider::{HuggingFaceGradings, HuggingFaceMetadata, NamedGrading};

pub(in crate::http) const FORMAT: [Parameter; 1] = [Parameter {
    name: "format",
    allowed: "json, hf",
    form: Form::Choice(&["json", "hf"]),
    description: "hf gives the dictionary of the Hugging Face edition",
    example: "hf",
}];

/// `GET /v1/scans/{id}`
pub(in crate::http) async fn show(ScanPath(scan): ScanPath, request: ApiRequest) -> Result<Response, Problem> {
    let body = async {
        request.parameters(&[])?;
        let snapshot = request.snapshot().await?;
        let row = known_scan(&snapshot, scan).await?;
        let labels = snapshot.index.labels(scan).await?;
        let gradings = snapshot.index.gradings(scan.patient).await?;
        Ok(Answer::of(&snapshot, ScanDetail::new(row, &labels, &gradings)))
    };
    request.answer(body).await
}

/// `GET /v1/scans/{id}/metadata`
pub(in crate::http) async fn metadata(ScanPath(scan): ScanPath, request: ApiRequest) -> Result<Response, Problem> {
    let body = async {
        let for_hugging_face = wants_hugging_face(&request)?;
        let snapshot = request.snapshot().await?;
        let metadata = known_scan(&snapshot, scan).await?.metadata;
        let as_hugging_face = |metadata| json!(HuggingFaceMetadata(metadata));
        let body =
            if for_hugging_face { metadata.as_ref().map_or(Json::Null, as_hugging_face) } else { json!(metadata) };
        Ok(Answer::of(&snapshot, body))
    };
    request.answer(body).await
}

/// `GET /v1/scans/{id}/gradings`
pub(in crate::http) async fn gradings(ScanPath(scan): ScanPath, request: ApiRequest) -> Result<Response, Problem> {
    let body = async {
        let for_hugging_face = wants_hugging_face(&request)?;
        let snapshot = request.snapshot().await?;
        known_scan(&snapshot, scan).await?;
        let gradings = snapshot.index.gradings(scan.patient).await?;
        let body = if for_hugging_face {
            json!(HuggingFaceGradings(&gradings))
        } else {
            json!(Listing::whole(gradings.iter().map(NamedGrading::new).collect()))
        };
        Ok(Answer::of(&snapshot, body))
    };
    request.answer(body).await
}

/// `format=hf`: the dictionary of the Hugging Face edition.
fn wants_hugging_face(request: &ApiRequest) -> Result<bool, Problem> {
    Ok(request.parameters(&FORMAT)?.text("format") == Some("hf"))
}
