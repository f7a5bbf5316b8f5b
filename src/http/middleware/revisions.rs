//! `/r/{revision}/…`: every resource of the data once more under the revision of the data, so that a cache may keep the response
//! for ever. A revision that has passed is gone: its data are not there any more, and other bytes are never sent for it.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::url::{Refused, address, rewrite_url};
use crate::http::responses::problem::{Code, Problem};
use crate::http::state::App;
use crate::http::state::pinned::{PREFIX, Pinned};
use crate::params::plain;

/// Takes the revision off the request's URL. `None` when it had none.
pub(in crate::http) async fn pin(app: &App, request: &mut Request) -> Result<Option<Pinned>, Refused> {
    let sent = address(request.uri());
    let Some((named, target)) = sent.strip_prefix(PREFIX).and_then(|rest| rest.split_once('/')) else {
        return Ok(None);
    };
    let Some(revision) = plain::<u64>(named).filter(|_| !named.is_empty()) else {
        let detail = format!("{named:?} is not a revision; /v1/dataset reports the current one");
        return Err(Problem::new(Code::UnknownPath, detail).into());
    };
    let target = format!("/{target}");
    if revision > app.renderer().catalogue().revision {
        // Another server may know a newer one already.
        app.renderer().renew().await.map_err(Problem::from)?;
    }
    let pinned = Pinned { catalogue: app.renderer().catalogue(), target };
    let current = pinned.catalogue.revision;
    if revision < current {
        return Err(pinned.gone(current).into());
    }
    if revision > current {
        let detail = format!("there is no revision {revision}, or not yet: the current one is {current}");
        return Err(Problem::new(Code::UnknownRevision, detail).at_current(&pinned.url(current)).into());
    }
    rewrite_url(request, &pinned.target)?;
    request.extensions_mut().insert(pinned.clone());
    Ok(Some(pinned))
}

/// Keeps resources that do not depend on the data from being requested under a revision of them.
pub(in crate::http) async fn refuse_pinned(request: Request, next: Next) -> Response {
    let Some(pinned) = request.extensions().get::<Pinned>() else { return next.run(request).await };
    let path = request.uri().path();
    let detail = format!("{path} does not depend on the data and has no revision; request it as {}", pinned.target);
    Problem::new(Code::UnknownPath, detail).into_response()
}
