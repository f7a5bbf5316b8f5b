use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::runtime::Runtime;

use super::Failure;
use super::printable::listed;
use super::settings::{Grace, place};
use crate::ingest;
use crate::ingest::Destination;
use crate::spider::ScanId;
use crate::store::DataLocation;

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// Ids of the scans, such as 5_t2_SPACE.
    #[arg(required = true, value_name = "SCAN")]
    scans: Vec<ScanId>,
    /// Where the data are: a folder, file:///a/shared/folder, or s3://bucket/prefix.
    #[arg(long, env = "SAGITTAL_DATA", value_parser = place())]
    data: DataLocation,
    /// Folder for a working copy of the index, where the index travels as snapshots [default: one for temporary files].
    #[arg(long, env = "SAGITTAL_WORK")]
    work: Option<PathBuf>,
    #[command(flatten)]
    grace: Grace,
}

/// Removes scans from the index and from the store.
pub(super) fn run(remove: &Remove, runtime: &Runtime) -> Result<ExitCode, Failure> {
    let place = Destination::new(remove.data.clone());
    let destination = Destination { work: remove.work.clone(), grace: remove.grace.duration(), ..place };
    let removed = ingest::remove(&remove.scans, &destination, runtime.handle())?;
    let mut out = io::stdout().lock();
    writeln!(out, "{:>6} scans removed, and their rows of the tables", remove.scans.len())?;
    writeln!(out, "{:>6} groups deleted from the store", removed.groups.len())?;
    writeln!(out, "       an import brings them back as long as they are in its SOURCE: remove them there, too")?;
    if !removed.exports.is_empty() {
        let (count, names) = (removed.exports.len(), listed(&removed.exports));
        writeln!(
            out,
            "{count:>6} exported files were made before and may hold them; export again or delete them ({names})"
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
