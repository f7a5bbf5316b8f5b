//! Every kind of problem there is: what clients may rely on.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::params::ParameterErrorKind;

/// A kind of problem. Its name never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum Code {
    UrlTooLong,
    ResponseTooSlow,
    BodyTooLarge,
    BodyTooSlow,
    ConflictingParameters,
    GridMismatch,
    IndexUnavailable,
    InternalError,
    InvalidBody,
    InvalidCursor,
    InvalidHost,
    InvalidPath,
    InvalidValue,
    LayoutUnavailable,
    MethodNotAllowed,
    NoVolume,
    NotExported,
    NotReady,
    OutputTooLarge,
    Overloaded,
    PreconditionFailed,
    QueryTooSlow,
    RangeNotSatisfiable,
    RepeatedParameter,
    RevisionGone,
    ScanReplaced,
    SignatureInvalid,
    StorageUnreachable,
    TableTooLarge,
    Unauthorized,
    UnknownDisc,
    UnknownParameter,
    UnknownPath,
    UnknownPatient,
    UnknownProblem,
    UnknownRevision,
    UnknownScan,
    UnknownSlice,
    UnsupportedMediaType,
    WindowUnavailable,
}

impl Code {
    pub(in crate::http) const ALL: [Self; 40] = [
        Self::UrlTooLong,
        Self::ResponseTooSlow,
        Self::BodyTooLarge,
        Self::BodyTooSlow,
        Self::ConflictingParameters,
        Self::GridMismatch,
        Self::IndexUnavailable,
        Self::InternalError,
        Self::InvalidBody,
        Self::InvalidCursor,
        Self::InvalidHost,
        Self::InvalidPath,
        Self::InvalidValue,
        Self::LayoutUnavailable,
        Self::MethodNotAllowed,
        Self::NoVolume,
        Self::NotExported,
        Self::NotReady,
        Self::OutputTooLarge,
        Self::Overloaded,
        Self::PreconditionFailed,
        Self::QueryTooSlow,
        Self::RangeNotSatisfiable,
        Self::RepeatedParameter,
        Self::RevisionGone,
        Self::ScanReplaced,
        Self::SignatureInvalid,
        Self::StorageUnreachable,
        Self::TableTooLarge,
        Self::Unauthorized,
        Self::UnknownDisc,
        Self::UnknownParameter,
        Self::UnknownPath,
        Self::UnknownPatient,
        Self::UnknownProblem,
        Self::UnknownRevision,
        Self::UnknownScan,
        Self::UnknownSlice,
        Self::UnsupportedMediaType,
        Self::WindowUnavailable,
    ];

    /// The name in answers and addresses.
    pub(in crate::http) fn name(self) -> &'static str {
        self.told().0
    }

    /// The kind of problem, for people; the same in every answer.
    pub(in crate::http) fn title(self) -> &'static str {
        self.told().1
    }

    /// When it happens and what to do.
    pub(in crate::http) fn remedy(self) -> &'static str {
        self.told().2
    }

    pub(in crate::http) fn status(self) -> StatusCode {
        match self {
            Self::ConflictingParameters
            | Self::GridMismatch
            | Self::InvalidBody
            | Self::InvalidCursor
            | Self::InvalidHost
            | Self::InvalidPath
            | Self::InvalidValue
            | Self::LayoutUnavailable
            | Self::RepeatedParameter
            | Self::UnknownParameter
            | Self::WindowUnavailable => StatusCode::BAD_REQUEST,
            Self::NoVolume
            | Self::UnknownDisc
            | Self::UnknownPath
            | Self::UnknownPatient
            | Self::UnknownProblem
            | Self::UnknownRevision
            | Self::UnknownScan
            | Self::UnknownSlice => StatusCode::NOT_FOUND,
            Self::RevisionGone => StatusCode::GONE,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::SignatureInvalid => StatusCode::FORBIDDEN,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::UrlTooLong => StatusCode::URI_TOO_LONG,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge | Self::OutputTooLarge | Self::TableTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ResponseTooSlow
            | Self::IndexUnavailable
            | Self::NotExported
            | Self::NotReady
            | Self::Overloaded
            | Self::QueryTooSlow
            | Self::ScanReplaced
            | Self::StorageUnreachable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The code of an error about parameters.
    pub(super) fn of_parameter(kind: ParameterErrorKind) -> Self {
        match kind {
            ParameterErrorKind::Unknown => Self::UnknownParameter,
            ParameterErrorKind::Repeated => Self::RepeatedParameter,
            ParameterErrorKind::InvalidValue => Self::InvalidValue,
            ParameterErrorKind::Conflicting => Self::ConflictingParameters,
            ParameterErrorKind::InvalidCursor => Self::InvalidCursor,
            ParameterErrorKind::WindowUnavailable => Self::WindowUnavailable,
            ParameterErrorKind::OutputTooLarge => Self::OutputTooLarge,
        }
    }

    #[rustfmt::skip] // One code, one line: this is a table.
    fn told(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::UrlTooLong => ("url_too_long", "The URL is too long", "`detail` says how long it may be. A long list of slices goes to `/v1/batch`. The operator can raise the limit with --max-url-bytes."),
            Self::ResponseTooSlow => ("response_too_slow", "The answer took too long", "Its making was given up. Ask again, or ask for less. The operator can raise the limit with --response-seconds."),
            Self::BodyTooLarge => ("body_too_large", "The body is too large", "`detail` says how large it may be; send several smaller ones. The operator can raise the limit with --max-body-bytes; for masks, which are best sent compressed, with --max-mask-bytes."),
            Self::BodyTooSlow => ("body_too_slow", "The body did not arrive in time", "Send it again. The operator can raise the limit with --body-seconds."),
            Self::ConflictingParameters => ("conflicting_parameters", "Parameters contradict each other", "Two parameters cannot both be meant, or one needs another. `detail` says which; leave one out or add the other."),
            Self::GridMismatch => ("grid_mismatch", "The mask is not on the grid of the scan", "`detail` says what differs and by how much. Save the mask with the affine of the scan; for arrays choose `layout`; `resample=nearest` takes the nearest voxels of another grid."),
            Self::IndexUnavailable => ("index_unavailable", "The index cannot be read", "Another process holds the index file, or it is gone or damaged; `detail` says which, and the server's log has the path. Try again after `Retry-After` seconds. A replaced or restored file is read without a restart."),
            Self::InternalError => ("internal_error", "The server failed", "A defect, or files that are damaged or gone. The server's log says why; `sagittal check` reads every file once and names the bad ones."),
            Self::InvalidBody => ("invalid_body", "The body cannot be read", "`detail` says what is wrong with it, and what to send."),
            Self::InvalidCursor => ("invalid_cursor", "The cursor is not one of this listing", "Cursors belong to a table and an order. Follow `next` as it is, or begin again without `cursor`."),
            Self::InvalidHost => ("invalid_host", "The Host header is missing or not valid", "Send one `Host` header with the name or address of the server, as every HTTP client and library does."),
            Self::InvalidPath => ("invalid_path", "The path cannot be read", "The path holds percent-encoded bytes that are not UTF-8."),
            Self::InvalidValue => ("invalid_value", "A parameter's value cannot be read", "`parameter` names it, `allowed` says what it may be."),
            Self::LayoutUnavailable => ("layout_unavailable", "The scan has no labels in this layout", "The slices of the scan's file are not sagittal, and labels are counted in sagittal slices; use the canonical layout."),
            Self::MethodNotAllowed => ("method_not_allowed", "The URL does not support this method", "The `Allow` header lists the methods that it supports."),
            Self::NoVolume => ("no_volume", "The scan's voxels were not imported", "The overview has a row for the scan, but its files were missing or refused when the data were imported. Import again; `/v1/scans?volume=absent` lists such scans."),
            Self::NotExported => ("not_exported", "Nothing is exported for Hugging Face datasets yet", "The operator exports with `sagittal export --format hf-parquet`; `sagittal demo` does so by itself within seconds after its start."),
            Self::NotReady => ("not_ready", "The server is not ready", "The index or the data folder cannot be read at the moment. Ask again; the server's log says why."),
            Self::OutputTooLarge => ("output_too_large", "The output would be too large", "`detail` says the limit; ask for less. The operator can raise it with --max-pixels, and that of masks to be scored with --memory-mb."),
            Self::Overloaded => ("overloaded", "The server is busy", "More renderings are running and waiting than the server takes. Retry after `Retry-After` seconds."),
            Self::PreconditionFailed => ("precondition_failed", "The resource is in another version", "`If-Match` names another version, or the resource changed after `If-Unmodified-Since`. Parts of two versions do not fit together: request the resource anew."),
            Self::QueryTooSlow => ("query_too_slow", "The query took too long", "It was cancelled. Narrow it with more conditions, or request fewer fields. The operator can raise the limit with --query-seconds."),
            Self::RangeNotSatisfiable => ("range_not_satisfiable", "The range lies outside the file", "`Content-Range` tells the file's length."),
            Self::RepeatedParameter => ("repeated_parameter", "A parameter is given twice", "Give it once; lists are separated by commas."),
            Self::RevisionGone => ("revision_gone", "The revision has passed", "The data have changed since. `current_url` is the same resource of the current data; `/v1/dataset` reports the current revision."),
            Self::ScanReplaced => ("scan_replaced", "The scan is just being imported anew", "Ask again."),
            Self::SignatureInvalid => ("signature_invalid", "The signature of the URL is not valid", "It has expired, it belongs to another URL, the token that it was requested with was revoked, or the server has another secret since it was restarted. `/v1/signed` makes a new one."),
            Self::StorageUnreachable => ("storage_unreachable", "The storage is out of reach", "The bucket that holds the scans did not answer, however often the request was repeated. What is cached is still served. Ask again after `Retry-After` seconds."),
            Self::TableTooLarge => ("table_too_large", "The table is too large for this format", "Choose fewer rows or fields, or take .csv or .ndjson, which are streamed."),
            Self::Unauthorized => ("unauthorized", "A token is missing or not known", "Send a token as `Authorization: Bearer …`, or as password of HTTP Basic. The operator makes one with `sagittal token NAME`."),
            Self::UnknownDisc => ("unknown_disc", "The scan has no such disc", "`detail` lists the discs of the scan's mask; `/v1/discs` lists those of all scans."),
            Self::UnknownParameter => ("unknown_parameter", "There is no such parameter here", "`allowed` lists those that there are. Unknown parameters are refused, because a typing error must not silently change a training run."),
            Self::UnknownPath => ("unknown_path", "There is nothing at this URL", "`/v1/dataset` links to what there is; `/docs` describes it."),
            Self::UnknownPatient => ("unknown_patient", "There is no such patient", "`/v1/patients` lists those that there are."),
            Self::UnknownProblem => ("unknown_problem", "There is no such kind of problem", "`/problems` lists those that there are."),
            Self::UnknownRevision => ("unknown_revision", "There is no such revision", "`/v1/dataset` reports the current one. Where several servers answer, one may learn of a new revision a moment later than another."),
            Self::UnknownScan => ("unknown_scan", "There is no such scan", "`/v1/scans` lists those that there are."),
            Self::UnknownSlice => ("unknown_slice", "The scan has no such slice", "Slices are numbered from 0; `detail` says how far. `mid` and `best` are slices of every scan."),
            Self::UnsupportedMediaType => ("unsupported_media_type", "The body has another type than this route reads", "`detail` says which type was sent. Send JSON with `Content-Type: application/json`, or the file of a mask, without `Content-Encoding`."),
            Self::WindowUnavailable => ("window_unavailable", "The scan does not have this window", "`detail` says why; `window=auto` and `window=full` exist for every scan."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        for code in Code::ALL {
            assert_eq!(serde_json::json!(code), code.name());
        }
    }
}
