//! Flags that several commands share.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use clap::Args;

/// Where and how to serve.
#[derive(Debug, Clone, Args)]
pub(super) struct ServeSettings {
    /// Address and port to listen on; port 0 takes any free one.
    #[arg(long, env = "SAGITTAL_LISTEN", default_value = "127.0.0.1:8080")]
    pub(super) listen: SocketAddr,
    /// Memory for pictures that were drawn already, in MiB.
    #[arg(long, env = "SAGITTAL_CACHE_MB", default_value_t = 512)]
    pub(super) cache_mb: u64,
    /// Threads that draw pictures [default: one per core].
    #[arg(long, env = "SAGITTAL_DRAW_THREADS")]
    draw_threads: Option<NonZeroUsize>,
    /// Pictures that may wait to be drawn; more are refused with 503.
    #[arg(long, env = "SAGITTAL_QUEUE", default_value_t = 256)]
    pub(super) queue: usize,
    /// Seconds that a question about tables may take; a longer one is cancelled.
    #[arg(long, env = "SAGITTAL_QUERY_SECONDS", default_value_t = 10.0, value_parser = seconds)]
    pub(super) query_seconds: f64,
    /// Most pixels of one picture.
    #[arg(long, env = "SAGITTAL_MAX_PIXELS", default_value_t = 16_777_216)]
    pub(super) max_pixels: u64,
}

impl ServeSettings {
    pub(super) fn draw_threads(&self) -> usize {
        self.draw_threads.map_or_else(cores, NonZeroUsize::get)
    }
}

/// How to import.
#[derive(Debug, Clone, Args)]
pub(super) struct ImportSettings {
    /// Scans converted at once [default: one per core].
    #[arg(long, env = "SAGITTAL_JOBS")]
    jobs: Option<NonZeroUsize>,
    /// Convert scans that are there already too; repairs what `sagittal check` found damaged.
    #[arg(long)]
    again: bool,
    /// Memory that the scans being converted may take together, in MiB.
    #[arg(long, env = "SAGITTAL_IMPORT_MEMORY_MB", default_value_t = 640)]
    memory_mb: u64,
}

impl ImportSettings {
    pub(super) fn options(&self) -> crate::ingest::Options {
        crate::ingest::Options {
            jobs: self.jobs.map_or_else(cores, NonZeroUsize::get),
            again: self.again,
            memory_bytes: self.memory_mb << 20,
        }
    }
}

/// A time that is not zero.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| (0.001..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "give seconds, from 0.001 to 86400".to_owned())
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, NonZeroUsize::get)
}
