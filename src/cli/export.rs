use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Args, ValueEnum};

use super::Failure;
use super::settings::{cores, place};
use crate::export;
use crate::export::{ExportFormat, ExportOptions};
use crate::http;
use crate::http::App;
use crate::imaging::Limits;
use crate::renderer::Renderer;
use crate::snapshots;
use crate::snapshots::Scratch;
use crate::store::{DataLocation, EXPORTS, KeptSlices};
use crate::worker_pool::Pool;

/// Memory for images while exporting: each is written once.
const CACHE_BYTES: u64 = 16 << 20;

/// Memory for slices: a mask is read with its image, and some layouts read all slices for each of theirs.
const SLICE_CACHE_BYTES: u64 = 256 << 20;

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Where `sagittal import` put the data: a folder, file:///a/shared/folder, or s3://bucket/prefix.
    #[arg(long, env = "SAGITTAL_DATA", value_parser = place())]
    data: DataLocation,
    /// For whose loader.
    #[arg(long, value_enum)]
    format: FormatName,
    /// Folder to write to [default: where `sagittal serve` finds it, beside the data].
    #[arg(long)]
    out: Option<PathBuf>,
    /// How images are made, as in a query: `size=256&window=auto` [default: `preset=hf` for hf-parquet, those of
    /// `/v1/stream.tar` for webdataset; nnU-Net gets voxels as acquired].
    #[arg(long, default_value = "")]
    render: String,
    /// Address of the service for those who read the files.
    #[arg(long, env = "SAGITTAL_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Size of a shard in MiB, roughly.
    #[arg(long, default_value_t = 256)]
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

pub(super) async fn run(export: &Export) -> Result<ExitCode, Failure> {
    let format = match export.format {
        FormatName::HfParquet => ExportFormat::HfParquet,
        FormatName::Webdataset => ExportFormat::WebDataset,
        FormatName::Nnunet => ExportFormat::Nnunet,
    };
    let (store, reader, _) =
        snapshots::open(&export.data, &KeptSlices { memory_bytes: SLICE_CACHE_BYTES, disk: None }).await?;
    let limits = Limits { max_pixels: 1 << 28 };
    let pool = Pool::new(cores(), 256)?;
    let renderer = Renderer::open(reader, store.clone(), pool, limits, CACHE_BYTES).await?;
    let service = http::router(App::new(Arc::new(renderer), store.clone()));
    let (folder, upload) = match (&export.out, &export.data) {
        (Some(out), _) => (out.clone(), None),
        (None, DataLocation::Folder(data)) => (data.join(EXPORTS).join(format.name()), None),
        (None, place @ (DataLocation::Shared(_) | DataLocation::Bucket { .. })) => {
            let scratch = Scratch::new(place, None)?;
            (scratch.folder().to_owned(), Some(scratch))
        }
    };
    let options = ExportOptions {
        folder,
        render: export.render.clone(),
        url: export.url.trim_end_matches('/').to_owned(),
        shard_bytes: export.shard_mb.max(1) << 20,
    };
    // Whether anybody still reads what is said is no reason to stop writing.
    let written = Mutex::new(Vec::new());
    let say = |name: &str, bytes: u64| {
        written.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
        drop(writeln!(std::io::stdout(), "{name}  {:.1} MB", bytes as f64 / 1e6));
    };
    export::run(service, format, &options, &say).await?;
    if let Some(scratch) = upload {
        // In the order in which they were finished: what lists the others comes last.
        for name in written.into_inner().unwrap_or_else(PoisonError::into_inner) {
            store.upload(&scratch.folder().join(&name), &format!("{EXPORTS}/{}/{name}", format.name())).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
