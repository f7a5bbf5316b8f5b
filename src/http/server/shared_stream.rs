//! A TCP connection that one task reads and writes while another watches whether its client is gone.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How often a connection is looked at whose client has sent more than was read so far.
const LOOK: Duration = Duration::from_millis(100);

/// A connection. Clones are the same connection; only one of them may be read and written.
#[derive(Debug, Clone)]
pub(in crate::http) struct SharedStream(Arc<TcpStream>);

impl SharedStream {
    pub(in crate::http) fn new(stream: TcpStream) -> Self {
        Self(Arc::new(stream))
    }

    /// Resolves when the client is gone: at once if it has reset the connection, `grace` after it has closed its sending side.
    ///
    /// A client that only has nothing more to send (RFC 9293 section 3.6) looks the same as one that has closed its socket,
    /// until something is written to it.
    pub(in crate::http) async fn client_gone(&self, grace: Duration) {
        loop {
            match self.0.peek(&mut [0]).await {
                Ok(0) => return tokio::time::sleep(grace).await,
                // The end may lie behind it.
                Ok(_) => tokio::time::sleep(LOOK).await,
                Err(_) => return,
            }
        }
    }

    /// Tries until the system has something to say.
    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        poll_ready: impl Fn(&TcpStream, &mut Context<'_>) -> Poll<io::Result<()>>,
        mut attempt: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(poll_ready(&self.0, cx))?;
            match attempt(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}

impl AsyncRead for SharedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = self.poll_io(cx, TcpStream::poll_read_ready, |stream| stream.try_read(buffer.initialize_unfilled()));
        buffer.advance(ready!(read)?);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SharedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, TcpStream::poll_write_ready, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, TcpStream::poll_write_ready, |stream| stream.try_write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is buffered here.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = SockRef::from(&*self.0).shutdown(Shutdown::Write);
        // The client was faster.
        Poll::Ready(
            closed.or_else(|error| if error.kind() == io::ErrorKind::NotConnected { Ok(()) } else { Err(error) }),
        )
    }
}
