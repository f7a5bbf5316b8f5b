//! Commands and configuration, nothing else. Every flag can also be given as an environment variable.

mod check;
mod demo;
mod download;
mod evaluate;
mod export;
mod healthcheck;
mod import;
mod logging;
mod printable;
mod remove;
mod serve;
mod server;
mod settings;
mod token;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// How long blocking calls may take to finish once a command has ended.
const EXIT_TIME: Duration = Duration::from_secs(1);

/// Serves the SPIDER lumbar-spine MRI release over HTTP: slices, masks, overlays, metadata and gradings.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: logging::LogSettings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a small synthetic release, import it and serve it: something to look at within seconds.
    Demo(demo::Demo),
    /// Fetch the release from Zenodo. Run again after an interruption, it goes on where it was.
    Download(download::Download),
    /// Convert a release into a data folder. Run again, it skips what is there.
    Import(import::Import),
    /// Remove scans from a data folder: voxels, metadata, and gradings of patients of whom nothing is left.
    Remove(remove::Remove),
    /// Serve a data folder.
    Serve(serve::Serve),
    /// Read every voxel of a data folder once, hold the store against the index, and print what is odd in the data.
    Check(check::Check),
    /// Write files for others' loaders: Hugging Face datasets, webdataset, nnU-Net.
    Export(export::Export),
    /// Score a folder of predicted masks against the true ones.
    Evaluate(evaluate::Evaluate),
    /// Create a token: it is printed to standard error, the line for the token file to standard output.
    Token(token::Token),
    /// Ask a running server whether it is ready; for containers without curl.
    Healthcheck(healthcheck::Healthcheck),
}

/// Runs the command that the process's arguments name.
///
/// Exit code 0: done; 1: done in part (import: some scans were refused; evaluate: some predictions are missing or were refused) or not healthy; 2: not done; 130: interrupted twice.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let _traces = match logging::start(&cli.log) {
        Ok(traces) => traces,
        Err(error) => return fail(&*error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let done = match cli.command {
        Command::Demo(demo) => demo::run(&demo, &runtime),
        Command::Download(download) => runtime.block_on(download::run(&download)),
        Command::Import(import) => import::run(&import, &runtime),
        Command::Remove(remove) => remove::run(&remove, &runtime),
        Command::Serve(serve) => serve::run(&serve, &runtime),
        Command::Export(export) => runtime.block_on(export::run(&export)),
        Command::Check(check) => runtime.block_on(check::run(&check)),
        Command::Evaluate(evaluate) => runtime.block_on(evaluate::run(&evaluate)),
        Command::Token(token) => token::run(&token).map(|()| ExitCode::SUCCESS),
        Command::Healthcheck(check) => runtime.block_on(healthcheck::run(&check)).map(|()| ExitCode::SUCCESS),
    };
    // Nothing waits for a thread that reads from a file system which does not answer.
    runtime.shutdown_timeout(EXIT_TIME);
    done.unwrap_or_else(|error| fail(&*error))
}

/// What a command failed with: shown to the person at the terminal, with every cause.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[expect(clippy::print_stderr, reason = "the last word of a failed command belongs on the terminal")]
fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    eprintln!("error: {}", printable::with_causes(error));
    ExitCode::from(2)
}
