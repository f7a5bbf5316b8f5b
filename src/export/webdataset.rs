//! Tar archives of samples for each split: what `/v1/stream.tar` sends, in shards.

use futures_util::TryStreamExt;

use super::{Export, ExportError};
use crate::bundles;
use crate::bundles::{Bundle, Sample, StreamQuery};
use crate::params::decode;
use crate::renderer::{RendererError, Snapshot};
use crate::spider::{ScanType, Split};

/// Samples are spread over the shards in this order, so that each shard has some of every scan.
const SEED: u32 = 0;

/// Samples whose length is measured where a stream does not state its own.
const MEASURED: usize = 32;

pub(super) async fn export(export: &Export<'_>, snapshot: Snapshot) -> Result<(), ExportError> {
    let mut splits = Vec::new();
    for split in Split::ALL {
        // Read for every split, also an empty one: a wrong parameter is an error whatever is imported.
        let query = query(export, split)?;
        let samples = query.samples(&snapshot.index).await?;
        splits.push((split.name(), query, samples));
    }
    // An import cannot commit while the snapshot is open.
    drop(snapshot);
    for (split, query, samples) in splits.into_iter().filter(|(.., samples)| !samples.is_empty()) {
        let bytes = match stream(export, &query, samples.clone()).await?.len() {
            Some(bytes) => bytes,
            None => estimated_bytes(export, &query, &samples).await?,
        };
        let shards = bytes.div_ceil(export.options.shard_bytes).clamp(1, samples.len() as u64);
        for shard in 0..shards {
            let of_shard = samples.iter().skip(shard as usize).step_by(shards as usize).copied().collect();
            let name = format!("{split}-{shard:05}-of-{shards:05}.tar");
            export.save(&stream(export, &query, of_shard).await?, &name).await?;
        }
    }
    Ok(())
}

/// The stream of all samples of a split, in the order of the shards.
fn query(export: &Export<'_>, split: Split) -> Result<StreamQuery, ExportError> {
    let render = &export.options.render;
    // The shards divide the samples, so that nobody else may.
    let mut pairs = decode(&format!("split={}&seed={SEED}&world=1&rank=0", split.name()));
    if !export.options.scan_types.is_empty() {
        let types: Vec<_> = export.options.scan_types.iter().map(ScanType::to_string).collect();
        pairs.push(("scan_type".to_owned(), types.join(",")));
    }
    pairs.extend(decode(render));
    StreamQuery::parse(&pairs).map_err(|source| ExportError::Render { render: render.clone(), source })
}

async fn stream(export: &Export<'_>, query: &StreamQuery, samples: Vec<Sample>) -> Result<Bundle, RendererError> {
    bundles::stream(export.source.clone(), query.clone(), samples, Vec::new()).await
}

/// Bytes of a stream that does not state its length, because its members are compressed: from a part of its samples, which are
/// in random order.
async fn estimated_bytes(export: &Export<'_>, query: &StreamQuery, samples: &[Sample]) -> Result<u64, ExportError> {
    let measured: Vec<_> = samples.iter().step_by(samples.len().div_ceil(MEASURED)).copied().collect();
    let count = measured.len().max(1) as u64;
    let chunks = stream(export, query, measured).await?.chunks();
    let bytes = chunks.try_fold(0, |bytes, chunk| std::future::ready(Ok(bytes + chunk.len() as u64))).await?;
    Ok(bytes.saturating_mul(samples.len() as u64) / count)
}
