//! Errors as `application/problem+json` (RFC 9457). Rooms below know nothing of HTTP; the one place that turns their
//! errors into a status is here.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::index::IndexError;
use crate::pictures::PictureError;
use crate::render::ParameterError;

/// What a client is told of an error. Boxed: every handler can return one, hardly any does.
#[derive(Debug, Clone)]
pub(super) struct Problem(Box<Told>);

#[derive(Debug, Clone, Serialize)]
struct Told {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    #[serde(serialize_with = "status_number")]
    status: StatusCode,
    /// Stable, for programs.
    code: &'static str,
    /// For people: what is wrong and what to do.
    detail: String,
    /// The parameter at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// What the parameter may be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn status_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem with a stable code.
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Told {
            kind: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            code,
            detail: detail.into(),
            parameter: None,
            allowed: Vec::new(),
        }))
    }

    /// There is nothing of that name.
    pub(super) fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// A parameter is at fault.
    pub(super) fn parameter(
        code: &'static str,
        parameter: &str,
        detail: impl Into<String>,
        allowed: Vec<String>,
    ) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail).about(parameter, allowed)
    }

    fn about(mut self, parameter: &str, allowed: Vec<String>) -> Self {
        self.0.parameter = Some(parameter.to_owned());
        self.0.allowed = allowed;
        self
    }

    /// The data changed while the request was answered.
    pub(super) fn retry() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "scan_replaced", "the scan is just being imported; ask again")
    }

    /// Something inside failed. The client learns no more than that; the log has the rest.
    pub(super) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %Chain(error), "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "the server could not answer this request; its log says why",
        )
    }
}

/// An error followed by its sources.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut response = (self.0.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.0.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<ParameterError> for Problem {
    fn from(error: ParameterError) -> Self {
        let status = match error.code {
            "output_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.code, error.message).about(&error.parameter, error.allowed)
    }
}

impl From<PictureError> for Problem {
    fn from(error: PictureError) -> Self {
        match error {
            PictureError::UnknownScan(scan) => {
                Self::not_found("unknown_scan", format!("there is no scan {scan}; /v1/scans lists them"))
            }
            PictureError::SliceOutOfRange { .. } | PictureError::NoSuchSliceName { .. } => {
                Self::not_found("unknown_slice", error.to_string())
            }
            PictureError::Parameter(error) => error.into(),
            PictureError::Full(full) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", full.to_string()),
            PictureError::Replaced(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "scan_replaced", error.to_string()),
            PictureError::Store(_) | PictureError::Index(_) | PictureError::Render(_) | PictureError::Broken(_) => {
                Self::internal(&error)
            }
        }
    }
}

impl From<IndexError> for Problem {
    fn from(error: IndexError) -> Self {
        Self::internal(&error)
    }
}
