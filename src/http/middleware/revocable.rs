//! Transfers that end with the token they were requested with.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// What is handed to the connection at once: a whole volume in one piece could not be ended any more.
const PIECE_BYTES: usize = 64 << 10;

/// A body that fails as soon as its token is revoked. The connection is then closed before the announced length, or without the
/// last chunk, so that no client takes what it has for the whole.
pub(in crate::http) struct RevocableBody {
    body: Body,
    rest: Bytes,
    revoked: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_revoked: bool,
}

/// Why a transfer ended early.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum TransferError {
    #[error("the token of the request was revoked")]
    Revoked,
    #[error(transparent)]
    Body(#[from] axum::Error),
}

impl RevocableBody {
    /// Wraps a body that takes more than one piece.
    pub(in crate::http) fn wrap<F: Future<Output = ()> + Send + 'static>(
        body: Body,
        revoked: impl FnOnce() -> F,
    ) -> Body {
        if body.size_hint().upper().is_some_and(|bytes| bytes <= PIECE_BYTES as u64) {
            return body;
        }
        Body::new(Self { body, rest: Bytes::new(), revoked: Box::pin(revoked()), is_revoked: false })
    }
}

impl HttpBody for RevocableBody {
    type Data = Bytes;
    type Error = TransferError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransferError>>> {
        let this = &mut *self;
        if this.is_revoked || this.revoked.as_mut().poll(context).is_ready() {
            if !this.is_revoked {
                tracing::info!("a transfer was aborted because its token was revoked");
            }
            this.is_revoked = true;
            return Poll::Ready(Some(Err(TransferError::Revoked)));
        }
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE_BYTES));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(inner.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, stream};
    use http_body_util::BodyExt;
    use tokio::sync::oneshot;

    use super::*;

    fn wrapped(body: Body) -> (Body, oneshot::Sender<()>) {
        let (sender, receiver) = oneshot::channel();
        (RevocableBody::wrap(body, || receiver.map(drop)), sender)
    }

    #[tokio::test]
    async fn a_body_arrives_whole_in_pieces_and_with_its_length() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
        let (mut body, _revoke) = wrapped(bytes.clone().into());
        assert_eq!(body.size_hint().exact(), Some(200_000));
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((first.len(), body.size_hint().exact()), (PIECE_BYTES, Some(200_000 - PIECE_BYTES as u64)));
        let rest = body.collect().await.unwrap().to_bytes();
        assert_eq!([first, rest].concat(), bytes);
    }

    #[tokio::test]
    async fn a_body_in_one_piece_ends_with_an_error_when_its_token_is_revoked() {
        let (mut body, revoke) = wrapped(vec![7; 200_000].into());
        assert!(body.frame().await.unwrap().is_ok());
        revoke.send(()).unwrap();
        for _ in 0..2 {
            assert!(body.frame().await.unwrap().is_err());
        }
        assert!(!body.is_end_stream());
    }

    #[tokio::test]
    async fn a_body_that_waits_for_its_source_ends_too() {
        let (mut body, revoke) = wrapped(Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()));
        let waiting = tokio::spawn(async move { body.frame().await.unwrap().is_err() });
        tokio::task::yield_now().await;
        revoke.send(()).unwrap();
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn what_its_source_fails_with_is_passed_on() {
        let failing = stream::iter([Ok(Bytes::from_static(b"a")), Err(std::io::Error::other("the disk is gone"))]);
        let (body, _revoke) = wrapped(Body::from_stream(failing));
        assert!(body.collect().await.unwrap_err().to_string().contains("the disk is gone"));
    }
}
