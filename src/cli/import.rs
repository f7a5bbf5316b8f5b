use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Runtime;

use super::Failure;
use super::settings::ImportSettings;
use crate::ingest::{self, Event, Outcome, Report, Source};
use crate::spider::ScanId;

/// Most names of a kind that the closing table spells out.
const SHOWN: usize = 12;

#[derive(Debug, Args)]
pub(super) struct Import {
    /// A folder laid out like the release (images/, masks/, overview.csv, radiological_gradings.csv), or one that holds
    /// its images.zip and masks.zip instead of the folders.
    source: PathBuf,
    /// The data folder; made if need be.
    #[arg(long, env = "SAGITTAL_DATA")]
    data: PathBuf,
    #[command(flatten)]
    settings: ImportSettings,
}

pub(super) fn run(import: &Import, runtime: &Runtime) -> Result<ExitCode, Failure> {
    let report = import_with_progress(&import.source, &import.data, &import.settings, runtime)?;
    print(&report, &mut io::stdout().lock())?;
    Ok(if report.refused().next().is_some() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Imports with a progress bar on the terminal, if there is one.
pub(super) fn import_with_progress(
    source: &Path,
    data: &Path,
    settings: &ImportSettings,
    runtime: &Runtime,
) -> Result<Report, Failure> {
    let source = Source::open(source)?;
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
    let report = ingest::run(&source, data, settings.options(), runtime.handle(), &show);
    bar.finish_and_clear();
    Ok(report?)
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
        notes.iter().try_for_each(|note| writeln!(out, "         note on {scan}: {note}"))?;
    }
    list(out, &report.without_volume, "rows of overview.csv without a volume: their metadata is served")?;
    list(out, &report.without_row, "scans without a row in overview.csv: served without metadata")?;
    list(out, &report.unknown_columns, "columns of the tables that the release does not have: not served")?;
    list(out, &report.ignored_files, "files that are not named like scans: ignored")
}

fn list(out: &mut impl Write, items: &[impl ToString], what: &str) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if items.len() > SHOWN { ", …" } else { "" };
    writeln!(out, "{:>6} {what} ({}{more})", items.len(), shown.join(", "))
}

pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A scan to show as an example.
pub(super) fn example(report: &Report) -> Option<ScanId> {
    report.outcomes.iter().find(|(_, outcome)| !matches!(outcome, Outcome::Refused(_))).map(|(scan, _)| *scan)
}
