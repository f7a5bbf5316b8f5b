//! Files made of many renderings: volumes, pairs, batches and streams. Each is a [`Bundle`], which knows its length and its
//! version before anything is rendered, and gives its bytes or a range of them while they are made. The HTTP API sends the
//! same bundles that exports write.

mod archive;
mod assembly;
mod batch;
mod bundle;
mod gzip;
mod pair;
mod sample;
mod sample_order;
mod section;
mod stream;
mod volume;

pub use assembly::{Chunks, Part};
pub use batch::batch;
pub use bundle::Bundle;
pub use pair::Pair;
pub use sample::SampleCache;
pub use sample_order::Sample;
pub use section::{Images, Section, Stack};
pub use stream::{StreamQuery, StreamSource, stream};
pub use volume::{VolumeFormat, source_volume, volume};
