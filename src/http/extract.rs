//! Path and query as domain types. axum's own extractors answer in text/plain with parser text, so they are not used.

use std::borrow::Cow;
use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::problem::Problem;
use crate::spider::{PatientId, ScanId};

/// `{id}` of a path under `/v1/scans`.
pub(super) struct ScanPath(pub(super) ScanId);

/// `{id}` of a path under `/v1/patients`.
pub(super) struct PatientPath(pub(super) PatientId);

/// `{k}` of a path under `/v1/scans/{id}/slices`, as typed.
pub(super) struct SlicePath(pub(super) String);

/// The query, percent-decoded, in its order. Every handler says which names it takes.
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

async fn path_parameter<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Result<String, Problem> {
    let unreadable =
        |_| Problem::new(StatusCode::BAD_REQUEST, "invalid_path", "the path is not valid percent-encoded UTF-8");
    let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(unreadable)?;
    let found = parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    Ok(found.unwrap_or_default())
}

impl<S: Send + Sync> FromRequestParts<S> for ScanPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = path_parameter(parts, state, "id").await?;
        ScanId::from_str(&id).map(Self).map_err(|error| Problem::not_found("unknown_scan", error.to_string()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PatientPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = path_parameter(parts, state, "id").await?;
        let unknown = |_| {
            Problem::not_found("unknown_patient", format!("{id:?} is not a patient number; /v1/patients lists them"))
        };
        PatientId::from_str(&id).map(Self).map_err(unknown)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SlicePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        path_parameter(parts, state, "k").await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(query.as_bytes()).map(|(k, v)| (k.into_owned(), v.into_owned())).collect()))
    }
}

impl Pairs {
    /// Refuses any name that is not in `valid`, and any name given twice.
    pub(super) fn only(&self, valid: &[&str]) -> Result<(), Problem> {
        for (n, (name, _)) in self.0.iter().enumerate() {
            if !valid.contains(&name.as_str()) {
                return Err(unknown_parameter(name, valid));
            }
            if self.0.iter().take(n).any(|(earlier, _)| earlier == name) {
                return Err(Problem::parameter(
                    "repeated_parameter",
                    name,
                    format!("{name} is given twice; give it once"),
                    Vec::new(),
                ));
            }
        }
        Ok(())
    }

    /// The value of a parameter, parsed; `None` when it is not given.
    pub(super) fn value<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Problem> {
        let Some((_, text)) = self.0.iter().find(|(key, _)| key == name) else { return Ok(None) };
        let invalid = |_| {
            let detail = format!("{name}={text} is not valid: {name} is {expected}");
            Problem::parameter("invalid_value", name, detail, vec![expected.to_owned()])
        };
        text.parse().map(Some).map_err(invalid)
    }

    /// The value of a parameter as typed.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, text)| Cow::from(text.as_str()))
    }
}

fn unknown_parameter(name: &str, valid: &[&str]) -> Problem {
    let detail = if valid.is_empty() {
        format!("unknown parameter {name}: this address takes none")
    } else {
        format!("unknown parameter {name}: this address takes {}", valid.join(", "))
    };
    Problem::parameter("unknown_parameter", name, detail, valid.iter().map(|&v| v.to_owned()).collect())
}
