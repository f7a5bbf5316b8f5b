use axum::response::Response;
use serde_json::{Value as Json, json};

use super::app::{Question, known_scan};
use super::bodies::{GradingBody, ScanDetail};
use super::documents::Answer;
use super::extract::ScanPath;
use super::listing::Listing;
use super::problem::Problem;
use crate::parameters::{Form, Parameter};
use crate::spider::{HuggingFaceGradings, HuggingFaceMetadata};

pub(super) const FORMAT: [Parameter; 1] = [Parameter {
    name: "format",
    allowed: "json, hf",
    form: Form::Choice(&["json", "hf"]),
    description: "hf gives the dictionary of the Hugging Face edition",
    example: "hf",
}];

/// `GET /v1/scans/{id}`
pub(super) async fn show(ScanPath(scan): ScanPath, question: Question) -> Result<Response, Problem> {
    let body = async {
        question.parameters(&[])?;
        let snapshot = question.snapshot().await?;
        let row = known_scan(&snapshot, scan).await?;
        let labels = snapshot.index.labels(scan).await?;
        let gradings = snapshot.index.gradings(scan.patient).await?;
        Ok(Answer::of(&snapshot, ScanDetail::new(row, &labels, &gradings)))
    };
    question.answer(body).await
}

/// `GET /v1/scans/{id}/metadata`
pub(super) async fn metadata(ScanPath(scan): ScanPath, question: Question) -> Result<Response, Problem> {
    let body = async {
        let for_hugging_face = wants_hugging_face(&question)?;
        let snapshot = question.snapshot().await?;
        let metadata = known_scan(&snapshot, scan).await?.metadata;
        let as_hugging_face = |metadata| json!(HuggingFaceMetadata(metadata));
        let body =
            if for_hugging_face { metadata.as_ref().map_or(Json::Null, as_hugging_face) } else { json!(metadata) };
        Ok(Answer::of(&snapshot, body))
    };
    question.answer(body).await
}

/// `GET /v1/scans/{id}/gradings`
pub(super) async fn gradings(ScanPath(scan): ScanPath, question: Question) -> Result<Response, Problem> {
    let body = async {
        let for_hugging_face = wants_hugging_face(&question)?;
        let snapshot = question.snapshot().await?;
        known_scan(&snapshot, scan).await?;
        let gradings = snapshot.index.gradings(scan.patient).await?;
        let body = if for_hugging_face {
            json!(HuggingFaceGradings(&gradings))
        } else {
            json!(Listing::whole(gradings.iter().map(GradingBody::new).collect()))
        };
        Ok(Answer::of(&snapshot, body))
    };
    question.answer(body).await
}

/// `format=hf`: the dictionary of the Hugging Face edition.
fn wants_hugging_face(question: &Question) -> Result<bool, Problem> {
    let asked = question.parameters(&FORMAT)?.value("format", |text| match text {
        "json" => Some(false),
        "hf" => Some(true),
        _ => None,
    })?;
    Ok(asked.unwrap_or(false))
}
