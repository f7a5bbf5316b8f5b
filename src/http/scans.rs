use axum::response::Response;
use serde_json::{Value as Json, json};

use super::app::Question;
use super::bodies::{GradingBody, ScanDetail, ScanSummary};
use super::extract::ScanPath;
use super::listing::{self, Listing};
use super::problem::Problem;
use crate::index::Coverage;
use crate::spider::{HuggingFaceGradings, HuggingFaceMetadata, ScanId};

/// `GET /v1/scans`
pub(super) async fn list(question: Question) -> Result<Response, Problem> {
    let page = async {
        question.pairs.only(&["limit", "cursor", "volume"])?;
        let (limit, after) = (listing::limit(&question.pairs)?, listing::cursor::<ScanId>(&question.pairs)?);
        let page = question.app.index().scans(coverage(&question)?, after, limit).await?;
        let items: Vec<_> = page.items.iter().map(ScanSummary::new).collect();
        let next = page.next.map(|scan| scan.to_string());
        Ok(Listing::new(items, page.total, &question.uri, next.as_deref()))
    };
    question.answer_page(page).await
}

/// `GET /v1/scans/{id}`
pub(super) async fn show(ScanPath(scan): ScanPath, question: Question) -> Result<Response, Problem> {
    let body = async {
        question.pairs.only(&[])?;
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
        question.pairs.only(&["format"])?;
        let metadata = question.app.scan(scan).await?.metadata;
        let as_hugging_face = |metadata| json!(HuggingFaceMetadata(metadata));
        Ok(if wants_hugging_face(&question)? {
            metadata.as_ref().map_or(Json::Null, as_hugging_face)
        } else {
            json!(metadata)
        })
    };
    question.answer(body).await
}

/// `GET /v1/scans/{id}/gradings`
pub(super) async fn gradings(ScanPath(scan): ScanPath, question: Question) -> Result<Response, Problem> {
    let body = async {
        question.pairs.only(&["format"])?;
        question.app.scan(scan).await?;
        let gradings = question.app.index().gradings(scan.patient).await?;
        Ok(if wants_hugging_face(&question)? {
            json!(HuggingFaceGradings(&gradings))
        } else {
            json!(Listing::whole(gradings.iter().map(GradingBody::new).collect()))
        })
    };
    question.answer(body).await
}

/// `format=hf`: the dictionary of the Hugging Face edition.
fn wants_hugging_face(question: &Question) -> Result<bool, Problem> {
    match question.pairs.text("format").as_deref() {
        None | Some("json") => Ok(false),
        Some("hf") => Ok(true),
        Some(other) => {
            let detail = format!("format={other} is not valid: format is json (the default) or hf");
            Err(Problem::parameter("invalid_value", "format", detail, ["json", "hf"].map(str::to_owned).to_vec()))
        }
    }
}

fn coverage(question: &Question) -> Result<Coverage, Problem> {
    match question.pairs.text("volume").as_deref() {
        None | Some("present") => Ok(Coverage::Imported),
        Some("absent") => Ok(Coverage::Missing),
        Some("any") => Ok(Coverage::All),
        Some(other) => {
            let allowed = ["present", "absent", "any"].map(str::to_owned).to_vec();
            let detail = format!("volume={other} is not valid: volume is present (the default), absent or any");
            Err(Problem::parameter("invalid_value", "volume", detail, allowed))
        }
    }
}
