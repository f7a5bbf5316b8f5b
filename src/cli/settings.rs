//! Flags that several commands share.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};

use super::Failure;
use crate::auth::{Authenticator, TokenFile, UrlSigner};
use crate::environment;
use crate::environment::InvalidBoolean;
use crate::http::{AllowedOrigins, Connections, Limits, ReadRate};
use crate::store::{DataLocation, KeptSlices};
use crate::worker_pool::{MemoryPlan, PlanError};

const ALLOW_ANONYMOUS: &str = "SAGITTAL_ALLOW_ANONYMOUS";

/// Bytes of a request's headers besides its address.
const OTHER_HEADER_BYTES: usize = 8 << 10;
/// Bytes of a connection's buffers at most.
const LARGEST_BUFFER: usize = 64 << 10;

/// How long a client that has closed its sending side may wait for its response to begin. Longer than all but the largest
/// renderings take; one that has closed its whole connection costs its own share of the threads for so long.
const HALF_CLOSE_TIME: Duration = Duration::from_secs(5);

/// Where and how to serve.
#[derive(Debug, Clone, Args)]
pub(super) struct ServeSettings {
    /// Address and port to listen on; port 0 takes any free one.
    #[arg(long, env = "SAGITTAL_LISTEN", default_value = "127.0.0.1:8080")]
    pub(super) listen: SocketAddr,
    /// Memory that the server may take altogether, in MiB.
    #[arg(long, env = "SAGITTAL_MEMORY_MB", default_value_t = 1024)]
    memory_mb: u64,
    /// Memory of it for renderings that are kept, in MiB [default: three eighths of what is left after the program itself].
    #[arg(long, env = "SAGITTAL_CACHE_MB")]
    cache_mb: Option<u64>,
    /// Threads that render images [default: one per core].
    #[arg(long, env = "SAGITTAL_RENDER_THREADS")]
    render_threads: Option<NonZeroUsize>,
    /// Renderings that may wait to be rendered; more are refused with 503.
    #[arg(long, env = "SAGITTAL_QUEUE", default_value_t = 256)]
    pub(super) queue: usize,
    /// Seconds that a query about tables may take; a longer one is cancelled.
    #[arg(long, env = "SAGITTAL_QUERY_SECONDS", default_value_t = 10.0, value_parser = seconds)]
    pub(super) query_seconds: f64,
    /// Memory for slices that came out of a bucket, in MiB.
    #[arg(long, env = "SAGITTAL_SLICE_CACHE_MB", default_value_t = 256)]
    slice_cache_mb: u64,
    /// Folder of this machine, for this server alone, where slices that came out of a bucket are kept beyond that [default:
    /// none].
    #[arg(long, env = "SAGITTAL_SLICE_CACHE_DIR")]
    slice_cache_dir: Option<PathBuf>,
    /// Most that may lie in --slice-cache-dir, in MiB.
    #[arg(long, env = "SAGITTAL_SLICE_CACHE_DIR_MB", default_value_t = 10_240)]
    slice_cache_dir_mb: u64,
    /// Seconds between two looks for a newer snapshot of the index, where it travels as snapshots.
    #[arg(long, env = "SAGITTAL_REFRESH_SECONDS", default_value_t = 5.0, value_parser = seconds)]
    pub(super) refresh_seconds: f64,
    /// Most pixels of one image.
    #[arg(long, env = "SAGITTAL_MAX_PIXELS", default_value_t = 16_777_216)]
    pub(super) max_pixels: u64,
    #[command(flatten)]
    pub(super) guard: ServerSettings,
}

/// Authentication and limits.
#[derive(Debug, Clone, Args)]
pub(super) struct ServerSettings {
    /// File with the accepted tokens, one line of `sagittal token NAME` each; reloaded within a second of a change.
    #[arg(long, env = "SAGITTAL_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// File with the secret that signs URLs, of at least 32 bytes, the same for all servers [default: a random secret, with
    /// which signed URLs end when the server does].
    #[arg(long, env = "SAGITTAL_SIGNING_SECRET_FILE", requires = "token_file")]
    signing_secret_file: Option<PathBuf>,
    /// Listen beyond this machine's loopback address without requiring a token.
    #[arg(long, env = ALLOW_ANONYMOUS, value_parser = boolean(ALLOW_ANONYMOUS), action = ArgAction::SetTrue)]
    allow_anonymous: bool,
    /// Origins whose web pages may read responses, such as https://viewer.example; * for every origin, none for the
    /// server's own pages alone.
    #[arg(long, env = "SAGITTAL_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',', default_value = "*")]
    allow_origin: Vec<String>,
    /// Connections at once; more are refused with 503.
    #[arg(long, env = "SAGITTAL_MAX_CONNECTIONS", default_value_t = 4096)]
    max_connections: u32,
    /// Seconds that a client may take for the headers of a request.
    #[arg(long, env = "SAGITTAL_HEADER_SECONDS", default_value_t = 15.0, value_parser = seconds)]
    header_seconds: f64,
    /// Seconds that a connection may idle between two requests.
    #[arg(long, env = "SAGITTAL_KEEP_ALIVE_SECONDS", default_value_t = 75.0, value_parser = seconds)]
    keep_alive_seconds: f64,
    /// Seconds that a body may take to arrive.
    #[arg(long, env = "SAGITTAL_BODY_SECONDS", default_value_t = 30.0, value_parser = seconds)]
    body_seconds: f64,
    /// Seconds until an answer must begin; streams may take as long as they like.
    #[arg(long, env = "SAGITTAL_RESPONSE_SECONDS", default_value_t = 60.0, value_parser = seconds)]
    response_seconds: f64,
    /// Seconds of waiting for a client to read its response after which --min-read-rate must be met.
    #[arg(long, env = "SAGITTAL_WRITE_SECONDS", default_value_t = 120.0, value_parser = seconds)]
    write_seconds: f64,
    /// Bytes per second that a client must read, on average over --write-seconds, while its response waits for it.
    #[arg(long, env = "SAGITTAL_MIN_READ_RATE", default_value_t = 32_768)]
    min_read_rate: u64,
    /// Bytes of an address, path and query.
    #[arg(long, env = "SAGITTAL_MAX_URL_BYTES", default_value_t = 16_384)]
    max_url_bytes: usize,
    /// Bytes of a body.
    #[arg(long, env = "SAGITTAL_MAX_BODY_BYTES", default_value_t = 2 << 20)]
    max_body_bytes: usize,
    /// Bytes of a body that is a mask, to be scored; never more than the memory for one response.
    #[arg(long, env = "SAGITTAL_MAX_MASK_BYTES", default_value_t = 256 << 20)]
    max_mask_bytes: usize,
    /// Slices of one batch.
    #[arg(long, env = "SAGITTAL_MAX_BATCH", default_value_t = 4096)]
    max_batch: usize,
    /// Seconds for which the server answers as one that is not ready any more before it stops, on SIGTERM.
    #[arg(long, env = "SAGITTAL_SHUTDOWN_DELAY_SECONDS", default_value_t = 1.0, value_parser = seconds)]
    shutdown_delay_seconds: f64,
    /// Seconds that requests in flight may take to finish once it stops.
    #[arg(long, env = "SAGITTAL_DRAIN_SECONDS", default_value_t = 10.0, value_parser = seconds)]
    drain_seconds: f64,
}

impl ServerSettings {
    /// What requests are authenticated with; `None` when no token is required.
    pub(super) async fn authenticator(&self, listen: SocketAddr) -> Result<Option<Authenticator>, Failure> {
        let Some(path) = &self.token_file else {
            return if listen.ip().is_loopback() || self.allow_anonymous {
                Ok(None)
            } else {
                Err(format!(
                    "listening on {listen} would let anybody in who can reach this machine: give --token-file (`sagittal \
                     token NAME` makes a line of it), or --allow-anonymous if that is meant"
                )
                .into())
            };
        };
        let signer = match &self.signing_secret_file {
            Some(path) => UrlSigner::from_file(path).await?,
            None => UrlSigner::random().map_err(|error| format!("there are no random numbers: {error}"))?,
        };
        Ok(Some(Authenticator::new(TokenFile::open(path).await?, signer)))
    }

    /// The origins whose pages may read responses.
    pub(super) fn allowed_origins(&self) -> Result<AllowedOrigins, Failure> {
        AllowedOrigins::parse(&self.allow_origin).map_err(|error| format!("--allow-origin: {error}").into())
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            url_bytes: self.max_url_bytes,
            body_bytes: self.max_body_bytes,
            mask_bytes: self.max_mask_bytes,
            batch_slices: self.max_batch,
            body_time: Duration::from_secs_f64(self.body_seconds),
            response_time: Duration::from_secs_f64(self.response_seconds),
            ..Limits::default()
        }
    }

    /// Connections, of whose buffers there are at most `memory` bytes.
    pub(super) fn connections(&self, memory: u64) -> Connections {
        let buffer_bytes = (self.max_url_bytes + OTHER_HEADER_BYTES).min(LARGEST_BUFFER);
        let most = (memory / buffer_bytes as u64).min(self.max_connections.into()).max(1);
        Connections {
            most: most as usize,
            buffer_bytes,
            header_time: Duration::from_secs_f64(self.header_seconds),
            keep_alive_time: Duration::from_secs_f64(self.keep_alive_seconds),
            read_rate: ReadRate {
                window: Duration::from_secs_f64(self.write_seconds),
                bytes_per_second: self.min_read_rate,
            },
            half_close_time: HALF_CLOSE_TIME,
            shutdown_delay: Duration::from_secs_f64(self.shutdown_delay_seconds),
            drain_time: Duration::from_secs_f64(self.drain_seconds),
        }
    }
}

impl ServeSettings {
    /// How the memory is shared out.
    pub(super) fn memory(&self) -> Result<MemoryPlan, PlanError> {
        MemoryPlan::of(self.memory_mb << 20, self.cache_mb.map(|mb| mb << 20))
    }

    pub(super) fn render_threads(&self) -> usize {
        self.render_threads.map_or_else(cores, NonZeroUsize::get)
    }

    /// What is kept of slices that come out of a bucket.
    pub(super) fn kept_slices(&self) -> KeptSlices {
        let disk = self.slice_cache_dir.clone().map(|folder| (folder, self.slice_cache_dir_mb << 20));
        KeptSlices { memory_bytes: self.slice_cache_mb << 20, disk }
    }
}

const IMPORT_MEMORY_MB: u64 = 640;

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
    #[arg(long, env = "SAGITTAL_IMPORT_MEMORY_MB", default_value_t = IMPORT_MEMORY_MB)]
    import_memory_mb: u64,
}

impl Default for ImportSettings {
    fn default() -> Self {
        Self { jobs: None, again: false, import_memory_mb: IMPORT_MEMORY_MB }
    }
}

impl ImportSettings {
    pub(super) fn options(&self) -> crate::ingest::ImportOptions {
        crate::ingest::ImportOptions {
            jobs: self.jobs.map_or_else(cores, NonZeroUsize::get),
            again: self.again,
            verify: false,
            prune: false,
            memory_bytes: self.import_memory_mb << 20,
        }
    }
}

/// How long servers elsewhere may go on reading what is to be deleted.
#[derive(Debug, Clone, Args)]
pub(super) struct Grace {
    /// Seconds that servers get to adopt the new index before voxels of removed scans are deleted, where the index travels as
    /// snapshots.
    #[arg(long, env = "SAGITTAL_GRACE_SECONDS", default_value_t = 30.0, value_parser = seconds)]
    grace_seconds: f64,
}

impl Grace {
    pub(super) fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.grace_seconds)
    }
}

/// Where data lie, as `--data` names it.
pub(super) fn place() -> impl clap::builder::TypedValueParser<Value = DataLocation> {
    use clap::builder::{OsStringValueParser, TypedValueParser};
    OsStringValueParser::new().try_map(DataLocation::try_from)
}

/// Reads a flag's environment variable.
pub(super) fn boolean(variable: &'static str) -> impl Fn(&str) -> Result<bool, InvalidBoolean> + Clone {
    move |value| environment::boolean(variable, value)
}

/// A time that is not zero.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| (0.001..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "give seconds, from 0.001 to 86400".to_owned())
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, NonZeroUsize::get)
}
