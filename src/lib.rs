//! sagittal turns the SPIDER lumbar-spine MRI release into a web service: convert once, index in SQLite, then serve
//! slices, masks, overlays, metadata and gradings over REST, resized on demand through a cached resampler.
//!
//! ```text
//! in    .mha + .csv ─▶ formats ─▶ ingest ─▶ store (voxels, OME-Zarr)  +  index (facts, SQLite)
//! out   http ─▶ images ─▶ index: is it there?  ─▶ cache: was it rendered?  ─▶ pool ─▶ store: one slice ─▶ render ─▶ bytes
//!       http ─▶ index ─▶ tables
//! ```
//!
//! The two journeys meet only at [`store`] and [`index`]. `docs/ARCHITECTURE.md` walks through both.

pub mod audit;
pub mod auth;
pub mod bundles;
pub mod cli;
pub mod download;
mod environment;
pub mod evaluation;
pub mod export;
pub mod formats;
pub mod http;
pub mod imaging;
pub mod index;
pub mod ingest;
pub mod params;
pub mod query;
pub mod renderer;
pub mod snapshots;
pub mod spider;
pub mod store;
mod tls;
pub mod volume;
pub mod worker_pool;
