//! Bodies of requests, of which it is known whether they were read.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::head_timer::HeadTimer;

/// A body that notes when it has been read to its end.
pub(in crate::http) struct RequestBody {
    body: Incoming,
    is_read: Arc<AtomicBool>,
    timer: HeadTimer,
}

/// Whether a body was read to its end. Nothing else can follow it on its connection before that.
#[derive(Debug, Clone)]
pub(in crate::http) struct IsRead(Arc<AtomicBool>);

impl RequestBody {
    /// The body of a request, which is read when this has been. `timer` notes that too.
    pub(in crate::http) fn new(body: Incoming, timer: HeadTimer) -> (Self, IsRead) {
        let is_read = Arc::new(AtomicBool::new(false));
        let body = Self { body, is_read: Arc::clone(&is_read), timer };
        if body.is_end_stream() {
            body.note_read();
        }
        (body, IsRead(is_read))
    }

    fn note_read(&self) {
        if !self.is_read.swap(true, Ordering::Relaxed) {
            self.timer.note_request_read();
        }
    }
}

impl IsRead {
    pub(in crate::http) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Body for RequestBody {
    type Data = <Incoming as Body>::Data;
    type Error = <Incoming as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.note_read();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
