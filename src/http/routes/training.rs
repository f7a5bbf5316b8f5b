//! What training reads: image–mask pairs, batches and streams of them.

mod batch;
mod pair;
mod stream;

pub(in crate::http) use batch::{Batch, batch, batch_parameters};
pub(in crate::http) use pair::pair;
pub(in crate::http) use stream::stream;
