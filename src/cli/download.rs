use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};

use super::Failure;
use super::printable::with_causes;
use super::server::stop_signal;
use super::settings::seconds;
use crate::download;
use crate::download::{DownloadOptions, Event};
use crate::spider::dataset::RECORD;

#[derive(Debug, Args)]
pub(super) struct Download {
    /// Folder for images.zip, masks.zip, overview.csv and radiological_gradings.csv, 3.8 GB; made if need be.
    folder: PathBuf,
    /// Address of the record's description, JSON as Zenodo gives it.
    #[arg(long, env = "SAGITTAL_RECORD", default_value = RECORD)]
    record: String,
    /// Fetch files again that are there but are not what the record announces.
    #[arg(long)]
    again: bool,
    /// Attempts after one that brought nothing new, with growing waits between them.
    #[arg(long, env = "SAGITTAL_RETRIES", default_value_t = 5)]
    retries: u32,
    /// Seconds without a byte after which an attempt has failed.
    #[arg(long, env = "SAGITTAL_STALL_SECONDS", default_value_t = 30.0, value_parser = seconds)]
    stall_seconds: f64,
}

pub(super) async fn run(download: &Download) -> Result<ExitCode, Failure> {
    let options = DownloadOptions {
        record: download.record.clone(),
        again: download.again,
        retries: download.retries,
        stall: Duration::from_secs_f64(download.stall_seconds),
    };
    let bar = ProgressBar::new(0).with_style(style());
    let show = |event: Event<'_>| show(&bar, &event);
    let folder = download.folder.display();
    let done = tokio::select! {
        done = download::run(&download.folder, &options, &show) => done.map_err(Failure::from),
        _ = stop_signal()? => Err(format!("stopped; what came so far is kept in {folder}: run again to go on").into()),
    };
    bar.finish_and_clear();
    done?;
    say(&bar, format_args!("The release is whole. Next: sagittal import {folder} --data DATA"));
    Ok(ExitCode::SUCCESS)
}

fn show(bar: &ProgressBar, event: &Event<'_>) {
    match *event {
        Event::Checking { name, bytes } => begin(bar, format!("{name}, checking"), 0, bytes),
        Event::Present { name, bytes } => {
            say(bar, format_args!("{name}  {} were there and are right", DecimalBytes(bytes)));
        }
        Event::Fetching { name, from, size } => {
            if from > 0 {
                let (from, size) = (DecimalBytes(from), DecimalBytes(size));
                say(bar, format_args!("{name}  going on at {from} of {size}"));
            }
            begin(bar, name.to_owned(), from, size);
        }
        Event::At { bytes } => bar.set_position(bytes),
        Event::Retrying { what, fault, wait } => {
            let wait = wait.as_secs_f64();
            bar.suspend(|| tracing::warn!("{what}: {}; next attempt in {wait:.1} s", with_causes(fault)));
        }
        Event::Restarting { name, why } => bar.suspend(|| tracing::warn!("{name}: {why}; from its beginning")),
        Event::Fetched { name, bytes } => say(bar, format_args!("{name}  {} fetched, md5 right", DecimalBytes(bytes))),
    }
}

fn begin(bar: &ProgressBar, message: String, from: u64, length: u64) {
    bar.set_length(length);
    bar.set_position(from);
    bar.set_message(message);
    // What was there already says nothing about how fast the rest will come.
    bar.reset_eta();
}

/// Whether anybody still reads what is said is no reason to stop fetching.
fn say(bar: &ProgressBar, what: impl Display) {
    bar.suspend(|| drop(writeln!(std::io::stdout(), "{what}")));
}

fn style() -> ProgressStyle {
    let template = "{bar:30} {decimal_bytes}/{decimal_total_bytes} ({decimal_bytes_per_sec}) {eta} left  {wide_msg}";
    // The template is a literal; should it be wrong, a plain bar will do.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
