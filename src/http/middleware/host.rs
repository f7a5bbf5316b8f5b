//! The `Host` header of requests that came over a connection (RFC 9112 section 3.2).

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Version, header};

use crate::http::responses::problem::{Code, Problem};

/// Marks requests that came over a connection. Those that the program makes itself have no host.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct FromConnection;

/// Refuses a request whose `Host` is missing (in HTTP/1.1), repeated or not a host: servers and proxies that read such
/// requests differently can be played off against each other.
pub(in crate::http) fn check(request: &Request) -> Result<(), Problem> {
    if request.extensions().get::<FromConnection>().is_none() {
        return Ok(());
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let detail = match (hosts.next(), hosts.next()) {
        (None, _) if request.version() < Version::HTTP_11 => return Ok(()),
        (None, _) => "the request has no Host header, which HTTP/1.1 requires".to_owned(),
        (_, Some(_)) => "the request has more than one Host header; send one".to_owned(),
        (Some(host), None) if is_host(host) => return Ok(()),
        (Some(host), None) => format!("Host: {host:?} is not a host name or address with an optional port"),
    };
    Err(Problem::new(Code::InvalidHost, detail))
}

/// A host with an optional port; an empty one is allowed.
fn is_host(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    if text.is_empty() {
        return true;
    }
    let Ok(authority) = text.parse::<Authority>() else { return false };
    // An authority can begin with a user's name, which a host cannot.
    let Some(port) = text.strip_prefix(authority.host()) else { return false };
    let has_port = port.starts_with(':') && authority.port_u16().is_some();
    !authority.host().is_empty() && (matches!(port, "" | ":") || has_port)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn checked(version: Version, hosts: &[&'static str]) -> Result<(), Code> {
        let mut request = Request::builder().version(version).extension(FromConnection);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        check(&request.body(Body::empty()).unwrap()).map_err(|problem| problem.code())
    }

    #[test]
    fn a_request_has_one_host() {
        assert_eq!(checked(Version::HTTP_11, &[]), Err(Code::InvalidHost));
        assert_eq!(checked(Version::HTTP_10, &[]), Ok(()));
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(checked(version, &["a"]), Ok(()));
            assert_eq!(checked(version, &["a", "a"]), Err(Code::InvalidHost));
        }
    }

    #[test]
    fn hosts_are_names_or_urls_with_an_optional_port() {
        for host in ["", "a", "a.example", "a:80", "a:", "127.0.0.1:8080", "[::1]", "[::1]:8080", "A-b_c"] {
            assert_eq!(checked(Version::HTTP_11, &[host]), Ok(()), "{host}");
        }
        let not_hosts =
            ["a b", "a/b", "http://a", "u@a", "a@a:1", "a:b", "a:99999", "a:-1", ":80", "a?b", "a#b", "[::1"];
        for host in not_hosts {
            assert_eq!(checked(Version::HTTP_11, &[host]), Err(Code::InvalidHost), "{host}");
        }
    }

    #[test]
    fn what_the_program_requests_of_itself_needs_no_host() {
        assert!(check(&Request::new(Body::empty())).is_ok());
    }
}
