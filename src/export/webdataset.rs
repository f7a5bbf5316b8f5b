//! Tar archives of samples for each split: what `/v1/stream.tar` sends, in shards.

use serde_json::Value as Json;

use super::{Export, ExportError};
use crate::spider::Split;

/// Samples are spread over the shards in this order, so that each shard holds of everything.
const SEED: u32 = 0;

pub(super) async fn export(export: &Export<'_>) -> Result<(), ExportError> {
    for split in Split::ALL {
        let split = split.name();
        let whole = format!("/v1/stream.tar?split={split}&seed={SEED}{}", export.render_query());
        let slices: Json = export.json(&format!("/v1/slices?split={split}&limit=1")).await?;
        if slices["total"] == 0 {
            continue;
        }
        let bytes = length(export, &whole).await?;
        let shards = bytes.div_ceil(export.options.shard_bytes).max(1);
        for shard in 0..shards {
            let path = format!("{whole}&world={shards}&rank={shard}");
            export.save(&path, &format!("{split}-{shard:05}-of-{shards:05}.tar")).await?;
        }
    }
    Ok(())
}

/// Bytes of a stream: known before anything of it is made, unless its members are compressed.
async fn length(export: &Export<'_>, path: &str) -> Result<u64, ExportError> {
    let answer = export.ask(path).await?;
    let told = answer.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    Ok(told.unwrap_or(export.options.shard_bytes))
}
