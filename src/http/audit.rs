//! `GET /v1/audit`: what is odd in the data.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::json;

use super::app::Question;
use super::problem::Problem;
use crate::audit::{CODES, Finding, Severity, audit};
use crate::spider::ScanId;

/// `GET /v1/audit`
pub(super) async fn list(question: Question) -> Result<Response, Problem> {
    let body = async {
        question.pairs.only(&["severity", "scan_id", "code"])?;
        let severity: Option<Severity> = question.pairs.value("severity", "info, warning or error")?;
        let scan: Option<ScanId> = question.pairs.value("scan_id", "a scan id such as 5_t2_SPACE")?;
        let code = question.pairs.text("code");
        if let Some(unknown) = code.as_deref().filter(|code| !CODES.contains(code)) {
            let detail = format!("code={unknown} is not valid: code is {}", CODES.join(", "));
            return Err(Problem::parameter("invalid_value", "code", detail, CODES.map(str::to_owned).to_vec()));
        }
        let asked = |finding: &Finding| {
            severity.is_none_or(|least| finding.severity >= least)
                && scan.is_none_or(|scan| finding.scan_id == scan)
                && code.as_deref().is_none_or(|code| finding.code == code)
        };
        let found: Vec<_> = audit(question.app.index()).await?.into_iter().filter(asked).collect();
        let mut counts = BTreeMap::<_, usize>::new();
        found.iter().for_each(|finding| *counts.entry(finding.code).or_default() += 1);
        Ok(json!({ "total": found.len(), "next": null, "counts": counts, "items": found }))
    };
    question.answer(body).await
}
