//! What training reads: image–mask pairs, batches and streams of them.

mod batch;
mod order;
mod pair;
mod sample;
mod stream;

pub(in crate::http) use batch::{Batch, batch, batch_parameters};
pub(in crate::http) use pair::pair;
pub(in crate::http) use sample::Samples;
pub(in crate::http) use stream::{SAMPLES, stream, stream_parameters};
