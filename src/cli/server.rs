//! The server that `serve` and `demo` run, and the signals that stop it.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use signal_hook::consts::SIGINT;
use signal_hook::flag::{register, register_conditional_shutdown};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::Failure;
use super::settings::ServeSettings;
use crate::http;
use crate::http::{App, Stop};
use crate::imaging::RenderLimits;
use crate::renderer;
use crate::renderer::Renderer;
use crate::snapshots;
use crate::store::DataLocation;
use crate::worker_pool::Pool;

/// Exit code of a process that SIGINT ended, as shells have it: 128 and the signal's number.
const INTERRUPTED: i32 = 128 + SIGINT;

/// Serves a place of data until the process is stopped. `greet` is called with the server's address once it listens.
pub(super) async fn serve_data(
    data: &DataLocation,
    settings: &ServeSettings,
    greet: impl FnOnce(&str) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let authenticator = settings.guard.authenticator(settings.listen).await?.map(Arc::new);
    let origins = settings.guard.allowed_origins()?;
    let memory = settings.memory()?;
    raise_file_limit();
    let time_limit = Duration::from_secs_f64(settings.query_seconds);
    let (store, reader, replica) = snapshots::open(data, &settings.kept_slices()).await?;
    let reader = reader.within(time_limit);
    let pool = Pool::new(settings.render_threads(), settings.queue)?.within(memory);
    let limits = RenderLimits { max_pixels: settings.max_pixels };
    let renderer = Renderer::open(reader, store.clone(), pool, limits, memory.renderer).await?;
    let renderer = Arc::new(renderer);
    let refresh = Duration::from_secs_f64(settings.refresh_seconds);
    let renewal = match replica {
        None => tokio::spawn(renderer::renew_catalogue(Arc::clone(&renderer))),
        Some(replica) => tokio::spawn(renderer::poll_snapshots(Arc::clone(&renderer), replica, refresh)),
    };

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
    let polling =
        authenticator.clone().map(|authenticator| tokio::spawn(async move { authenticator.token_file().poll().await }));
    let app =
        App::new(renderer, store).within(settings.guard.limits()).authenticated_by(authenticator).allowing(origins);
    http::serve(listener, app, settings.guard.connections(memory.connections), stopped()?).await;
    renewal.abort();
    polling.inspect(JoinHandle::abort);
    Ok(())
}

/// As many files, and with them connections, as the system lets this process have.
fn raise_file_limit() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::debug!(%error, "could not raise the limit of open files");
    }
}

fn stopped() -> std::io::Result<impl Future<Output = Stop>> {
    let stop = stop_signal()?;
    Ok(async move {
        let how = stop.await;
        tracing::info!("stopping once the requests in flight are finished; a second SIGINT ends the process at once");
        how
    })
}

/// Resolves when the process has to end, by SIGINT (Ctrl-C) or by SIGTERM. A second SIGINT ends it at once, also when no
/// thread of the runtime can do anything.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = Stop>> {
    let is_interrupted = Arc::new(AtomicBool::new(false));
    // In this order: the first SIGINT finds the flag as it is, and sets it for the next.
    register_conditional_shutdown(SIGINT, INTERRUPTED, Arc::clone(&is_interrupted))?;
    register(SIGINT, is_interrupted)?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Stop::AtOnce,
            _ = terminate.recv() => Stop::Gently,
        }
    })
}
