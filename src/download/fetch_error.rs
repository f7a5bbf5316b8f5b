use std::io;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;

/// Why one attempt to fetch something failed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nothing came any more.
    #[error("no byte for {} s", .0.as_secs_f64())]
    Stalled(Duration),
    /// The connection could not be made, or broke.
    #[error("the connection failed")]
    Connection(#[source] reqwest::Error),
    /// The server answered something else than the file.
    #[error("the server answered {status}{}", after(*.retry_after))]
    Status {
        /// Its answer.
        status: StatusCode,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The answer ended before the file did.
    #[error("the answer ended after {came} of {announced} bytes")]
    Short {
        /// Bytes of the file that are here.
        came: u64,
        /// Bytes by the record.
        announced: u64,
    },
    /// The answer is not the file.
    #[error("the answer is longer than the {announced} bytes that the record announces")]
    Long {
        /// Bytes by the record.
        announced: u64,
    },
    /// What came could not be kept.
    #[error("could not write {path}")]
    Disk {
        /// The part.
        path: String,
        /// Why.
        source: io::Error,
    },
}

fn after(wait: Option<Duration>) -> String {
    wait.map_or_else(String::new, |wait| format!(" and asks to come back after {} s", wait.as_secs()))
}

impl FetchError {
    /// Whether another attempt may go better.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Stalled(_) | Self::Short { .. } => true,
            Self::Connection(error) => !(error.is_redirect() || error.is_builder()),
            Self::Status { status, .. } => {
                status.is_server_error()
                    || matches!(*status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            }
            Self::Long { .. } | Self::Disk { .. } => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// A `Retry-After` header, which is seconds or a date (RFC 9110, 10.2.3).
pub(super) fn read_retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(header).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}
