use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgAction, Args};
use tokio::runtime::Runtime;

use super::Failure;
use super::export::publish_once;
use super::import::{example, import_with_progress};
use super::server::serve_data;
use super::settings::{ImportSettings, ServeSettings, boolean};
use crate::ingest::Destination;
use crate::ingest::demo::write_release;
use crate::spider::ScanId;
use crate::store::DataLocation;

const NO_EXPORT: &str = "SAGITTAL_NO_EXPORT";

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where the synthetic release and its data folder go [default: a folder for temporary files].
    #[arg(long, env = "SAGITTAL_DEMO_DIR")]
    dir: Option<PathBuf>,
    /// Do not export for Hugging Face datasets once the server runs.
    #[arg(long, env = NO_EXPORT, value_parser = boolean(NO_EXPORT), action = ArgAction::SetTrue)]
    no_export: bool,
    #[command(flatten)]
    import: ImportSettings,
    #[command(flatten)]
    serve: ServeSettings,
}

pub(super) fn run(demo: &Demo, runtime: &Runtime) -> Result<ExitCode, Failure> {
    serve(demo.dir.as_deref(), &demo.import, &demo.serve, !demo.no_export, runtime)
}

/// Makes the demo in `dir`, unless it is there already, and serves it until the process is stopped.
pub(super) fn serve(
    dir: Option<&Path>,
    import: &ImportSettings,
    settings: &ServeSettings,
    exports: bool,
    runtime: &Runtime,
) -> Result<ExitCode, Failure> {
    let dir = dir.map_or_else(|| std::env::temp_dir().join("sagittal-demo"), Path::to_owned);
    let (release, data) = (dir.join("release"), dir.join("data"));
    write_release_once(&release)?;
    let report = import_with_progress(&release, &Destination::folder(&data), import.options(), runtime)?;
    let scan = example(&report).ok_or("none of the demo's scans could be imported")?;
    let greet = |address: &str| {
        // Listening everywhere is no address to open.
        let address = address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
        if exports {
            tokio::spawn(export(data.clone(), address.clone()));
        }
        greet(&address, scan, &data)
    };
    runtime.block_on(serve_data(&DataLocation::Folder(data.clone()), settings, greet))?;
    Ok(ExitCode::SUCCESS)
}

/// The release is the same every time, so one that is whole is used again.
fn write_release_once(release: &Path) -> Result<(), Failure> {
    let finished = release.join(concat!("made-by-", env!("CARGO_PKG_VERSION")));
    if finished.is_file() {
        return Ok(());
    }
    write_release(release, |_, _| {})?;
    std::fs::write(finished, b"")?;
    Ok(())
}

/// Exports for Hugging Face datasets, so that `load_dataset` works with the demo.
async fn export(data: PathBuf, url: String) {
    if let Err(error) = publish_once(&data, &url).await {
        tracing::warn!(%error, "the demo could not be exported for Hugging Face datasets");
    }
}

fn greet(address: &str, scan: ScanId, data: &Path) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\nA synthetic release is served from {}. Look at:\n", data.display())?;
    for (what, path) in [
        ("scans, masks and gradings to browse", "/".to_owned()),
        ("three depths, plain and labelled", format!("/v1/scans/{scan}/montage.png")),
        ("one slice", format!("/v1/scans/{scan}/slices/mid/image.png")),
        ("its labels over it", format!("/v1/scans/{scan}/slices/best/overlay.png?fit=contain")),
        ("everything about the scan", format!("/v1/scans/{scan}")),
        ("every scan", "/v1/scans".to_owned()),
        ("its files for Hugging Face datasets", "/v1/exports".to_owned()),
    ] {
        writeln!(out, "  {what:<35} {address}{path}")?;
    }
    writeln!(out, "\nCtrl-C stops it.")
}
