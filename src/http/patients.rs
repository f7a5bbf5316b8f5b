use axum::response::Response;
use serde::Serialize;

use super::app::Question;
use super::bodies::{GradingBody, ScanSummary};
use super::extract::PatientPath;
use super::listing::{self, Listing};
use super::problem::Problem;
use crate::spider::{PatientId, Split};

#[derive(Debug, Serialize)]
struct PatientSummary {
    patient_id: PatientId,
    split: Split,
    links: Links,
}

#[derive(Debug, Serialize)]
struct PatientDetail {
    patient_id: PatientId,
    split: Option<Split>,
    sex: Option<String>,
    /// Years.
    age: Option<f64>,
    scans: Vec<ScanSummary>,
    gradings: Vec<GradingBody>,
    links: Links,
}

#[derive(Debug, Serialize)]
struct Links {
    #[serde(rename = "self")]
    this: String,
}

impl Links {
    fn of(patient: PatientId) -> Self {
        Self { this: format!("/v1/patients/{patient}") }
    }
}

/// `GET /v1/patients`
pub(super) async fn list(question: Question) -> Result<Response, Problem> {
    let page = async {
        question.pairs.only(&["limit", "cursor"])?;
        let (limit, after) = (listing::limit(&question.pairs)?, listing::cursor::<PatientId>(&question.pairs)?);
        let page = question.app.index().patients(after, limit).await?;
        let summary = |&(patient_id, split): &(PatientId, Split)| PatientSummary {
            patient_id,
            split,
            links: Links::of(patient_id),
        };
        let items: Vec<_> = page.items.iter().map(summary).collect();
        let next = page.next.map(|patient| patient.to_string());
        Ok(Listing::new(items, page.total, &question.uri, next.as_deref()))
    };
    question.answer_page(page).await
}

/// `GET /v1/patients/{id}`
pub(super) async fn show(PatientPath(patient): PatientPath, question: Question) -> Result<Response, Problem> {
    let body = async {
        question.pairs.only(&[])?;
        let scans = question.app.index().scans_of(patient).await?;
        let gradings = question.app.index().gradings(patient).await?;
        if scans.is_empty() && gradings.is_empty() {
            return Err(Problem::not_found(
                "unknown_patient",
                format!("there is no patient {patient}; /v1/patients lists them"),
            ));
        }
        let metadata = || scans.iter().filter_map(|scan| scan.metadata.as_ref());
        Ok(PatientDetail {
            patient_id: patient,
            split: scans.iter().find_map(|scan| scan.split),
            sex: metadata().find_map(|m| m.text("sex")).map(str::to_owned),
            age: metadata().find_map(|m| m.number("age")),
            scans: scans.iter().map(ScanSummary::new).collect(),
            gradings: gradings.iter().map(GradingBody::new).collect(),
            links: Links::of(patient),
        })
    };
    question.answer(body).await
}
