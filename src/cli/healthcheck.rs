use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Failure;

/// How long a healthy server may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// Address and port of the server.
    #[arg(long, env = "SAGITTAL_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

pub(super) async fn run(check: &Healthcheck) -> Result<(), Failure> {
    let answer = tokio::time::timeout(PATIENCE, ask(check.listen)).await;
    let answer = answer.map_err(|_| format!("{} did not answer within {PATIENCE:?}", check.listen))?;
    let answer = answer.map_err(|error| format!("{} does not answer: {error}", check.listen))?;
    if answer.starts_with("HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(format!("{} is not ready: {}", check.listen, answer.lines().next().unwrap_or("no answer")).into())
    }
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut address = address;
    // A server that listens everywhere is queried on this machine.
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
