use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::bodies::{Links, ScanSummary};
use crate::http::extract::PatientPath;
use crate::http::responses::documents::Answer;
use crate::http::responses::problem::{Code, Problem};
use crate::http::state::ApiRequest;
use crate::spider::{NamedGrading, PatientId, Split};

/// A patient with scans and gradings.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct PatientDetail {
    patient_id: PatientId,
    split: Option<Split>,
    sex: Option<String>,
    /// Years.
    age: Option<f64>,
    scans: Vec<ScanSummary>,
    gradings: Vec<NamedGrading>,
    links: Links,
}

/// `GET /v1/patients/{id}`
pub(in crate::http) async fn show(PatientPath(patient): PatientPath, request: ApiRequest) -> Result<Response, Problem> {
    let body = async {
        request.parameters(&[])?;
        let snapshot = request.snapshot().await?;
        let index = &snapshot.index;
        let scans = index.scans_of(patient).await?;
        let gradings = index.gradings(patient).await?;
        if scans.is_empty() && gradings.is_empty() {
            return Err(Problem::new(
                Code::UnknownPatient,
                format!("there is no patient {patient}; /v1/patients lists them"),
            ));
        }
        let metadata = || scans.iter().filter_map(|scan| scan.metadata.as_ref());
        let body = PatientDetail {
            patient_id: patient,
            split: scans.iter().find_map(|scan| scan.split),
            sex: metadata().find_map(|m| m.text("sex")).map(str::to_owned),
            age: metadata().find_map(|m| m.number("age")),
            scans: scans.iter().map(ScanSummary::new).collect(),
            gradings: gradings.iter().map(NamedGrading::new).collect(),
            links: Links::from_iter([("self".to_owned(), json!(format!("/v1/patients/{patient}")))]),
        };
        Ok(Answer::of(&snapshot, body))
    };
    request.answer(body).await
}
