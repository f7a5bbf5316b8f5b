//! Accepting connections. `axum::serve` has no timeout for a client that never finishes its headers, so the hyper server
//! is built here.

pub(super) mod head_timer;
pub(super) mod lingering_close;
pub(super) mod peer;
pub(super) mod request_body;
pub(super) mod shared_stream;
pub(super) mod slow_reader;

use std::future::Future;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::io::InspectReader;
use tower::ServiceExt;

use super::middleware::host::FromConnection;
use super::responses::problem::{Code, Problem};
use super::state::App;
use super::{Service, service};
use head_timer::HeadTimer;
use lingering_close::LingeringClose;
use peer::Peer;
use request_body::RequestBody;
use shared_stream::SharedStream;
use slow_reader::{MinimumReadRate, ReadRate};

/// Clients that hear that there are too many; more are hung up on.
const MAX_REFUSALS: usize = 256;
/// How long a client may take to hear that there are too many.
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct Connections {
    /// How many at once.
    pub most: usize,
    /// Bytes of one connection's buffers: the most that a request's headers may have.
    pub buffer_bytes: usize,
    /// How long a client may take for its request's headers.
    pub header_time: Duration,
    /// How long a connection may idle between two requests.
    pub keep_alive_time: Duration,
    /// What a client must read of responses that wait for it.
    pub read_rate: ReadRate,
    /// How long a client that has closed its sending side may wait for its response to begin.
    pub half_close_time: Duration,
    /// How long the server goes on answering, but as one that is not ready any more, after it has to stop gently.
    pub shutdown_delay: Duration,
    /// How long requests in flight may take to finish after that, and their clients to hear the end of the answers.
    pub drain_time: Duration,
}

/// How the server has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// By someone at the terminal who waits.
    AtOnce,
    /// By something that also sends clients elsewhere.
    Gently,
}

/// Serves on `listener` until `stop` resolves, then lets the requests in flight finish.
pub async fn serve(listener: TcpListener, app: App, connections: Connections, stop: impl Future<Output = Stop>) {
    let server = Server::new(app, connections);
    let how = server.accept_until(&listener, stop).await;
    server.begin_stopping();
    if how == Stop::Gently {
        server.accept_until(&listener, tokio::time::sleep(connections.shutdown_delay)).await;
    }
    // Anyone who has connected before the listener closes is accepted.
    server.accept_until(&listener, std::future::ready(())).await;
    drop(listener);
    if tokio::time::timeout(connections.drain_time, server.graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still in flight, or answers not heard, when the time to finish them was over");
    }
}

struct Server {
    app: App,
    service: Service,
    connections: Connections,
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    graceful: GracefulShutdown,
    stopping_since: Arc<OnceLock<Instant>>,
    accepted: AtomicU64,
}

/// The client does not wait for its response any more.
#[derive(Debug, thiserror::Error)]
#[error("the client closed the connection before its response began")]
struct ClientGone;

impl Server {
    fn new(app: App, connections: Connections) -> Self {
        Self {
            service: service(app.clone()),
            app,
            connections,
            places: Arc::new(Semaphore::new(connections.most)),
            refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
            graceful: GracefulShutdown::new(),
            stopping_since: Arc::default(),
            accepted: AtomicU64::new(0),
        }
    }

    fn begin_stopping(&self) {
        self.stopping_since.get_or_init(Instant::now);
        self.app.begin_stopping();
    }

    /// Takes connections until `end` resolves and no connection waits.
    async fn accept_until<T>(&self, listener: &TcpListener, end: impl Future<Output = T>) -> T {
        let mut end = std::pin::pin!(end);
        loop {
            tokio::select! {
                biased;
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.accept(stream, peer.ip()),
                    Err(error) => {
                        // Out of file descriptors, mostly: others must be closed before the next can be opened.
                        tracing::warn!(%error, "could not accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                ended = &mut end => return ended,
            }
        }
    }

    fn accept(&self, stream: TcpStream, peer: IpAddr) {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return self.serve_connection(stream, peer, place);
        }
        self.app.metrics().connection_refused();
        if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
            let stream = LingeringClose::new(stream, Arc::clone(&self.stopping_since));
            let detail = format!("all {} connections are taken; try again in a moment", self.connections.most);
            tokio::spawn(async move {
                // Someone who does not listen is hung up on.
                let _ = tokio::time::timeout(REFUSAL_TIME, refuse(stream, &detail)).await;
                drop(permit);
            });
        }
    }

    fn serve_connection(&self, stream: TcpStream, peer: IpAddr, place: OwnedSemaphorePermit) {
        // Small answers go out at once; large ones fill their segments anyway.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not set TCP_NODELAY");
        }
        let shared = SharedStream::new(stream);
        let stream = MinimumReadRate::new(shared.clone(), self.connections.read_rate);
        let stream = LingeringClose::new(stream, Arc::clone(&self.stopping_since));
        let timer = HeadTimer::new(self.connections.header_time, self.connections.keep_alive_time);
        let (head_timer, noted) = (timer.clone(), timer.clone());
        let stream = InspectReader::new(stream, move |bytes: &[u8]| {
            if !bytes.is_empty() {
                noted.note_bytes();
            }
        });
        let peer = Peer { address: peer, connection: self.accepted.fetch_add(1, Ordering::Relaxed) };
        let (routed, grace) = (self.service.clone(), self.connections.half_close_time);
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(FromConnection);
            request.extensions_mut().insert(peer);
            let (parts, body) = request.into_parts();
            let (body, is_read) = RequestBody::new(body, timer.clone());
            let response = routed.clone().oneshot(hyper::Request::from_parts(parts, axum::body::Body::new(body)));
            let shared = shared.clone();
            async move {
                // Dropping the response's future drops what was queued for it.
                tokio::select! {
                    biased;
                    response = response => {
                        let mut response = response.map_err(|never| match never {})?;
                        if !is_read.get() {
                            // What is left of the body would be taken for the next request, so the connection ends, and the
                            // client has to know before it sends one (RFC 9112 section 9.6).
                            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                        }
                        Ok(response)
                    }
                    () = shared.client_gone(grace) => Err(ClientGone),
                }
            }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(head_timer)
            // The timer alone decides how long that is.
            .header_read_timeout(self.connections.header_time)
            // A client that has nothing more to send may still wait for its answer.
            .half_close(true)
            .max_buf_size(self.connections.buffer_bytes)
            .serve_connection(TokioIo::new(stream), service);
        let connection = self.graceful.watch(connection);
        let counted = self.app.metrics().connection();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended early");
            }
            drop((place, counted));
        });
    }
}

/// Says that there are too many connections, whatever was requested.
async fn refuse(mut stream: LingeringClose<TcpStream>, detail: &str) -> std::io::Result<()> {
    let body = Problem::new(Code::Overloaded, detail).body();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n\
         cache-control: no-store\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat()).await?;
    stream.shutdown().await
}
