//! The URL of a request, and what it is to be instead.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse, Response};

use crate::http::responses::problem::{Code, Problem};

/// Why a request goes no further: the answer to it.
pub(super) type Refused = Box<Response>;

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Box::new(problem.into_response())
    }
}

/// Path and query, as sent.
pub(super) fn address(uri: &Uri) -> &str {
    uri.path_and_query().map_or(uri.path(), PathAndQuery::as_str)
}

/// The request goes on as if it had been sent to this address, a part of its own.
pub(super) fn rewrite_url(request: &mut Request, address: &str) -> Result<(), Refused> {
    let invalid = |_| Problem::new(Code::InvalidPath, "the URL cannot be read");
    *request.uri_mut() = address.parse().map_err(invalid)?;
    Ok(())
}
