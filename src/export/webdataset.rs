//! Tar archives of samples for each split: what `/v1/stream.tar` sends, in shards.

use axum::http::{HeaderMap, header};
use futures_util::TryStreamExt;

use super::{Export, ExportError};
use crate::spider::Split;

/// Samples are spread over the shards in this order, so that each shard has some of every scan.
const SEED: u32 = 0;

/// The header that gives the number of samples of a stream.
const SAMPLES: &str = "x-sagittal-samples";

/// Samples whose length is measured where a stream does not state its own.
const MEASURED: u64 = 32;

pub(super) async fn export(export: &Export<'_>) -> Result<(), ExportError> {
    let render = export.options.render.as_str();
    let render = if render.is_empty() { String::new() } else { format!("&{render}") };
    for split in Split::ALL {
        let split = split.name();
        let whole = format!("/v1/stream.tar?split={split}&seed={SEED}{}{render}", export.options.conditions());
        // Requested for every split, also an empty one: a wrong parameter is an error whatever is imported.
        let headers = export.response(&whole).await?.headers().clone();
        let samples = number(&headers, SAMPLES).unwrap_or(0);
        if samples == 0 {
            continue;
        }
        let bytes = match number(&headers, header::CONTENT_LENGTH.as_str()) {
            Some(bytes) => bytes,
            None => estimated_bytes(export, &whole, samples).await?,
        };
        let shards = bytes.div_ceil(export.options.shard_bytes).clamp(1, samples);
        for shard in 0..shards {
            let path = format!("{whole}&world={shards}&rank={shard}");
            export.save(&path, &format!("{split}-{shard:05}-of-{shards:05}.tar")).await?;
        }
    }
    Ok(())
}

/// Bytes of a stream that does not state its length, because its members are compressed: from a part of its samples, which are
/// in random order.
async fn estimated_bytes(export: &Export<'_>, whole: &str, samples: u64) -> Result<u64, ExportError> {
    let readers = samples.div_ceil(MEASURED);
    let path = format!("{whole}&world={readers}&rank=0");
    let response = export.response(&path).await?;
    let measured = number(response.headers(), SAMPLES).unwrap_or(samples).max(1);
    let truncated = |source| ExportError::Truncated { path: path.clone(), source };
    let pieces = response.into_body().into_data_stream().map_err(truncated);
    let bytes = pieces.try_fold(0, |bytes, piece| std::future::ready(Ok(bytes + piece.len() as u64))).await?;
    Ok(bytes.saturating_mul(samples) / measured)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}
