use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use super::settings::ServeSettings;
use crate::http::{self, App};
use crate::index::Reader;
use crate::pictures::{self, Pictures};
use crate::pool::Pool;
use crate::render::Limits;
use crate::store::Store;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The data folder that `sagittal import` filled.
    #[arg(long, env = "SAGITTAL_DATA")]
    data: PathBuf,
    #[command(flatten)]
    settings: ServeSettings,
}

pub(super) async fn run(serve: &Serve) -> Result<(), Failure> {
    serve_folder(&serve.data, &serve.settings, |_| Ok(())).await
}

/// Serves a data folder until the process is told to stop. `greet` is called with the server's address once it listens.
pub(super) async fn serve_folder(
    data: &Path,
    settings: &ServeSettings,
    greet: impl FnOnce(&str) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let time_limit = Duration::from_secs_f64(settings.query_seconds);
    let reader = Reader::open(data).await?.within(time_limit);
    let store = Store::local(data)?;
    let pool = Pool::new(settings.draw_threads(), settings.queue)?;
    let limits = Limits { max_pixels: settings.max_pixels };
    let pictures = Pictures::open(reader.clone(), store.clone(), pool, limits, settings.cache_mb << 20).await?;
    let pictures = Arc::new(pictures);
    let renewal = tokio::spawn(pictures::renew_catalogue(Arc::clone(&pictures)));

    let listener = TcpListener::bind(settings.listen).await.map_err(|error| {
        format!(
            "could not listen on {}: {error}; is another server running there? choose another with --listen",
            settings.listen
        )
    })?;
    let address = format!("http://{}", listener.local_addr()?);
    // Programs that start the server wait for this line. Whether anybody still reads is no reason to stop serving.
    let said = writeln!(std::io::stdout(), "listening on {address}").and_then(|()| greet(&address));
    if let Err(error) = said {
        tracing::warn!(%error, "could not write to standard output");
    }
    http::serve(listener, http::router(App::new(reader, pictures, store)), stopped()?).await;
    renewal.abort();
    Ok(())
}

fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    let stop = stop_signal()?;
    Ok(async move {
        stop.await;
        tracing::info!("stopping: requests in flight are finished first");
    })
}

/// Resolves when the process is asked to end, by Ctrl-C or by SIGTERM.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
