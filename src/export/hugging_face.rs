//! Parquet shards for each split, with the features of the published edition.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value as Json;

use super::{Export, ExportError};
use crate::formats::hugging_face::{HuggingFaceRow, HuggingFaceShard};
use crate::spider::Split;

/// Renderings that are rendered at once.
const AT_ONCE: usize = 8;

pub(super) async fn export(export: &Export<'_>) -> Result<(), ExportError> {
    for split in Split::ALL {
        let scans = export.items(&format!("/v1/scans?split={}&limit=1000", split.name())).await?;
        let (mut shard, mut written) = (HuggingFaceShard::new()?, 0);
        for scan in &scans {
            if shard.bytes_so_far() as u64 > export.options.shard_bytes {
                let full = std::mem::replace(&mut shard, HuggingFaceShard::new()?);
                export.set_aside(&unnumbered(split, written), &full.finish()?).await?;
                written += 1;
            }
            shard.add(&row(export, scan).await?)?;
        }
        export.set_aside(&unnumbered(split, written), &shard.finish()?).await?;
        // Names tell how many there are, as those of published data sets do.
        for n in 0..=written {
            let name = format!("{}-{n:05}-of-{:05}.parquet", split.name(), written + 1);
            export.give_name(&unnumbered(split, n), &name).await?;
        }
    }
    Ok(())
}

/// What a shard is called until their number is known.
fn unnumbered(split: Split, n: usize) -> String {
    format!("{}-{n:05}.parquet.part", split.name())
}

async fn row(export: &Export<'_>, scan: &Json) -> Result<HuggingFaceRow, ExportError> {
    let text = |name: &str| scan[name].as_str().unwrap_or_default().to_owned();
    let (id, url) = (text("scan_id"), &export.options.url);
    let slices = scan["shape"][0].as_u64().unwrap_or(0);
    // The edition counts slices along the axis its loader takes for it, which is not always the canonical one.
    let slices = stored_slices(export, &id).await?.unwrap_or(slices);
    let renderer = async |file: &str| -> Result<Vec<Bytes>, ExportError> {
        let query = if export.options.render.is_empty() { "preset=hf" } else { &export.options.render };
        let asked = (0..slices).map(|k| format!("/v1/scans/{id}/slices/{k}/{file}?{}", of_file(query, file)));
        stream::iter(asked).map(async |path: String| export.bytes(&path).await).buffered(AT_ONCE).try_collect().await
    };
    Ok(HuggingFaceRow {
        patient_id: scan["patient_id"].to_string(),
        scan_type: text("scan_type"),
        image: renderer("image.png").await?,
        mask: renderer("mask.png").await?,
        image_path: format!("{url}/v1/scans/{id}/image.mha"),
        mask_path: format!("{url}/v1/scans/{id}/mask.mha"),
        metadata: export.json(&format!("/v1/scans/{id}/metadata?format=hf")).await?,
        rad_gradings: export.json(&format!("/v1/scans/{id}/gradings?format=hf")).await?,
    })
}

async fn stored_slices(export: &Export<'_>, id: &str) -> Result<Option<u64>, ExportError> {
    let scan = export.json(&format!("/v1/scans/{id}")).await?;
    Ok(scan["geometry"]["stored_layout"]["shape"][0].as_u64())
}

/// The parameters that a kind of image takes: windows and filters are the image's alone.
fn of_file(query: &str, file: &str) -> String {
    let of_image = ["window", "filter", "bits"];
    let pairs = query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        file == "image.png" || !of_image.contains(&name)
    });
    pairs.collect::<Vec<_>>().join("&")
}
