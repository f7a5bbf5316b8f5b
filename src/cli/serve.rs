use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::settings::{ImportSettings, ServeSettings, place};
use super::{Failure, demo};
use crate::access::KeyFile;
use crate::http::{self, App, Stop};
use crate::index;
use crate::pictures::{self, Pictures};
use crate::pool::Pool;
use crate::render::Limits;
use crate::snapshots;
use crate::store::Place;

/// How often the token file is looked at.
const TOKEN_RENEWAL: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where `sagittal import` put the data: a folder, file:///a/shared/folder, or s3://bucket/prefix.
    #[arg(long, env = "SAGITTAL_DATA", value_parser = place())]
    data: Place,
    /// Serve the demo as long as nothing was imported into the folder.
    #[arg(long, env = "SAGITTAL_OR_DEMO", value_parser = is_yes, action = ArgAction::SetTrue)]
    or_demo: bool,
    #[command(flatten)]
    settings: ServeSettings,
}

/// Only a plain yes counts: docker-compose.yml gives the folder that was asked for in its place, if there is one.
fn is_yes(text: &str) -> Result<bool, Infallible> {
    Ok(["yes", "true", "on", "1"].contains(&text))
}

pub(super) fn run(serve: &Serve, runtime: &Runtime) -> Result<ExitCode, Failure> {
    match &serve.data {
        Place::Folder(data) if serve.or_demo && !index::path_in(data).exists() => {
            tracing::info!("nothing was imported into {} yet: this will be the demo", data.display());
            demo::serve(None, &ImportSettings::default(), &serve.settings, runtime)
        }
        data => {
            runtime.block_on(serve_place(data, &serve.settings, |_| Ok(())))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Serves a place of data until the process is told to stop. `greet` is called with the server's address once it listens.
pub(super) async fn serve_place(
    data: &Place,
    settings: &ServeSettings,
    greet: impl FnOnce(&str) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let key_file = settings.guard.key_file(settings.listen)?;
    let origins = settings.guard.allowed_origins()?;
    raise_file_limit();
    let time_limit = Duration::from_secs_f64(settings.query_seconds);
    let (store, reader, replica) = snapshots::open(data, &settings.kept_slices()).await?;
    let reader = reader.within(time_limit);
    let pool = Pool::fetching_ahead(settings.draw_threads(), settings.ahead(data), settings.queue)?;
    let limits = Limits { max_pixels: settings.max_pixels };
    let pictures = Pictures::open(reader, store.clone(), pool, limits, settings.cache_mb << 20).await?;
    let pictures = Arc::new(pictures);
    let refresh = Duration::from_secs_f64(settings.refresh_seconds);
    let renewal = match replica {
        None => tokio::spawn(pictures::renew_catalogue(Arc::clone(&pictures))),
        Some(replica) => tokio::spawn(pictures::follow(Arc::clone(&pictures), replica, refresh)),
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
    let watch = key_file.clone().map(|key_file| tokio::spawn(renew_tokens(key_file)));
    let app = App::new(pictures, store).within(settings.guard.limits()).guarded(key_file).allowing(origins);
    http::serve(listener, app, settings.guard.connections(), stopped()?).await;
    renewal.abort();
    watch.inspect(JoinHandle::abort);
    Ok(())
}

/// Looks at the token file again and again.
async fn renew_tokens(key_file: Arc<KeyFile>) {
    let mut is_well = true;
    loop {
        tokio::time::sleep(TOKEN_RENEWAL).await;
        let renewed = key_file.renew();
        match &renewed {
            Ok(true) => tracing::info!("the token file was read anew"),
            Err(error) if is_well => tracing::error!(error = error as &dyn Error, "the tokens stay as they were"),
            _ => {}
        }
        is_well = renewed.is_ok();
    }
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
        tracing::info!("stopping: requests in flight are finished first");
        how
    })
}

/// Resolves when the process is asked to end, by Ctrl-C or by SIGTERM.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = Stop>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Stop::AtOnce,
            _ = terminate.recv() => Stop::Gently,
        }
    })
}
