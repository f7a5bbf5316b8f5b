//! Path and query as domain types. axum's own extractors answer in text/plain with parser text, so they are not used.

use std::convert::Infallible;
use std::str::FromStr;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use mediatype::{MediaType, names};

use super::limits::Limits;
use super::responses::problem::{Code, Problem};
use super::state::App;
use crate::params::decode;
use crate::renderer::RendererError;
use crate::spider::{PatientId, ScanId};
use crate::worker_pool::Flow;

/// `{id}` of a path under `/v1/scans`.
pub(super) struct ScanPath(pub(super) ScanId);

/// `{id}` of a path under `/v1/patients`.
pub(super) struct PatientPath(pub(super) PatientId);

/// `{label}` of a path under `/v1/scans/{id}/discs`, as typed.
pub(super) struct DiscPath(pub(super) String);

/// `{id}.ome.zarr/{*file}` of a path under `/v1/scans`.
pub(super) struct GroupPath {
    pub(super) scan: ScanId,
    pub(super) file: String,
}

/// `{*path}` of a path under `/v1/exports`.
pub(super) struct ExportPath(pub(super) String);

/// `{revision}` and `{*path}` of a path of the Hub's, where it has them.
pub(super) struct HubPath {
    pub(super) revision: Option<String>,
    pub(super) path: Option<String>,
}

/// `{file}` of a path under `/viewer`.
pub(super) struct AssetPath(pub(super) String);

/// `{code}` of a path under `/problems`.
pub(super) struct CodePath(pub(super) Code);

/// `{k}` of a path under `/v1/scans/{id}/slices`, as typed.
pub(super) struct SlicePath(pub(super) String);

/// The query, percent-decoded, in its order. Every handler says which names it takes.
pub(super) struct RawPairs(pub(super) Vec<(String, String)>);

/// The whole body, within the limits of size and time. Memory is reserved for it before the first byte is read.
pub(super) async fn body_bytes(body: Body, app: &App, most: usize) -> Result<Bytes, Problem> {
    let Limits { body_time: time, .. } = *app.limits();
    let too_long = || Problem::new(Code::BodyTooLarge, format!("the body is longer than {most} bytes"));
    // Before the first read, which tells a client that waits for `100 Continue` to send the body.
    if body.size_hint().lower() > most as u64 {
        return Err(too_long());
    }
    let len = body.size_hint().exact().unwrap_or(most as u64);
    let reservation = app.renderer().pool().budget().reserve(Flow::interactive(), len).await;
    let reservation = reservation.map_err(RendererError::Memory)?;
    match tokio::time::timeout(time, axum::body::to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(reservation.hold(bytes)),
        Ok(Err(error)) if is_too_long(&error) => Err(too_long()),
        Ok(Err(error)) => Err(Problem::new(Code::InvalidBody, format!("the body broke off: {error}"))),
        Err(_) => {
            Err(Problem::new(Code::BodyTooSlow, format!("the body did not arrive within {} s", time.as_secs_f64())))
        }
    }
}

/// Refuses a body that is not JSON, or that is compressed: neither is guessed from its bytes.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |what: String| {
        Problem::new(Code::UnsupportedMediaType, format!("{what}; send application/json as Content-Type"))
    };
    let Some(sent) = headers.get(header::CONTENT_TYPE) else {
        return Err(unsupported("the request has no Content-Type".to_owned()));
    };
    let media_type = sent.to_str().ok().and_then(|text| MediaType::parse(text).ok());
    if media_type.is_none_or(|media_type| media_type.essence() != JSON) {
        return Err(unsupported(format!("the Content-Type of the body is {sent:?}")));
    }
    refuse_compressed(headers)
}

/// Refuses a body that HTTP says is compressed.
pub(super) fn refuse_compressed(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(header::CONTENT_ENCODING).filter(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        None => Ok(()),
        Some(coding) => Err(Problem::new(
            Code::UnsupportedMediaType,
            format!("the body is compressed ({coding:?}), and is read without Content-Encoding only"),
        )),
    }
}

const JSON: MediaType<'static> = MediaType::new(names::APPLICATION, names::JSON);

fn is_too_long(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>)
}

async fn path_parameter<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Result<String, Problem> {
    let unreadable = |_| Problem::new(Code::InvalidPath, "the path is not valid percent-encoded UTF-8");
    let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(unreadable)?;
    let found = parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    Ok(found.unwrap_or_default())
}

/// The scan that `{id}.ome.zarr` names.
fn scan_of_group(name: &str) -> Option<ScanId> {
    name.strip_suffix(".ome.zarr").and_then(|id| ScanId::from_str(id).ok())
}

impl<S: Send + Sync> FromRequestParts<S> for ScanPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = path_parameter(parts, state, "id").await?;
        if scan_of_group(&id).is_some() {
            let detail = format!("{id} is a Zarr group; open it by this URL, its document is /v1/scans/{id}/zarr.json");
            return Err(Problem::new(Code::UnknownScan, detail));
        }
        ScanId::from_str(&id).map(Self).map_err(|error| Problem::new(Code::UnknownScan, error.to_string()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PatientPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = path_parameter(parts, state, "id").await?;
        let unknown =
            |_| Problem::new(Code::UnknownPatient, format!("{id:?} is not a patient number; /v1/patients lists them"));
        PatientId::from_str(&id).map(Self).map_err(unknown)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CodePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = path_parameter(parts, state, "code").await?;
        let unknown =
            || Problem::new(Code::UnknownProblem, format!("there is no problem {name:?}; /problems lists them"));
        Code::ALL.into_iter().find(|code| code.name() == name).map(Self).ok_or_else(unknown)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for DiscPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        path_parameter(parts, state, "label").await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for GroupPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (name, file) = (path_parameter(parts, state, "id").await?, path_parameter(parts, state, "file").await?);
        match scan_of_group(&name) {
            Some(scan) => Ok(Self { scan, file }),
            None => {
                let detail = format!("there is nothing at /v1/scans/{name}/{file}");
                Err(Problem::new(Code::UnknownPath, detail))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ExportPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        path_parameter(parts, state, "path").await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for HubPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let given = |value: String| Some(value).filter(|value| !value.is_empty());
        let revision = given(path_parameter(parts, state, "revision").await?);
        Ok(Self { revision, path: given(path_parameter(parts, state, "path").await?) })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AssetPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        path_parameter(parts, state, "file").await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SlicePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        path_parameter(parts, state, "k").await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RawPairs {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(decode(parts.uri.query().unwrap_or_default())))
    }
}
