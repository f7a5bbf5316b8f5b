//! sagittal turns the SPIDER lumbar-spine MRI release into a web service: convert once, index in SQLite, then serve
//! slices, masks, overlays, metadata and gradings over REST, resized on demand through a cached resampler.
//!
//! ```text
//! in    .mha + .csv ─▶ formats ─▶ ingest ─▶ store (voxels, OME-Zarr)  +  index (facts, SQLite)
//! out   http ─▶ pictures ─▶ index: is it there?  ─▶ cache: was it drawn?  ─▶ pool ─▶ store: one slice ─▶ render ─▶ bytes
//!       http ─▶ index ─▶ tables
//! ```
//!
//! The two journeys meet only at [`store`] and [`index`]. `docs/ARCHITECTURE.md` walks through both.

pub mod access;
pub mod audit;
pub mod cli;
pub mod download;
mod environment;
pub mod export;
pub mod formats;
pub mod http;
pub mod index;
pub mod ingest;
pub mod parameters;
pub mod pictures;
pub mod pool;
pub mod query;
pub mod render;
pub mod snapshots;
pub mod spider;
pub mod store;
mod tls;
pub mod volume;
