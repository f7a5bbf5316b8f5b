use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Runtime;

use super::Failure;
use super::printable::{listed, printable, with_causes};
use super::settings::{Grace, ImportSettings, place};
use crate::ingest;
use crate::ingest::{Destination, Event, Finished, ImportOptions, Outcome, Report, Source};
use crate::snapshots::ImportShard;
use crate::spider::ScanId;
use crate::store::DataLocation;

#[derive(Debug, Args)]
pub(super) struct Import {
    /// A folder laid out like the release (images/, masks/, overview.csv, radiological_gradings.csv), or one that holds
    /// its images.zip and masks.zip instead of the folders.
    #[arg(required_unless_present = "merge")]
    source: Option<PathBuf>,
    /// Where the data go: a folder, made if need be; file:///a/shared/folder; or s3://bucket/prefix, with the endpoint and the
    /// credentials in AWS_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.
    #[arg(long, env = "SAGITTAL_DATA", value_parser = place())]
    data: DataLocation,
    /// Import one shard of several, as in 3/16, on as many machines as needed; `--merge` puts the shards together.
    #[arg(long, env = "SAGITTAL_SHARD", conflicts_with = "merge")]
    shard: Option<ImportShard>,
    /// Merge what `--shard` has imported, once all shards are there. Needs no SOURCE.
    #[arg(long)]
    merge: bool,
    /// Folder for a working copy of the index, where the index travels as snapshots [default: one for temporary files].
    #[arg(long, env = "SAGITTAL_WORK")]
    work: Option<PathBuf>,
    /// Minutes between two publications of the index while the import runs, where it travels as snapshots.
    #[arg(long, env = "SAGITTAL_PUBLISH_MINUTES", default_value_t = 5.0, value_parser = minutes)]
    publish_minutes: f64,
    /// Compare the checksums of files that seem unchanged by length and time; reads the whole release.
    #[arg(long, conflicts_with = "merge")]
    verify: bool,
    /// Remove scans from the data whose files are no longer in SOURCE.
    #[arg(long, conflicts_with_all = ["merge", "shard"])]
    prune: bool,
    /// Make the index anew, from SOURCE alone: for one that is damaged, or of a newer version of this program.
    #[arg(long, conflicts_with_all = ["merge", "shard"])]
    rebuild: bool,
    #[command(flatten)]
    grace: Grace,
    #[command(flatten)]
    settings: ImportSettings,
}

impl Import {
    fn options(&self) -> ImportOptions {
        ImportOptions { verify: self.verify, prune: self.prune, ..self.settings.options() }
    }

    fn destination(&self) -> Destination {
        Destination {
            place: self.data.clone(),
            work: self.work.clone(),
            publish_every: Duration::from_secs_f64(60.0 * self.publish_minutes),
            part: self.shard,
            rebuild: self.rebuild,
            grace: self.grace.duration(),
        }
    }
}

pub(super) fn run(import: &Import, runtime: &Runtime) -> Result<ExitCode, Failure> {
    let destination = import.destination();
    let Some(source) = import.source.as_deref().filter(|_| !import.merge) else {
        let Finished { parts, scans, revision } = ingest::finish(&destination, runtime.handle())?;
        writeln!(io::stdout(), "{parts:>6} parts put together\n{scans:>6} scans in the index, revision {revision}")?;
        return Ok(ExitCode::SUCCESS);
    };
    let report = import_with_progress(source, &destination, import.options(), runtime)?;
    print(&report, &mut io::stdout().lock())?;
    Ok(if report.refused().next().is_some() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Imports with a progress bar on the terminal, if there is one.
pub(super) fn import_with_progress(
    source: &Path,
    destination: &Destination,
    options: ImportOptions,
    runtime: &Runtime,
) -> Result<Report, Failure> {
    let source = Source::open_with_volumes(source)?;
    let bar = ProgressBar::new(0).with_style(style());
    let show = |event: Event<'_>| match event {
        Event::Planned { scans, bytes } => {
            bar.set_length(bytes);
            bar.set_message(format!("{scans} scans to convert"));
        }
        Event::Finished { scan, bytes, outcome } => {
            bar.inc(bytes);
            bar.set_message(scan.to_string());
            if let Outcome::Refused(error) = outcome {
                tracing::warn!("{scan} refused: {}", with_causes(error));
            }
        }
    };
    let report = ingest::run_into(&source, destination, options, runtime.handle(), &show);
    bar.finish_and_clear();
    Ok(report?)
}

/// From a second to a year.
fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse().ok().filter(|minutes: &f64| (1.0 / 60.0..=525_600.0).contains(minutes));
    minutes.ok_or_else(|| "give minutes, from 0.02 to 525600".to_owned())
}

fn style() -> ProgressStyle {
    let template = "{bar:30} {bytes}/{total_bytes} ({bytes_per_sec}) {eta} left  {wide_msg}";
    // The template is a literal; should it be wrong, a plain bar will do.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let imported: Vec<_> = report.imported().collect();
    writeln!(out, "{:>6} imported", imported.len())?;
    writeln!(out, "{:>6} skipped: already there, files unchanged", report.unchanged())?;
    writeln!(out, "{:>6} refused", report.refused().count())?;
    for (scan, error) in report.refused() {
        writeln!(out, "         {scan}: {}", with_causes(error))?;
    }
    for (scan, notes) in imported {
        notes.iter().try_for_each(|note| writeln!(out, "         note on {scan}: {}", printable(note)))?;
    }
    list(out, &report.still_served, "of the refused scans are served as they were imported before")?;
    list(out, &report.removed, "scans removed, because their files are no longer in SOURCE")?;
    list(out, &report.gone, "scans whose files are no longer in SOURCE: still served, --prune removes them")?;
    list(out, &report.without_volume, "rows of overview.csv without a volume: their metadata is served")?;
    list(out, &report.without_row, "scans without a row in overview.csv: served without metadata")?;
    list(out, &report.unknown_columns, "columns of the tables that the release does not have: not served")?;
    list(out, &report.ignored_files, "files ignored: not named like scans, or for the reason given")
}

fn list(out: &mut impl Write, items: &[impl ToString], what: &str) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "{:>6} {what} ({})", items.len(), listed(items))
}

/// A scan to show as an example.
pub(super) fn example(report: &Report) -> Option<ScanId> {
    report.outcomes.iter().find(|(_, outcome)| !matches!(outcome, Outcome::Refused(_))).map(|(scan, _)| *scan)
}
