use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::assembly::{Chunks, Part, ReadAhead, assembled};
use crate::renderer::Renderer;
use crate::worker_pool::Flow;

/// What compressing takes, roughly.
const NANOSECONDS_PER_BYTE: u64 = 20;

/// Gzip of these parts. Its length is not known before its end.
pub(super) fn gzipped(
    renderer: &Arc<Renderer>,
    flow: Flow,
    parts: impl Iterator<Item = Part> + Send + 'static,
) -> Chunks {
    let renderer = Arc::clone(renderer);
    let ahead = ReadAhead::of(&renderer);
    let input = assembled(ahead, parts).map_ok(Some).chain(stream::once(async { Ok(None) })).boxed();
    let encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    stream::try_unfold((input, encoder), move |(mut input, encoder)| {
        let renderer = Arc::clone(&renderer);
        async move {
            let (Some(encoder), Some(part)) = (encoder, input.try_next().await?) else { return Ok(None) };
            let cost = part.as_ref().map_or(0, |bytes| bytes.len() as u64 * NANOSECONDS_PER_BYTE);
            let (encoder, written) = renderer.pool().run(flow, cost, move || compress(encoder, part)).await?;
            Ok(Some((Bytes::from(written), (input, encoder))))
        }
    })
    .try_filter(|written| std::future::ready(!written.is_empty()))
    .boxed()
}

/// What the encoder gives for a part, or at the end.
fn compress(mut encoder: GzEncoder<Vec<u8>>, part: Option<Bytes>) -> (Option<GzEncoder<Vec<u8>>>, Vec<u8>) {
    // Writing to memory does not fail.
    let Some(part) = part else { return (None, encoder.finish().unwrap_or_default()) };
    let written = encoder.write_all(&part);
    debug_assert!(written.is_ok());
    let written = std::mem::take(encoder.get_mut());
    (Some(encoder), written)
}
