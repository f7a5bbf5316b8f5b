use axum::response::Response;
use serde_json::json;

use super::app::Question;
use super::problem::Problem;
use crate::index::DatasetCount;
use crate::spider::dataset;

/// `GET /v1/dataset`
pub(super) async fn show(question: Question) -> Result<Response, Problem> {
    let body = async {
        question.pairs.only(&[])?;
        let counts = question.app.index().counts().await?;
        let sum = |of: fn(&DatasetCount) -> u64| counts.iter().map(of).sum::<u64>();
        let count = |c: &DatasetCount| json!({ "split": c.split, "scan_type": c.scan_type, "scans": c.scans, "volumes": c.volumes, "slices": c.slices });
        Ok(json!({
            "name": dataset::NAME,
            "title": dataset::TITLE,
            "description": dataset::DESCRIPTION,
            "licence": { "id": dataset::LICENCE, "url": dataset::LICENCE_URL },
            "doi": dataset::DOI,
            "citation": dataset::CITATION,
            "bibtex": dataset::BIBTEX,
            "revision": question.app.pictures().catalogue().revision,
            "scans": sum(|c| c.scans),
            "volumes": sum(|c| c.volumes),
            "slices": sum(|c| c.slices),
            "counts": counts.iter().map(count).collect::<Vec<_>>(),
            "links": {
                "self": "/v1/dataset",
                "scans": "/v1/scans",
                "patients": "/v1/patients",
                "labels": "/v1/labels",
                "splits": "/v1/splits",
                "audit": "/v1/audit",
                "elsewhere": dataset::LINKS.map(|(name, url)| json!({ "name": name, "url": url })),
            },
        }))
    };
    question.answer(body).await
}
