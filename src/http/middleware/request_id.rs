//! A name for every request, by which a client's error is found in the log. Own code, because tower-http's `SetRequestId` takes
//! over whatever a client sends, at any length, and tells handlers nothing that the body of a problem could name.

use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

pub(in crate::http) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Names that clients send are repeated in headers and logs: they stay short.
const MOST_BYTES: usize = 128;

/// Tells this process's requests from those of another one.
static PROCESS: LazyLock<u64> =
    LazyLock::new(|| std::collections::hash_map::RandomState::new().build_hasher().finish());
static COUNT: AtomicU64 = AtomicU64::new(0);

tokio::task_local! {
    /// The name of the request that the task at hand answers.
    pub(in crate::http) static CURRENT: HeaderValue;
}

/// The name that the client or a proxy gave the request, or a new one.
pub(in crate::http) fn of(request: &HeaderMap) -> HeaderValue {
    let is_plain = |value: &HeaderValue| {
        (1..=MOST_BYTES).contains(&value.len()) && value.as_bytes().iter().all(|b| (b'!'..=b'~').contains(b))
    };
    request.get(HEADER).filter(|value| is_plain(value)).cloned().unwrap_or_else(new)
}

fn new() -> HeaderValue {
    let name = format!("{:08x}-{:x}", *PROCESS as u32, COUNT.fetch_add(1, Ordering::Relaxed));
    // Digits and a dash are always a valid header.
    HeaderValue::from_str(&name).unwrap_or_else(|_| HeaderValue::from_static("unnamed"))
}

/// The name of the request that is being answered, for the answer's body.
pub(in crate::http) fn current() -> Option<String> {
    CURRENT.try_with(|name| name.to_str().ok().map(str::to_owned)).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_names_its_request_if_the_name_is_plain_and_short() {
        let of = |name: &[u8]| of(&HeaderMap::from_iter([(HEADER, HeaderValue::from_bytes(name).unwrap())]));
        assert_eq!(of(b"run-7/step:3"), "run-7/step:3");
        for odd in [&b""[..], b"two words", b"\xff", &[b'a'; 129]] {
            assert_ne!(of(odd).as_bytes(), odd);
        }
        assert_ne!(of(b""), of(b""));
    }
}
