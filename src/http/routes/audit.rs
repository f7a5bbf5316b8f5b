//! `GET /v1/audit`: what is odd in the data.

use std::collections::BTreeMap;

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::{CODES, Finding, Severity, audit};
use crate::http::responses::documents::Answer;
use crate::http::responses::problem::Problem;
use crate::http::state::ApiRequest;
use crate::params::{Form, Parameter};
use crate::spider::ScanId;

pub(in crate::http) const PARAMETERS: [Parameter; 3] = [
    Parameter {
        name: "severity",
        allowed: "info, warning, error",
        form: Form::Choice(Severity::NAMES),
        description: "findings that matter at least so much",
        example: "warning",
    },
    Parameter {
        name: "scan_id",
        allowed: "a scan id such as 5_t2_SPACE",
        form: Form::Pattern(ScanId::PATTERN),
        description: "findings about this scan",
        example: "1_t1",
    },
    Parameter {
        name: "code",
        allowed: "a code that the findings have",
        form: Form::Choice(&CODES),
        description: "findings of this kind",
        example: "oblique",
    },
];

/// What is odd in the data.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct AuditBody {
    items: Vec<Finding>,
    /// Findings by code.
    counts: BTreeMap<&'static str, usize>,
    total: usize,
    /// Always null: the list is whole.
    next: Option<String>,
}

/// `GET /v1/audit`
pub(in crate::http) async fn list(request: ApiRequest) -> Result<Response, Problem> {
    let body = async {
        let pairs = request.parameters(&PARAMETERS)?;
        let severity: Option<Severity> = pairs.parsed("severity")?;
        let scan: Option<ScanId> = pairs.parsed("scan_id")?;
        let code = pairs.text("code");
        let asked = |finding: &Finding| {
            severity.is_none_or(|least| finding.severity >= least)
                && scan.is_none_or(|scan| finding.scan_id == scan)
                && code.is_none_or(|code| finding.code == code)
        };
        let snapshot = request.snapshot().await?;
        let items: Vec<_> = audit(&snapshot.index).await?.into_iter().filter(asked).collect();
        let mut counts = BTreeMap::<_, usize>::new();
        items.iter().for_each(|finding| *counts.entry(finding.code).or_default() += 1);
        Ok(Answer::of(&snapshot, AuditBody { total: items.len(), items, counts, next: None }))
    };
    request.answer(body).await
}
