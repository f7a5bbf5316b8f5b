use axum::response::Response;
use serde_json::{Value as Json, json};

use super::app::Question;
use super::bodies::{GradingBody, ScanDetail};
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
        let row = question.app.scan(scan).await?;
        let labels = question.app.index().labels(scan).await?;
        let gradings = question.app.index().gradings(scan.patient).await?;
        Ok(ScanDetail::new(row, &labels, &gradings))
    };
    question.answer(body).await
}

/// `GET /v1/scans/{id}/metadata`
pub(super) async fn metadata(ScanPath(scan): ScanPath, question: Question) -> Result<Response, Problem> {
    let body = async {
        let for_hugging_face = wants_hugging_face(&question)?;
        let metadata = question.app.scan(scan).await?.metadata;
        let as_hugging_face = |metadata| json!(HuggingFaceMetadata(metadata));
        Ok(if for_hugging_face { metadata.as_ref().map_or(Json::Null, as_hugging_face) } else { json!(metadata) })
    };
    question.answer(body).await
}

/// `GET /v1/scans/{id}/gradings`
pub(super) async fn gradings(ScanPath(scan): ScanPath, question: Question) -> Result<Response, Problem> {
    let body = async {
        let for_hugging_face = wants_hugging_face(&question)?;
        question.app.scan(scan).await?;
        let gradings = question.app.index().gradings(scan.patient).await?;
        Ok(if for_hugging_face {
            json!(HuggingFaceGradings(&gradings))
        } else {
            json!(Listing::whole(gradings.iter().map(GradingBody::new).collect()))
        })
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
