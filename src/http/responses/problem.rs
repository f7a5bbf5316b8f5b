//! Errors as `application/problem+json` (RFC 9457). Modules below know nothing of HTTP; the one place that turns their
//! errors into a status is here.

mod code;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::evaluation::EvaluationError;
use crate::http::middleware::request_id;
use crate::index::IndexError;
use crate::renderer::RendererError;
use crate::spider::ScanId;
use crate::store::StoreError;
use crate::worker_pool::BudgetError;

use crate::params::ParameterError;
pub(in crate::http) use code::Code;

/// What a client learns of an error. Boxed: every handler can return one, hardly any does.
#[derive(Debug, Clone)]
pub(in crate::http) struct Problem(Box<ProblemBody>);

/// A problem, as its JSON has it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(in crate::http) struct ProblemBody {
    /// Address of a page about problems of this kind.
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    /// Stable, for programs.
    code: Code,
    /// For people: what is wrong and what to do.
    detail: String,
    /// The parameter at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// What the parameter may be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    allowed: Vec<String>,
    /// The URL under which the data of the moment are.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_url: Option<String>,
    /// The name of the request, as in `X-Request-Id` and in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl Problem {
    /// A problem of a kind.
    pub(in crate::http) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(ProblemBody {
            kind: format!("/problems/{}", code.name()),
            title: code.title(),
            status: code.status().as_u16(),
            code,
            detail: detail.into(),
            parameter: None,
            allowed: Vec::new(),
            current_url: None,
            request_id: None,
        }))
    }

    /// A parameter is at fault.
    pub(in crate::http) fn parameter(code: Code, parameter: &str, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(code, detail);
        problem.0.parameter = Some(parameter.to_owned());
        problem
    }

    /// The same problem, of one of several things that were requested.
    pub(in crate::http) fn at(mut self, item: &str) -> Self {
        self.0.detail = format!("{item}: {}", self.0.detail);
        self.0.parameter = Some(item.to_owned());
        self
    }

    /// Whether it is of this kind.
    pub(in crate::http) fn is_of(&self, code: Code) -> bool {
        self.0.code == code
    }

    /// The same problem of a URL whose current one is this.
    pub(in crate::http) fn at_current(mut self, url: &str) -> Self {
        self.0.current_url = Some(url.to_owned());
        self
    }

    /// The same problem in other words.
    fn saying(mut self, detail: &str) -> Self {
        detail.clone_into(&mut self.0.detail);
        self
    }

    /// There is no such scan.
    pub(in crate::http) fn unknown_scan(scan: ScanId) -> Self {
        Self::new(Code::UnknownScan, format!("there is no scan {scan}; /v1/scans lists them"))
    }

    /// The data changed while the request was answered.
    pub(in crate::http) fn retry() -> Self {
        Self::new(Code::ScanReplaced, "the scan is just being imported; ask again")
    }

    /// What is wrong, and what to do.
    pub(in crate::http) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Which kind of problem it is.
    #[cfg(test)]
    pub(in crate::http) fn code(&self) -> Code {
        self.0.code
    }

    /// The JSON.
    pub(in crate::http) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).unwrap_or_default()
    }

    /// The store did not answer, and may do so again by itself.
    fn unreachable(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "the storage is out of reach");
        Self::new(Code::StorageUnreachable, "the storage that holds the scans did not answer; ask again")
    }

    /// The index cannot be read, and may be again by itself. The log has the path and the cause.
    fn of_unavailable_index(index: &IndexError, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "the index cannot be read");
        Self::new(Code::IndexUnavailable, format!("{}; try again in a moment", Self::index_state(index)))
    }

    /// What is wrong with the index, without its path.
    pub(in crate::http) fn index_state(error: &IndexError) -> &'static str {
        match error {
            IndexError::Missing(_) => "the index file is gone",
            IndexError::Busy { .. } => "the index is locked by another process",
            IndexError::Schema { .. } | IndexError::Newer { .. } | IndexError::Fields { .. } => {
                "the index comes from another version of this program"
            }
            IndexError::Interrupted { .. } => "an import was killed while it changed the index",
            _ => "the index file cannot be read",
        }
    }

    /// Something inside failed. The client learns no more than that; the log has the rest.
    pub(in crate::http) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "request failed");
        Self::new(Code::InternalError, "the server could not answer this request; its log says why")
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        self.0.request_id = request_id::current();
        let body = self.body();
        let status = self.0.code.status();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<ParameterError> for Problem {
    fn from(error: ParameterError) -> Self {
        let mut problem = Self::parameter(Code::of_parameter(error.kind), &error.parameter, error.message);
        problem.0.allowed = error.allowed;
        problem
    }
}

impl From<EvaluationError> for Problem {
    fn from(error: EvaluationError) -> Self {
        match error {
            EvaluationError::Unreadable(detail) => Self::new(Code::InvalidBody, detail),
            EvaluationError::OtherGrid(detail) => Self::new(Code::GridMismatch, detail),
            EvaluationError::Conflict { parameter, message } => {
                Self::parameter(Code::ConflictingParameters, parameter, message)
            }
        }
    }
}

impl From<RendererError> for Problem {
    fn from(error: RendererError) -> Self {
        match error {
            RendererError::UnknownScan(scan) => Self::unknown_scan(scan),
            RendererError::SliceOutOfRange { .. } | RendererError::NoSuchSliceName { .. } => {
                Self::new(Code::UnknownSlice, error.to_string())
            }
            RendererError::Parameter(error) => error.into(),
            RendererError::QueueFull(full) => Self::new(Code::Overloaded, full.to_string()),
            RendererError::Memory(error @ BudgetError::Busy(_)) => Self::new(Code::Overloaded, error.to_string()),
            RendererError::Memory(error @ BudgetError::TooLarge { .. }) => {
                Self::new(Code::OutputTooLarge, format!("{error}; ask for less"))
            }
            RendererError::Replaced(_) => Self::new(Code::ScanReplaced, error.to_string()),
            RendererError::Store(ref store) if store.is_unreachable() => Self::unreachable(&error),
            RendererError::Store(_) => {
                let detail = "what is stored of this scan is damaged or cannot be read; the server's log says why, `sagittal check` names every such slice, and `sagittal import --again` repairs them";
                Self::internal(&error).saying(detail)
            }
            RendererError::Index(ref index) if index.is_unavailable() => Self::of_unavailable_index(index, &error),
            RendererError::Index(_) | RendererError::Render(_) | RendererError::Panicked(_) => Self::internal(&error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_unreachable() { Self::unreachable(&error) } else { Self::internal(&error) }
    }
}

impl From<IndexError> for Problem {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::TooSlow(limit) => {
                let detail = format!(
                    "the query was cancelled after {} s; narrow it with more conditions, or request fewer fields",
                    limit.as_secs_f64()
                );
                Self::new(Code::QueryTooSlow, detail)
            }
            _ if error.is_unavailable() => Self::of_unavailable_index(&error, &error),
            _ => Self::internal(&error),
        }
    }
}
