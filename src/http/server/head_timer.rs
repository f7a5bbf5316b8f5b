//! Two deadlines of one connection: for the head of a request to arrive, and for the next request to begin.
//!
//! hyper has one timeout, which runs from the moment it waits for a head: a connection that idles between two requests
//! would have to send the next one as fast as a new connection its first. The timer that hyper is given here knows whether
//! a head has begun.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::time::{Instant as TokioInstant, sleep_until};

/// The timer of one connection. Clones are the same timer.
#[derive(Debug, Clone)]
pub(in crate::http) struct HeadTimer {
    head_time: Duration,
    idle_time: Duration,
    progress: Arc<Mutex<Progress>>,
}

/// Which head is waited for.
#[derive(Debug, Default)]
struct Progress {
    /// Whether one was waited for before.
    is_kept_alive: bool,
    waiting_since: Option<Instant>,
    /// When the first bytes arrived after the last request had been read. hyper may read them before it waits for a head: as
    /// soon as the response to that request is written.
    begun: Option<Instant>,
}

impl HeadTimer {
    /// A head arrives within `head_time` of its first byte, the first one of the connection's beginning. A connection that
    /// has had a request may wait for the next one's first byte for `idle_time`.
    pub(in crate::http) fn new(head_time: Duration, idle_time: Duration) -> Self {
        Self { head_time, idle_time, progress: Arc::default() }
    }

    /// Bytes have arrived: of the next head, if the last request has been read.
    pub(in crate::http) fn note_bytes(&self) {
        self.with_progress(|progress| {
            progress.begun.get_or_insert_with(Instant::now);
        });
    }

    /// A request has been read, with its body: what arrives from now on belongs to the next one. Of one that arrived in the same
    /// packet nothing is known, and the connection counts as idle until more of it arrives.
    pub(in crate::http) fn note_request_read(&self) {
        self.with_progress(|progress| progress.begun = None);
    }

    fn wait_for_next_head(&self) {
        self.with_progress(|progress| {
            progress.is_kept_alive = progress.waiting_since.is_some();
            progress.waiting_since = Some(Instant::now());
        });
    }

    fn deadline(&self) -> Instant {
        self.with_progress(|progress| match (progress.begun, progress.waiting_since) {
            (Some(begun), _) if progress.is_kept_alive => begun + self.head_time,
            (_, Some(since)) if progress.is_kept_alive => since + self.idle_time,
            (_, since) => since.unwrap_or_else(Instant::now) + self.head_time,
        })
    }

    fn with_progress<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        self.wait_for_next_head();
        Box::pin(HeadDeadline { sleep: Box::pin(sleep_until(self.deadline().into())), timer: self.clone() })
    }

    /// hyper takes one sleep per head; when it ends is not for hyper to say.
    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(Duration::ZERO)
    }
}

/// Ends when the head that is waited for is too late. Polled whenever bytes have arrived that are no whole head yet.
struct HeadDeadline {
    timer: HeadTimer,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Sleep for HeadDeadline {}

impl Future for HeadDeadline {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = TokioInstant::from(self.timer.deadline());
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Duration = Duration::from_secs(15);
    const IDLE: Duration = Duration::from_secs(75);

    /// How long the head that is waited for may take from now on, in whole seconds.
    fn left(timer: &HeadTimer) -> u64 {
        timer.deadline().duration_since(Instant::now()).as_secs_f64().round() as u64
    }

    #[test]
    fn a_connection_may_idle_once_it_has_had_a_request() {
        let timer = HeadTimer::new(HEAD, IDLE);
        timer.wait_for_next_head();
        assert_eq!(left(&timer), 15, "a new connection has to send its head at once");
        timer.note_bytes();
        assert_eq!(left(&timer), 15);
        timer.note_request_read();
        timer.wait_for_next_head();
        assert_eq!(left(&timer), 75, "idling");
        timer.note_bytes();
        assert_eq!(left(&timer), 15, "the next head has begun");
        timer.note_bytes();
        timer.note_request_read();
        timer.wait_for_next_head();
        assert_eq!(left(&timer), 75, "idling again");
    }

    #[test]
    fn a_head_may_begin_before_it_is_waited_for() {
        let timer = HeadTimer::new(HEAD, IDLE);
        timer.wait_for_next_head();
        timer.note_bytes();
        timer.note_request_read();
        timer.note_bytes();
        timer.wait_for_next_head();
        assert_eq!(left(&timer), 15);
    }

    #[test]
    fn bytes_of_a_head_that_trickle_in_do_not_move_its_deadline() {
        let timer = HeadTimer::new(HEAD, IDLE);
        for _ in 0..2 {
            timer.wait_for_next_head();
            timer.note_bytes();
            let deadline = timer.deadline();
            timer.note_bytes();
            assert_eq!(timer.deadline(), deadline);
            timer.note_request_read();
        }
    }
}
