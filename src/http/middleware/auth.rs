//! Authentication. A server with a token file answers requests that carry a token, and signed URLs; what it sends ends when the
//! token is revoked.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Extension;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::Serialize;

use super::revocable::RevocableBody;
use super::url::{Refused, address, rewrite_url};
use crate::auth::{Authenticator, MAX_SIGNED_SECONDS, Principal, Signature, SignatureError};
use crate::http::responses::caching::Caching;
use crate::http::responses::problem::{Code, Problem};
use crate::http::routes::signable;
use crate::http::state::{ApiRequest, App};
use crate::params::{Form, Parameter, ParameterError, ParameterErrorKind};

/// Liveness and readiness: what probes them has no token.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];
const DEFAULT_SECONDS: u64 = 3600;

/// What a client without a token must send; browsers ask their user for a password, which is the token.
const CHALLENGES: [HeaderValue; 2] = [
    HeaderValue::from_static("Bearer realm=\"sagittal\""),
    HeaderValue::from_static("Basic realm=\"sagittal: any name, the token as password\", charset=\"UTF-8\""),
];

pub(in crate::http) const PARAMETERS: [Parameter; 2] = [
    Parameter {
        name: "url",
        allowed: "path and query of anything under /v1/ that GET reads: a slice, a volume, a table, an export",
        form: Form::Pattern("/v1/.+"),
        description: "What is to be signed.",
        example: "/v1/scans/1_t1/montage.png",
    },
    Parameter {
        name: "seconds",
        allowed: "3600, a whole number from 1 to 604800",
        form: Form::Integer { min: 1, max: MAX_SIGNED_SECONDS as i64 },
        description: "How long the signed URL is valid.",
        example: "60",
    },
];

/// A time-limited signed URL.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct SignedBody {
    /// Path and query, to be used as they are.
    url: String,
    /// Seconds since 1970; null on a server that requires no token, where the URL is not signed and does not expire.
    expires: Option<u64>,
}

/// Authenticates a request by its token, or by the signature of its URL, which is taken off. `None` where no token is required.
pub(in crate::http) fn authenticate(app: &App, request: &mut Request) -> Result<Option<Principal>, Refused> {
    let Some(authenticator) = app.authenticator().filter(|_| !OPEN.contains(&request.uri().path())) else {
        return Ok(None);
    };
    let principal = if let Some(token) = token(request.headers()) {
        authenticator.principal_of(&token).ok_or_else(unknown_token)?
    } else {
        match signed(authenticator, request) {
            Ok(Some((principal, target))) => {
                rewrite_url(request, &target)?;
                principal
            }
            Ok(None) => return Err(challenge("this server wants a token: send it as `Authorization: Bearer …`")),
            Err(error) => return Err(Problem::new(Code::SignatureInvalid, error.to_string()).into()),
        }
    };
    request.extensions_mut().insert(principal.clone());
    Ok(Some(principal))
}

/// The response, as long as the principal's token is accepted.
pub(in crate::http) fn while_accepted(app: &App, principal: Option<Principal>, response: Response) -> Response {
    let (Some(authenticator), Some(principal)) = (app.authenticator(), principal) else { return response };
    if authenticator.is_revoked(&principal) {
        return *unknown_token();
    }
    response.map(|body| RevocableBody::wrap(body, || authenticator.revoked(principal)))
}

fn unknown_token() -> Refused {
    challenge("this token is not known, or no longer")
}

/// The signed part of the request's URL and who signed it, if the signature is valid.
fn signed(authenticator: &Authenticator, request: &Request) -> Result<Option<(Principal, String)>, SignatureError> {
    let Some((target, signature)) = Signature::split(address(request.uri()))? else { return Ok(None) };
    let principal = authenticator.verify(&signature, target, now())?;
    let is_allowed = signable::check(target).is_ok() && [Method::GET, Method::HEAD].contains(request.method());
    if is_allowed { Ok(Some((principal, target.to_owned()))) } else { Err(SignatureError::Wrong) }
}

/// The token of a bearer, or the password that a browser sends (RFC 6750, RFC 7617).
fn token(headers: &HeaderMap) -> Option<String> {
    let (scheme, sent) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(sent.trim().to_owned());
    }
    let pair = scheme.eq_ignore_ascii_case("basic").then(|| BASE64_STANDARD.decode(sent.trim()).ok()).flatten()?;
    String::from_utf8(pair).ok()?.split_once(':').map(|(_, password)| password.to_owned())
}

fn challenge(detail: &str) -> Refused {
    let mut response: Response = Problem::new(Code::Unauthorized, detail).into_response();
    for challenge in CHALLENGES {
        response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
    }
    Box::new(response)
}

/// `GET /v1/signed`
pub(in crate::http) async fn sign(
    request: ApiRequest,
    principal: Option<Extension<Principal>>,
) -> Result<Response, Problem> {
    let pairs = request.parameters(&PARAMETERS)?;
    let target = pairs.text("url").unwrap_or_default();
    signable::check(target).map_err(|why| {
        let message = format!("url={target} cannot be signed: {why}");
        ParameterError::other(ParameterErrorKind::InvalidValue, "url", message)
    })?;
    let seconds = pairs.parsed("seconds")?;
    let expires = now() + seconds.unwrap_or(DEFAULT_SECONDS);
    let signature = match (request.app.authenticator(), principal) {
        (Some(authenticator), Some(Extension(principal))) => Some(authenticator.sign(&principal, target, expires)),
        _ => None,
    };
    let body = SignedBody {
        url: signature.as_ref().map_or_else(|| target.to_owned(), |signature| signature.url(target)),
        expires: signature.map(|signature| signature.expires),
    };
    Ok(Caching::NO_STORE.attach(axum::Json(body)))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
