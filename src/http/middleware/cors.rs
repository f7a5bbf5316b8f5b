//! Which web pages may read responses: those of the service itself always, those of other origins as the operator says.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::http::responses::headers;

/// The origins whose pages may read responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Every one.
    Any,
    /// These; the list may be empty.
    Listed(Vec<HeaderValue>),
}

impl AllowedOrigins {
    /// Reads origins such as `https://viewer.example`, or `*` for every one, or `none`.
    ///
    /// # Errors
    /// What is not an origin, and what to write instead.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        match texts {
            [text] if text == "*" => Ok(Self::Any),
            [text] if text == "none" => Ok(Self::Listed(Vec::new())),
            texts => texts.iter().map(|text| origin(text)).collect::<Result<_, _>>().map(Self::Listed),
        }
    }

    /// For `Access-Control-Allow-Origin`.
    pub(in crate::http) fn cors(&self) -> AllowOrigin {
        match self {
            Self::Any => Any.into(),
            Self::Listed(origins) => AllowOrigin::list(origins.clone()),
        }
    }

    /// `Cross-Origin-Resource-Policy`, for what pages load without CORS, such as `<img src=…>`. It cannot name origins:
    /// pages of listed ones load with CORS (`<img crossorigin …>`).
    pub(in crate::http) fn resource_policy(&self) -> (HeaderName, HeaderValue) {
        let policy = if *self == Self::Any { "cross-origin" } else { "same-origin" };
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static(policy))
    }
}

/// An origin as browsers send it: in small letters, without a default port.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let invalid = || {
        format!(
            "{text:?} is not an origin: give scheme, host and port alone, such as https://viewer.example or http://localhost:3000; or * for every origin, or none, alone"
        )
    };
    let uri: Uri = text.parse().map_err(|_| invalid())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(invalid()) };
    let rest = text.get(scheme.len() + "://".len()..).unwrap_or_default();
    if rest != authority.as_str() || rest.contains('@') || authority.host().is_empty() {
        return Err(invalid());
    }
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(invalid()),
    };
    let host = rest.strip_suffix(default_port).unwrap_or(rest).to_ascii_lowercase();
    HeaderValue::try_from(format!("{scheme}://{host}")).map_err(|_| invalid())
}

/// How long browsers may remember what pages of other origins may send; Chromium's longest.
const PREFLIGHT_AGE: Duration = Duration::from_secs(7200);

/// What pages of other origins may send and read. A batch is requested by POST, because its list is too long for a URL.
pub(in crate::http) fn layer(allowed: &AllowedOrigins) -> CorsLayer {
    let exposed =
        [header::CONTENT_ENCODING, header::CONTENT_RANGE, header::RETRY_AFTER, HeaderName::from_static("repr-digest")];
    let taken = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_NONE_MATCH,
        header::IF_RANGE,
        header::IF_UNMODIFIED_SINCE,
        header::RANGE,
        HeaderName::from_static("traceparent"),
        HeaderName::from_static("want-repr-digest"),
        HeaderName::from_static("x-request-id"),
    ];
    CorsLayer::new()
        .allow_origin(allowed.cors())
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers(taken)
        .expose_headers(headers::declared().chain(exposed).collect::<Vec<_>>())
        .max_age(PREFLIGHT_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<AllowedOrigins, String> {
        AllowedOrigins::parse(&texts.iter().copied().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn origins_are_read_as_browsers_send_them() {
        let listed = |origins: &[&'static str]| {
            Ok(AllowedOrigins::Listed(origins.iter().copied().map(HeaderValue::from_static).collect()))
        };
        assert_eq!(parse(&["*"]), Ok(AllowedOrigins::Any));
        assert_eq!(parse(&["none"]), listed(&[]));
        assert_eq!(parse(&["http://localhost:3000"]), listed(&["http://localhost:3000"]));
        assert_eq!(
            parse(&["HTTPS://Viewer.Example:443", "http://[::1]:8888"]),
            listed(&["https://viewer.example", "http://[::1]:8888"])
        );
    }

    #[test]
    fn what_is_no_origin_is_refused_by_name() {
        for text in
            ["https://a.example/", "a.example", "https://", "https://a/b", "ftp://a", "https://u@a", "*.example", ""]
        {
            assert!(parse(&[text]).is_err_and(|error| error.contains(&format!("{text:?}"))), "{text}");
        }
        assert!(parse(&["*", "https://a.example"]).is_err());
        assert!(parse(&["none", "https://a.example"]).is_err());
    }
}
