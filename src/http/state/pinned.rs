use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::http::responses::problem::{Code, Problem};
use crate::renderer::{Catalogue, Renderer};

/// What stands before a revision in a path.
pub(in crate::http) const PREFIX: &str = "/r/";

/// The revision that a request's URL names, with the data of it.
#[derive(Debug, Clone)]
pub(in crate::http) struct Pinned {
    pub(in crate::http) catalogue: Arc<Catalogue>,
    /// Path and query after the revision.
    pub(in crate::http) target: String,
}

impl Pinned {
    /// The same resource under another revision.
    pub(in crate::http) fn url(&self, revision: u64) -> String {
        format!("{PREFIX}{revision}{}", self.target)
    }

    /// That the revision has passed, now that there is this one.
    pub(in crate::http) fn gone(&self, current: u64) -> Problem {
        let detail = format!(
            "the data have changed since this revision and are at {current} now; what is kept of this one stays valid, but \
             it cannot be requested any more"
        );
        Problem::new(Code::RevisionGone, detail).at_current(&self.url(current))
    }

    /// The response, unless it failed because the revision passed in the middle of it.
    pub(in crate::http) fn checked(&self, renderer: &Renderer, response: Response) -> Response {
        let current = renderer.catalogue().revision;
        let has_passed = current != self.catalogue.revision;
        if has_passed && response.status() == StatusCode::SERVICE_UNAVAILABLE {
            return self.gone(current).into_response();
        }
        response
    }
}
