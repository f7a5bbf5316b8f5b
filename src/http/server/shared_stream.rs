//! A TCP connection that one task reads and writes while another watches whether its client is gone, and that gives others
//! their turn.

use std::io::{self, IoSlice, Read};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// How often a connection is looked at whose client has sent more than was read so far.
const LOOK: Duration = Duration::from_millis(100);

/// Bytes that are written before other connections have their turn. The system takes many times as many at once, and copies
/// them meanwhile: with a few dozen clients who read large responses, small ones waited for tens of milliseconds.
const TURN: usize = 512 << 10;

/// A connection. Clones are the same connection; only one of them may be read and written.
#[derive(Debug, Clone)]
pub(in crate::http) struct SharedStream {
    stream: Arc<TcpStream>,
    /// Bytes left of this turn.
    turn: usize,
}

impl SharedStream {
    pub(in crate::http) fn new(stream: TcpStream) -> Self {
        Self { stream: Arc::new(stream), turn: TURN }
    }

    /// Resolves when the client is gone: at once if it has reset the connection, `grace` after it has closed its sending side.
    ///
    /// A client that only has nothing more to send (RFC 9293 section 3.6) looks the same as one that has closed its socket,
    /// until something is written to it.
    pub(in crate::http) async fn client_gone(&self, grace: Duration) {
        loop {
            match self.stream.peek(&mut [0]).await {
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
            ready!(poll_ready(&self.stream, cx))?;
            match attempt(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    /// Writes at most the bytes that are left of this turn. At the end of one, the task is run again after the others.
    fn write_in_turn(
        &mut self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&TcpStream, usize) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let most = std::mem::replace(&mut self.turn, TURN);
        if most == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let written = ready!(self.poll_io(cx, TcpStream::poll_write_ready, |stream| attempt(stream, most)))?;
        self.turn = most - written;
        Poll::Ready(Ok(written))
    }
}

/// Reads what there is. A read that leaves room has read all of it (epoll(7)), and the socket counts as not ready from then on, as
/// tokio's own reads have it: hyper tries the next one at once, which would be a system call in vain for every request.
fn try_read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut all = None;
    let read = stream.try_io(Interest::READABLE, || {
        let read = (&*SockRef::from(stream)).read(buffer)?;
        if cfg!(target_os = "linux") && (1..buffer.len()).contains(&read) {
            all = Some(read);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(read)
    });
    all.map_or(read, Ok)
}

impl AsyncRead for SharedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read =
            self.poll_io(cx, TcpStream::poll_read_ready, |stream| try_read(stream, buffer.initialize_unfilled()));
        buffer.advance(ready!(read)?);
        // The response to a new request begins a turn, so that one of ordinary size is written at once.
        self.turn = TURN;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SharedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write_in_turn(cx, |stream, most| stream.try_write(&bytes[..bytes.len().min(most)]))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write_in_turn(cx, |stream, most| {
            let mut len = 0;
            let fitting = parts.iter().take_while(|part| {
                len += part.len();
                len <= most
            });
            match (fitting.count(), parts.first()) {
                (0, Some(first)) => stream.try_write(&first[..most]),
                (fitting, _) => stream.try_write_vectored(&parts[..fitting]),
            }
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is buffered here.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = SockRef::from(&*self.stream).shutdown(Shutdown::Write);
        // The client was faster.
        Poll::Ready(
            closed.or_else(|error| if error.kind() == io::ErrorKind::NotConnected { Ok(()) } else { Err(error) }),
        )
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn connection() -> (SharedStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (SharedStream::new(listener.accept().await.unwrap().0), client)
    }

    /// How many bytes are written, once some can be, before the task has to wait.
    async fn written_at_once(stream: &mut SharedStream, parts: &[IoSlice<'_>]) -> usize {
        std::future::poll_fn(|cx| {
            let mut written = 0;
            while let Poll::Ready(outcome) = Pin::new(&mut *stream).poll_write_vectored(cx, parts) {
                written += outcome.unwrap();
            }
            if written == 0 { Poll::Pending } else { Poll::Ready(written) }
        })
        .await
    }

    #[tokio::test]
    async fn others_have_their_turn_between_two_parts_of_a_large_response() {
        let (mut stream, mut client) = connection().await;
        let (head, body) = (vec![1; 100], vec![2; 64 << 20]);
        let reader = tokio::spawn(async move {
            let mut received = Vec::new();
            client.read_to_end(&mut received).await.unwrap();
            received
        });
        for part in [&head, &body] {
            // Whatever the system would take, a turn is never longer.
            let written = written_at_once(&mut stream, &[IoSlice::new(part), IoSlice::new(&body)]).await;
            assert!((1..=1 << 20).contains(&written), "{written} bytes at once");
        }
        stream.write_all(&body).await.unwrap();
        stream.shutdown().await.unwrap();
        let received = reader.await.unwrap();
        assert!(received.len() > body.len() && received.starts_with(&head) && received.ends_with(&body));
    }

    #[tokio::test]
    async fn reads_that_leave_room_wait_for_what_comes_next() {
        let (mut stream, mut client) = connection().await;
        let mut buffer = [0; 16];
        for sent in [&b"first"[..], b"0123456789abcdef", b"last"] {
            client.write_all(sent).await.unwrap();
            let read = stream.read(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..read], sent);
        }
        let mut next = Box::pin(stream.read(&mut buffer));
        assert!(futures_util::poll!(&mut next).is_pending());
        drop(client);
        assert_eq!(next.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_response_to_a_new_request_begins_a_turn() {
        let (mut stream, mut client) = connection().await;
        stream.turn = 1;
        client.write_all(b"GET").await.unwrap();
        stream.read_exact(&mut [0; 3]).await.unwrap();
        assert_eq!(stream.turn, TURN);
    }
}
