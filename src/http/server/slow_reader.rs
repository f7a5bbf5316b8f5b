//! Ends connections whose clients read too slowly.
//!
//! Whether single bytes move says little: a client of a few bytes per second would hold what is rendered for it for hours. So
//! the time for which a response waits for its client is added up, and in every window of it the client must read a minimum.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What a client must read of responses that wait for it.
#[derive(Debug, Clone, Copy)]
pub struct ReadRate {
    /// Time of waiting over which the rate is an average.
    pub window: Duration,
    /// The least rate.
    pub bytes_per_second: u64,
}

/// A connection on which writing fails with `TimedOut` once its client has read less than the minimum in a window.
pub(in crate::http) struct MinimumReadRate<S> {
    stream: S,
    window: Window,
    timer: Pin<Box<Sleep>>,
}

impl<S> MinimumReadRate<S> {
    pub(in crate::http) fn new(stream: S, rate: ReadRate) -> Self {
        Self { stream, window: Window::new(rate), timer: Box::pin(tokio::time::sleep(rate.window)) }
    }

    /// Notes what came of an attempt to write.
    fn note(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(Ok(bytes)) => self.window.wrote(Instant::now(), bytes as u64),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => loop {
                let end = self.window.waits(Instant::now());
                if self.timer.deadline() != end.into() {
                    self.timer.as_mut().reset(end.into());
                }
                ready!(self.timer.as_mut().poll(cx));
                if !self.window.is_met(Instant::now()) {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads too slowly")));
                }
            },
        }
        outcome
    }
}

/// One window of waiting, and what was read in it.
#[derive(Debug)]
struct Window {
    len: Duration,
    /// Bytes that must be read in it.
    least: u64,
    /// Bytes that were read since its beginning.
    read: u64,
    /// How long the client was waited for in it, before the present wait.
    waited: Duration,
    /// Since when the client is waited for.
    waits_since: Option<Instant>,
}

impl Window {
    fn new(rate: ReadRate) -> Self {
        // A client that reads nothing at all is too slow at every rate.
        let least = ((rate.window.as_secs_f64() * rate.bytes_per_second as f64) as u64).max(1);
        Self { len: rate.window, least, read: 0, waited: Duration::ZERO, waits_since: None }
    }

    /// The client is waited for. Returns when the window ends if it reads nothing until then.
    fn waits(&mut self, now: Instant) -> Instant {
        if self.waits_since.is_none() && self.waited.is_zero() {
            // A window begins with the first wait: what the system's buffers took before was not read.
            self.read = 0;
        }
        *self.waits_since.get_or_insert(now) + self.len.saturating_sub(self.waited)
    }

    /// Bytes could be written: the client has read as many.
    fn wrote(&mut self, now: Instant, bytes: u64) {
        self.read += bytes;
        if let Some(since) = self.waits_since.take() {
            self.waited += now.saturating_duration_since(since);
        }
        if self.waited >= self.len && self.read >= self.least {
            self.waited = Duration::ZERO;
        }
    }

    /// Whether enough was read in the window that ends now, during a wait. The next one begins.
    fn is_met(&mut self, now: Instant) -> bool {
        let is_met = self.read >= self.least;
        (self.read, self.waited, self.waits_since) = (0, Duration::ZERO, Some(now));
        is_met
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MinimumReadRate<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MinimumReadRate<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.note(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const RATE: ReadRate = ReadRate { window: Duration::from_secs(120), bytes_per_second: 1000 };

    /// A client that reads `bytes` every `pause` seconds, for ever: after how many seconds it is too slow, if it ever is.
    fn given_up_after(bytes: u64, pause: u64) -> Option<u64> {
        let (start, mut window) = (Instant::now(), Window::new(RATE));
        let at = |seconds| start + Duration::from_secs(seconds);
        // What the system's buffers take at once.
        window.wrote(start, 4 << 20);
        let mut end = window.waits(start);
        for now in 0..10_000 {
            if at(now) >= end {
                if !window.is_met(at(now)) {
                    return Some(now);
                }
                end = window.waits(at(now));
            }
            if now > 0 && now % pause == 0 && bytes > 0 {
                window.wrote(at(now), bytes);
                end = window.waits(at(now));
            }
        }
        None
    }

    #[test]
    fn a_client_is_judged_by_its_rate_over_a_window() {
        assert_eq!(given_up_after(0, 1), Some(120), "reads nothing");
        assert_eq!(given_up_after(1, 1), Some(120), "reads a byte at a time");
        assert_eq!(given_up_after(900, 1), Some(120), "reads a little too slowly");
        assert_eq!(given_up_after(1100, 1), None, "reads fast enough");
        assert_eq!(given_up_after(130_000, 119), None, "pauses and reads much then");
        assert_eq!(given_up_after(1 << 20, 130), Some(120), "pauses too long");
    }

    #[test]
    fn time_in_which_nothing_waits_for_the_client_does_not_count() {
        let (start, mut window) = (Instant::now(), Window::new(RATE));
        let at = |seconds| start + Duration::from_secs(seconds);
        for n in 0..1000 {
            // The server takes a minute for each part, of which the client is waited for one second.
            let end = window.waits(at(60 * n));
            assert!(end >= at(60 * n + 1));
            window.wrote(at(60 * n + 1), 2000);
        }
    }

    #[tokio::test]
    async fn writing_to_a_client_that_reads_single_bytes_fails() {
        let rate = ReadRate { window: Duration::from_millis(50), bytes_per_second: 1_000_000 };
        let (server, mut client) = tokio::io::duplex(64);
        let mut server = MinimumReadRate::new(server, rate);
        let reading = tokio::spawn(async move {
            while client.read_u8().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let error = server.write_all(&[0; 1 << 20]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(server);
        reading.await.unwrap();
    }

    #[tokio::test]
    async fn writing_to_a_client_that_reads_nothing_fails_and_to_one_that_reads_goes_on() {
        let rate = ReadRate { window: Duration::from_millis(20), bytes_per_second: 1 };
        let (server, mut client) = tokio::io::duplex(64);
        let mut server = MinimumReadRate::new(server, rate);
        let error = server.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let reading = tokio::spawn(async move { client.read_exact(&mut [0; 1064]).await.map(drop) });
        server.write_all(&[0; 1000]).await.unwrap();
        reading.await.unwrap().unwrap();
    }
}
