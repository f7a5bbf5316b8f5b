//! `/r/{revision}/…`: every address once more under the revision of the data, so that a cache may keep the answer for ever.
//! Whoever asks for a revision that has passed is sent to the one of the moment.

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::app::App;
use super::door::{Refused, address, readdress};
use super::problem::{Code, Problem};
use crate::parameters::plain;

const PREFIX: &str = "/r/";
/// A year: the longest that caches are usually told.
const FOR_EVER: &str = "max-age=31536000, immutable";

/// Takes the revision off the request's address: that of the moment, or `None` when it had none.
pub(super) fn pinned(app: &App, request: &mut Request) -> Result<Option<u64>, Refused> {
    let sent = address(request.uri());
    let Some((asked, rest)) = sent.strip_prefix(PREFIX).and_then(|rest| rest.split_once('/')) else { return Ok(None) };
    let Some(asked) = plain::<u64>(asked).filter(|_| !asked.is_empty()) else {
        let detail = format!("{asked:?} is not a revision; /v1/dataset tells the one of the moment");
        return Err(Problem::new(Code::UnknownPath, detail).into());
    };
    let (current, rest) = (app.pictures().catalogue().revision, format!("/{rest}"));
    if asked != current {
        return Err(Box::new(moved(&format!("{PREFIX}{current}{rest}"))));
    }
    readdress(request, &rest)?;
    Ok(Some(current))
}

fn moved(to: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(to) else { return StatusCode::BAD_REQUEST.into_response() };
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::TEMPORARY_REDIRECT, headers).into_response()
}

/// Lets caches keep an answer for ever, if the data did not change while it was made.
pub(super) fn mark(app: &App, revision: u64, response: &mut Response) {
    let is_of_it = app.pictures().catalogue().revision == revision;
    let is_kept = [StatusCode::OK, StatusCode::PARTIAL_CONTENT, StatusCode::NOT_MODIFIED].contains(&response.status());
    let headers = response.headers_mut();
    let is_stored = headers.get(header::CACHE_CONTROL).is_none_or(|value| value != "no-store");
    if is_of_it && is_kept && is_stored {
        // Behind a token, the client's own cache only.
        let whose = if app.key_file().is_some() { "private" } else { "public" };
        if let Ok(value) = HeaderValue::from_str(&format!("{whose}, {FOR_EVER}")) {
            headers.insert(header::CACHE_CONTROL, value);
        }
    }
}
