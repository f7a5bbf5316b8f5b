//! What training reads: image–mask pairs, batches and streams of them.

mod batch;
mod order;
mod pair;
mod sample;
mod stream;

pub(super) use batch::{Batch, batch, batch_parameters};
pub(super) use pair::pair;
pub(super) use sample::Samples;
pub(super) use stream::{SAMPLES, stream, stream_parameters};
