use std::time::Duration;

use reqwest::Url;

use super::client::shown;
use super::error::DownloadError;
use super::event::{Event, OnEvent};
use super::fetch_error::FetchError;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A server that asks to be left alone for longer is left alone for good.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// Counts attempts in vain and says how long to wait before the next one.
#[derive(Debug)]
pub(super) struct RetryPolicy {
    retries: u32,
    failures: u32,
    furthest: u64,
}

/// No further attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GiveUp {
    /// It would not go better.
    AtOnce,
    /// So many brought nothing.
    After(u32),
}

impl RetryPolicy {
    /// For something of which the first `furthest` bytes are there.
    pub(super) fn new(retries: u32, furthest: u64) -> Self {
        Self { retries, failures: 0, furthest }
    }

    /// An attempt failed with `here` bytes there. Only bytes that no attempt brought before are progress: a server that
    /// always breaks off at the same place must not keep us for ever. `random` is in 0..1.
    pub(super) fn after(&mut self, fault: &FetchError, here: u64, random: f64) -> Result<Duration, GiveUp> {
        let asked = fault.retry_after().unwrap_or_default();
        if !fault.is_passing() || asked > LONGEST_ASKED {
            return Err(GiveUp::AtOnce);
        }
        if here > self.furthest {
            (self.furthest, self.failures) = (here, 0);
            return Ok(wait(1, random).max(asked));
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures > self.retries {
            return Err(GiveUp::After(self.failures));
        }
        Ok(wait(self.failures, random).max(asked))
    }
}

/// Sleeps before the next attempt at `what`, of which `here` bytes are there, if there is to be one.
pub(super) async fn wait_or_give_up(
    patience: &mut RetryPolicy,
    fault: FetchError,
    here: u64,
    what: &'static str,
    address: &Url,
    on_event: OnEvent<'_>,
) -> Result<(), DownloadError> {
    match patience.after(&fault, here, fastrand::f64()) {
        Ok(wait) => {
            on_event(Event::Retrying { what, fault: &fault, wait });
            tokio::time::sleep(wait).await;
            Ok(())
        }
        Err(GiveUp::AtOnce) => Err(DownloadError::Refused { what, address: shown(address), source: fault }),
        Err(GiveUp::After(attempts)) => {
            Err(DownloadError::GaveUp { what, address: shown(address), attempts, source: fault })
        }
    }
}

/// Doubles from attempt to attempt. Half of it is chance, so that many clients do not come back all at once.
fn wait(failures: u32, random: f64) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1 << (failures - 1).min(16));
    doubled.min(LONGEST_WAIT).mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALLED: FetchError = FetchError::Stalled(Duration::from_secs(1));

    fn busy(seconds: u64) -> FetchError {
        let status = reqwest::StatusCode::SERVICE_UNAVAILABLE;
        FetchError::Status { status, retry_after: Some(Duration::from_secs(seconds)) }
    }

    #[test]
    fn waits_double_up_to_a_minute_and_half_of_each_is_chance() {
        let seconds = |failures, random| wait(failures, random).as_secs_f64();
        assert_eq!([1, 2, 3, 6, 7, 40].map(|failures| seconds(failures, 1.0)), [1.0, 2.0, 4.0, 32.0, 60.0, 60.0]);
        assert_eq!([1, 7].map(|failures| seconds(failures, 0.0)), [0.5, 30.0]);
    }

    #[test]
    fn only_new_bytes_are_progress() {
        let mut patience = RetryPolicy::new(2, 100);
        let mut fail = |here| patience.after(&STALLED, here, 1.0).map(|wait| wait.as_secs());
        // The last two begin from zero again and do not come as far as before.
        assert_eq!([100, 120, 130, 130, 90].map(&mut fail), [Ok(1), Ok(1), Ok(1), Ok(1), Ok(2)]);
        assert_eq!(fail(130), Err(GiveUp::After(3)));
    }

    #[test]
    fn servers_are_left_alone_as_long_as_they_ask_within_reason() {
        let mut patience = RetryPolicy::new(5, 0);
        assert_eq!(patience.after(&busy(120), 0, 0.3), Ok(Duration::from_secs(120)));
        assert_eq!(patience.after(&busy(0), 0, 1.0), Ok(Duration::from_secs(2)));
        assert_eq!(patience.after(&busy(3601), 0, 1.0), Err(GiveUp::AtOnce));
    }

    #[test]
    fn without_retries_the_first_failure_is_the_last() {
        assert_eq!(RetryPolicy::new(0, 0).after(&STALLED, 0, 0.0), Err(GiveUp::After(1)));
        assert_eq!(RetryPolicy::new(9, 0).after(&FetchError::Long { announced: 1 }, 0, 0.0), Err(GiveUp::AtOnce));
    }
}
