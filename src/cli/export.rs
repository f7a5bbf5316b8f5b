use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::Failure;
use super::settings::cores;
use crate::export::{self, Format, Options};
use crate::http::{self, App};
use crate::index::Reader;
use crate::pictures::Pictures;
use crate::pool::Pool;
use crate::render::Limits;
use crate::store::{EXPORTS, Store};

/// Memory for pictures while exporting: each is written once.
const CACHE_BYTES: u64 = 16 << 20;

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The data folder that `sagittal import` filled.
    #[arg(long, env = "SAGITTAL_DATA")]
    data: PathBuf,
    /// For whose loader.
    #[arg(long, value_enum)]
    format: FormatName,
    /// Folder to write to [default: where `sagittal serve` finds it, in the data folder].
    #[arg(long)]
    out: Option<PathBuf>,
    /// How pictures are made, as in a query: `size=256&window=auto` [default: `preset=hf` for hf-parquet, those of
    /// `/v1/stream.tar` for webdataset; nnU-Net gets voxels as acquired].
    #[arg(long, default_value = "")]
    pictures: String,
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
        FormatName::HfParquet => Format::HfParquet,
        FormatName::Webdataset => Format::WebDataset,
        FormatName::Nnunet => Format::Nnunet,
    };
    let reader = Reader::open(&export.data).await?;
    let store = Store::local(&export.data)?;
    let limits = Limits { max_pixels: 1 << 28 };
    let pool = Pool::new(cores(), 256)?;
    let pictures = Pictures::open(reader.clone(), store.clone(), pool, limits, CACHE_BYTES).await?;
    let service = http::router(App::new(reader, Arc::new(pictures), store));
    let folder = export.out.clone().unwrap_or_else(|| export.data.join(EXPORTS).join(format.name()));
    let options = Options {
        folder,
        pictures: export.pictures.clone(),
        url: export.url.trim_end_matches('/').to_owned(),
        shard_bytes: export.shard_mb.max(1) << 20,
    };
    // Whether anybody still reads what is said is no reason to stop writing.
    let say = |name: &str, bytes: u64| drop(writeln!(std::io::stdout(), "{name}  {:.1} MB", bytes as f64 / 1e6));
    export::run(service, format, &options, &say).await?;
    Ok(ExitCode::SUCCESS)
}
