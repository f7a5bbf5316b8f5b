//! Closing a connection only when the client has heard the answer.
//!
//! A server that closes as soon as the kernel has taken its last bytes can lose them. What a client still sends to a closed
//! socket, such as the rest of a body that is too long, is answered with a reset, which overtakes the answer (RFC 9112,
//! section 9.6). And a container's network goes when its only process ends, with all that was still to be sent.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long a client may take to hear the end of an answer that was written.
const GRACE: Duration = Duration::from_secs(10);

/// A connection whose shutdown waits until the client closes its side too, ten seconds after the last byte was written at
/// the longest. What the client sends meanwhile is thrown away.
pub(in crate::http) struct LingeringClose<S> {
    stream: S,
    /// When the server began to stop.
    stopping_since: Arc<OnceLock<Instant>>,
    last_written: Option<Instant>,
    closing: Closing,
}

enum Closing {
    NotYet,
    /// Our side is closed; the client's is waited for.
    Lingering(Pin<Box<Sleep>>),
    Done,
}

impl<S> LingeringClose<S> {
    pub(in crate::http) fn new(stream: S, stopping_since: Arc<OnceLock<Instant>>) -> Self {
        Self { stream, stopping_since, last_written: None, closing: Closing::NotYet }
    }

    /// Until when the client is waited for.
    fn patience(&self) -> Option<Instant> {
        let written = self.last_written?;
        // One that has sent no request since the stop began keeps its connection for later. Many clients only notice that it
        // was closed when they ask again, and a stop that waited for them would always take its longest.
        let idles = self.stopping_since.get().is_some_and(|&since| written < since);
        (!idles).then(|| written + GRACE)
    }

    fn wrote<T>(&mut self, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if matches!(outcome, Poll::Ready(Ok(_))) {
            self.last_written = Some(Instant::now());
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LingeringClose<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LingeringClose<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.wrote(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            this.closing = match &mut this.closing {
                Closing::NotYet => {
                    ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                    match this.patience() {
                        Some(until) => Closing::Lingering(Box::pin(tokio::time::sleep_until(until.into()))),
                        None => Closing::Done,
                    }
                }
                Closing::Lingering(sleep) => {
                    if sleep.as_mut().poll(cx).is_pending() {
                        ready!(poll_until_closed(&mut this.stream, cx));
                    }
                    Closing::Done
                }
                Closing::Done => return Poll::Ready(Ok(())),
            };
        }
    }
}

/// Throws away what comes until nothing can come any more.
fn poll_until_closed(stream: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<()> {
    let mut scrap = [0; 8192];
    loop {
        let mut buffer = ReadBuf::new(&mut scrap);
        let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer));
        if read.is_err() || buffer.filled().is_empty() {
            return Poll::Ready(());
        }
    }
}
