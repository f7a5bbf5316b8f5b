use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::Failure;
use super::settings::{cores, place};
use crate::export;
use crate::export::{ExportFormat, ExportOptions, folder};
use crate::imaging::RenderLimits;
use crate::renderer::Renderer;
use crate::snapshots;
use crate::snapshots::Scratch;
use crate::spider::ScanType;
use crate::store::{DataLocation, KeptSlices, Store};
use crate::worker_pool::Pool;

/// Memory for images while exporting: each is written once.
const CACHE_BYTES: u64 = 16 << 20;

/// Memory for slices: a mask is read with its image, and some layouts read all slices for each of theirs.
const SLICE_CACHE_BYTES: u64 = 256 << 20;

/// Approximate size of a shard.
const SHARD_MB: u64 = 256;

/// The small export beside the one of everything, and how many scans of each split it has.
const DEMO: (&str, usize) = ("demo", 2);

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Where `sagittal import` put the data: a folder, file:///a/shared/folder, or s3://bucket/prefix.
    #[arg(long, env = "SAGITTAL_DATA", value_parser = place())]
    data: DataLocation,
    /// Loader to export for.
    #[arg(long, value_enum)]
    format: FormatName,
    /// Name among the exports of the format; a new export replaces the one of its name [default: `default`, or a short form of
    /// --render and --scan-types, such as 256x256 for `preset=hf&size=256`].
    #[arg(long)]
    name: Option<String>,
    /// Folder to replace by the export [default: where `sagittal serve` finds it, beside the data].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Rendering parameters, as in a query: `size=256&window=auto` [default: `preset=hf` for hf-parquet, those of
    /// `/v1/stream.tar` for webdataset; nnU-Net gets voxels as acquired].
    #[arg(long, default_value = "")]
    render: String,
    /// Scan types to export, such as t1,t2 [default: all].
    #[arg(long, value_delimiter = ',', value_name = "TYPE")]
    scan_types: Vec<ScanType>,
    /// URL of the service for those who read the files.
    #[arg(long, env = "SAGITTAL_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Approximate size of a shard, in MiB.
    #[arg(long, default_value_t = SHARD_MB)]
    shard_mb: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    /// Parquet for Hugging Face datasets, with the features of the published edition.
    HfParquet,
    /// Tar archives for webdataset.
    Webdataset,
    /// A raw data set for nnU-Net.
    Nnunet,
}

impl FormatName {
    fn format(self) -> ExportFormat {
        match self {
            Self::HfParquet => ExportFormat::HfParquet,
            Self::Webdataset => ExportFormat::WebDataset,
            Self::Nnunet => ExportFormat::Nnunet,
        }
    }
}

impl Export {
    fn options(&self) -> Result<ExportOptions, Failure> {
        let format = self.format.format();
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ExportOptions::default_name(format, &self.render, &self.scan_types),
        };
        if !export::is_valid_name(&name) {
            let message = format!(
                "{name:?} cannot name an export: give --name with 1 to 64 letters, digits, hyphens and underscores"
            );
            return Err(message.into());
        }
        Ok(ExportOptions {
            format,
            name,
            render: self.render.clone(),
            url: self.url.trim_end_matches('/').to_owned(),
            shard_bytes: self.shard_mb.max(1) << 20,
            scan_types: self.scan_types.clone(),
            scans_per_split: None,
        })
    }
}

pub(super) async fn run(export: &Export) -> Result<ExitCode, Failure> {
    let options = export.options()?;
    let exporter = Exporter::open(&export.data).await?;
    match &export.out {
        Some(out) => exporter.write_folder(&options, out).await?,
        None => {
            exporter.publish(&options).await?;
            // Beside the whole, a part of it that is quick to load.
            if options.format == ExportFormat::HfParquet && options.name == "default" {
                exporter.publish(&small(&options)).await?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn small(options: &ExportOptions) -> ExportOptions {
    ExportOptions { name: DEMO.0.to_owned(), scans_per_split: Some(DEMO.1), ..options.clone() }
}

/// Exports what the demo's readme reads, unless that is there already.
pub(super) async fn publish_once(data: &Path, url: &str) -> Result<(), Failure> {
    let exporter = Exporter::open(&DataLocation::Folder(data.to_owned())).await?;
    let options = ExportOptions {
        format: ExportFormat::HfParquet,
        name: "default".to_owned(),
        render: String::new(),
        url: url.to_owned(),
        shard_bytes: SHARD_MB << 20,
        scan_types: Vec::new(),
        scans_per_split: None,
    };
    let (revision, known) = (exporter.renderer.catalogue().revision, exporter.store.exports().await?);
    for options in [small(&options), options] {
        let is_known =
            known.iter().any(|export| (export.revision, &export.options) == (revision, &options.fingerprint()));
        if !is_known {
            exporter.publish(&options).await?;
        }
    }
    Ok(())
}

/// What exports are rendered by, and where they go.
struct Exporter {
    renderer: Arc<Renderer>,
    store: Store,
}

impl Exporter {
    async fn open(data: &DataLocation) -> Result<Self, Failure> {
        let (store, reader, _) =
            snapshots::open(data, &KeptSlices { memory_bytes: SLICE_CACHE_BYTES, disk: None }).await?;
        let limits = RenderLimits { max_pixels: 1 << 28 };
        let pool = Pool::new(cores(), 256)?;
        let renderer = Renderer::open(reader, store.clone(), pool, limits, CACHE_BYTES).await?;
        Ok(Self { renderer: Arc::new(renderer), store })
    }

    /// Exports into a folder that a user named.
    async fn write_folder(&self, options: &ExportOptions, out: &Path) -> Result<(), Failure> {
        let out = std::path::absolute(out)?;
        let workplace = Workplace::new(folder::workplace(&out)?);
        export::run(&self.renderer, options, &workplace.0, &say).await?;
        Ok(folder::replace(&workplace.0, &out)?)
    }

    /// Exports to where `sagittal serve` finds it.
    async fn publish(&self, options: &ExportOptions) -> Result<(), Failure> {
        let scratch;
        let workplace = match self.store.export_workplace(options.format.name(), &options.name) {
            Some(folder) => Workplace::new(folder),
            None => {
                scratch = Scratch::new(self.store.place(), None)?;
                Workplace::new(scratch.folder().join("export"))
            }
        };
        let manifest = export::run(&self.renderer, options, &workplace.0, &say).await?;
        self.store.publish_export(&workplace.0, &manifest).await?;
        tracing::info!(format = manifest.format, name = manifest.name, files = manifest.files.len(), "exported");
        Ok(())
    }
}

/// A folder for an export in the making, removed with what is left in it.
struct Workplace(PathBuf);

impl Workplace {
    fn new(folder: PathBuf) -> Self {
        Self(folder)
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // A finished export has been moved away.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Reports a finished file. Whether anyone still reads that is no reason to stop writing.
fn say(name: &str, bytes: u64) {
    drop(writeln!(std::io::stdout(), "{name}  {:.1} MB", bytes as f64 / 1e6));
}
