//! Connections of clients that close them, over sockets.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use sagittal::http::{self, Connections, ReadRate};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Release, Service, held_pool};

const HOUR: Duration = Duration::from_secs(3600);
const REQUEST: &[u8] = b"GET /v1/scans/1_t1/slices/2/image.png HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// Serves until the service's runtime is dropped.
async fn listen(service: &Service, half_close_time: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Connections {
        most: 16,
        buffer_bytes: 16 << 10,
        header_time: HOUR,
        keep_alive_time: HOUR,
        read_rate: ReadRate { window: HOUR, bytes_per_second: 1 },
        half_close_time,
        shutdown_delay: Duration::ZERO,
        drain_time: Duration::ZERO,
    };
    tokio::spawn(http::serve(listener, service.app.clone(), connections, pending()));
    address
}

/// Waits until so many renderings run or wait.
async fn until_queued(service: &Service, wanted: u64) {
    let waiting = async {
        while service.queued().await != wanted {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("the queue does not change");
}

/// Runs a test with a service whose rendering thread is held until the third argument is dropped.
fn with_held_pool(test: impl AsyncFnOnce(&Service, std::sync::mpsc::Sender<()>)) {
    let data = tempfile::tempdir().unwrap();
    Release::small().import(data.path());
    let (pool, held) = held_pool();
    let service = Service::with(data.path(), pool);
    service.block_on(test(&service, held));
}

/// A connection whose request waits for the rendering thread.
async fn waiting_client(service: &Service, address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(REQUEST).await.unwrap();
    until_queued(service, 1).await;
    client
}

#[test]
fn a_client_that_has_nothing_more_to_send_gets_its_response() {
    with_held_pool(async |service, held| {
        let address = listen(service, HOUR).await;
        let mut client = waiting_client(service, address).await;
        client.shutdown().await.unwrap();
        drop(held);
        let mut response = Vec::new();
        client.read_to_end(&mut response).await.unwrap();
        assert!(response.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&response));
        assert!(response.ends_with(b"IEND\xaeB`\x82"), "the response is whole");
    });
}

#[test]
fn what_waits_for_a_client_that_closed_is_dropped_when_its_time_is_over() {
    with_held_pool(async |service, held| {
        let address = listen(service, Duration::from_millis(1)).await;
        let mut client = waiting_client(service, address).await;
        client.shutdown().await.unwrap();
        // The thread is still held: the rendering is gone before its turn.
        until_queued(service, 0).await;
        let mut response = Vec::new();
        client.read_to_end(&mut response).await.unwrap();
        assert_eq!(response, b"");
        drop(held);
    });
}

#[test]
fn what_waits_for_a_client_that_reset_its_connection_is_dropped_at_once() {
    with_held_pool(async |service, held| {
        let address = listen(service, HOUR).await;
        let client = waiting_client(service, address).await;
        SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        until_queued(service, 0).await;
        drop(held);
    });
}
