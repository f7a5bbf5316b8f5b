use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderName, IF_RANGE, LAST_MODIFIED, RANGE, RETRY_AFTER};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Response, StatusCode, Url};

use super::error::DownloadError;
use super::fetch_error::{FetchError, read_retry_after};
use super::range::{ContentRange, is_strong};

const CONNECT: Duration = Duration::from_secs(15);
const MOST_REDIRECTS: usize = 10;

/// Makes requests, none of which waits for ever.
#[derive(Debug)]
pub(super) struct Client {
    client: reqwest::Client,
    stall: Duration,
}

/// The rest of a file, requested as long as the file is still the same.
#[derive(Debug)]
pub(super) struct Rest<'a> {
    pub(super) from: u64,
    /// What the server called the file's version when it sent the beginning.
    pub(super) if_range: Option<&'a str>,
}

impl Client {
    pub(super) fn new(stall: Duration) -> Result<Self, DownloadError> {
        crate::tls::select_provider();
        let client = reqwest::Client::builder()
            .user_agent(concat!("sagittal/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .redirect(Policy::custom(redirected))
            .referer(false)
            .build()
            .map_err(DownloadError::NoClient)?;
        Ok(Self { client, stall })
    }

    /// An answer with status 200, or 206 when a rest was requested; every other one is a fault.
    pub(super) async fn get(&self, address: &Url, rest: Option<&Rest<'_>>) -> Result<Body, FetchError> {
        // Lengths and ranges are those of the file itself only when nothing packs it on the way.
        let mut request = self.client.get(address.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(rest) = rest {
            request = request.header(RANGE, format!("bytes={}-", rest.from));
        }
        if let Some(version) = rest.and_then(|rest| rest.if_range) {
            request = request.header(IF_RANGE, version);
        }
        let answer = tokio::time::timeout(self.stall, request.send()).await;
        let response = answer.map_err(|_| FetchError::Stalled(self.stall))?.map_err(broken)?;
        let status = response.status();
        if status == StatusCode::OK || (status == StatusCode::PARTIAL_CONTENT && rest.is_some()) {
            return Ok(Body { response, stall: self.stall });
        }
        let retry_after = text(&response, RETRY_AFTER).and_then(|text| read_retry_after(text, SystemTime::now()));
        Err(FetchError::Status { status, retry_after })
    }
}

fn redirected(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    if attempt.previous().len() > MOST_REDIRECTS {
        return attempt.error(format!("more than {MOST_REDIRECTS} redirects"));
    }
    if attempt.previous().iter().any(|before| is_downgrade(before, attempt.url())) {
        return attempt.error("redirected from an encrypted to an unencrypted address");
    }
    attempt.follow()
}

pub(super) fn is_downgrade(from: &Url, to: &Url) -> bool {
    from.scheme() == "https" && to.scheme() != "https"
}

/// Addresses are distinct from errors: they may hold secrets, see [`shown`].
fn broken(error: reqwest::Error) -> FetchError {
    FetchError::Connection(error.without_url())
}

/// An address as it may be printed: without passwords and tokens.
pub(super) fn shown(address: &Url) -> String {
    let mut address = address.clone();
    address.set_query(None);
    // Addresses that cannot have a user have none.
    let _ = address.set_username("");
    let _ = address.set_password(None);
    address.into()
}

fn text(response: &Response, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// An answer as it comes in.
#[derive(Debug)]
pub(super) struct Body {
    response: Response,
    stall: Duration,
}

impl Body {
    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        let chunk = tokio::time::timeout(self.stall, self.response.chunk()).await;
        chunk.map_err(|_| FetchError::Stalled(self.stall))?.map_err(broken)
    }

    /// Whether this is the whole file rather than a rest.
    pub(super) fn is_whole(&self) -> bool {
        self.response.status() == StatusCode::OK
    }

    /// Bytes of the answer, if the server says.
    pub(super) fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// Whether this goes on with a part of a file of `size` bytes.
    pub(super) fn continues(&self, rest: &Rest<'_>, size: u64) -> bool {
        let range = text(&self.response, CONTENT_RANGE).and_then(ContentRange::parse);
        let fits = range.is_some_and(|range| range.continues(rest.from, size));
        // Some servers do not know If-Range.
        let version = rest.if_range.filter(|version| is_strong(version));
        let other = version.zip(self.etag()).is_some_and(|(ours, its)| ours != its);
        fits && !other
    }

    /// What `If-Range` can name later: a strong entity tag, or else a date.
    pub(super) fn version(&self) -> Option<String> {
        self.etag().or_else(|| text(&self.response, LAST_MODIFIED)).map(str::to_owned)
    }

    fn etag(&self) -> Option<&str> {
        text(&self.response, ETAG).filter(|etag| is_strong(etag))
    }
}
