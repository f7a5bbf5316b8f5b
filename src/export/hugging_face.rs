//! Parquet shards for each split, with the features of the published edition.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value as Json;

use super::{Export, ExportError};
use crate::formats::hugging_face::{HuggingFaceRow, HuggingFaceShard};
use crate::imaging::{ImageKind, ImageQuery};
use crate::params::{Pairs, Parameter, ParameterError, decode};
use crate::spider::Split;

/// Slices that are rendered at once.
const AT_ONCE: usize = 8;

/// The edition's pixels, at 512 × 512.
const DEFAULT_RENDER: &str = "preset=hf";

/// Parameters that masks have, too, with another meaning: their own values are never interpolated.
const OF_IMAGE_ALONE: &str = "filter";

pub(super) async fn export(export: &Export<'_>) -> Result<(), ExportError> {
    let rendering = Rendering::parse(&export.options.render)
        .map_err(|source| ExportError::Render { render: export.options.render.clone(), source })?;
    for split in Split::ALL {
        let scans = export.scans(Some(split), "scan_id,patient_id,scan_type,shape").await?;
        let scans = &scans[..scans.len().min(export.options.scans_per_split.unwrap_or(usize::MAX))];
        if scans.is_empty() {
            continue;
        }
        let (mut shard, mut shards) = (HuggingFaceShard::new()?, Vec::new());
        for scan in scans {
            if shard.bytes_so_far() as u64 > export.options.shard_bytes {
                let full = std::mem::replace(&mut shard, HuggingFaceShard::new()?);
                shards.push(export.write_aside(&unnumbered(split, shards.len()), &full.finish()?).await?);
            }
            shard.add(&row(export, &rendering, scan).await?)?;
        }
        shards.push(export.write_aside(&unnumbered(split, shards.len()), &shard.finish()?).await?);
        // Names give the number of shards, as those of published data sets do.
        let count = shards.len();
        for (n, written) in shards.into_iter().enumerate() {
            let name = format!("{}-{n:05}-of-{count:05}.parquet", split.name());
            export.rename(&unnumbered(split, n), &name, written).await?;
        }
    }
    Ok(())
}

/// Name of a shard until their number is known.
fn unnumbered(split: Split, n: usize) -> String {
    format!("{}-{n:05}.parquet", split.name())
}

/// Queries for the slices of images and of masks.
#[derive(Debug, PartialEq, Eq)]
struct Rendering {
    image: String,
    mask: String,
    /// Whether slices are counted along the axis that the edition's loader takes for theirs.
    is_stored: bool,
}

impl Rendering {
    /// Checks the parameters, each of which must be one of images or of masks, and divides them among the two.
    fn parse(render: &str) -> Result<Self, ParameterError> {
        let pairs = decode(if render.is_empty() { DEFAULT_RENDER } else { render });
        let (of_image, of_mask) = (ImageKind::ImagePng.parameters(), ImageKind::MaskPng.parameters());
        Pairs::new(&pairs, &[of_image, of_mask].concat())?;
        let among = |known: &[Parameter], name: &str| known.iter().any(|parameter| parameter.name == name);
        let own = |known: &[Parameter], without: &str| -> Vec<(String, String)> {
            pairs.iter().filter(|(name, _)| name != without && among(known, name)).cloned().collect()
        };
        let (image, mask) = (own(of_image, ""), own(of_mask, OF_IMAGE_ALONE));
        ImageQuery::parse(ImageKind::ImagePng, &image)?;
        ImageQuery::parse(ImageKind::MaskPng, &mask)?;
        let is = |name: &str, value: &str| pairs.iter().any(|(n, v)| n == name && v == value);
        let is_stored = is("preset", "hf") || is("layout", "stored");
        Ok(Self { image: encoded(&image), mask: encoded(&mask), is_stored })
    }
}

fn encoded(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn row(export: &Export<'_>, rendering: &Rendering, scan: &Json) -> Result<HuggingFaceRow, ExportError> {
    let text = |name: &str| scan[name].as_str().unwrap_or_default().to_owned();
    let (id, url) = (text("scan_id"), &export.options.url);
    let slices = match rendering.is_stored {
        true => stored_slices(export, &id).await?,
        false => scan["shape"][0].as_u64().unwrap_or(0),
    };
    let slices_of = async |file: &str, query: &str| -> Result<Vec<Bytes>, ExportError> {
        let paths = (0..slices).map(|k| format!("/v1/scans/{id}/slices/{k}/{file}?{query}"));
        stream::iter(paths).map(async |path: String| export.bytes(&path).await).buffered(AT_ONCE).try_collect().await
    };
    Ok(HuggingFaceRow {
        patient_id: scan["patient_id"].to_string(),
        scan_type: text("scan_type"),
        image: slices_of("image.png", &rendering.image).await?,
        mask: slices_of("mask.png", &rendering.mask).await?,
        image_path: format!("{url}/v1/scans/{id}/image.mha?layout=stored"),
        mask_path: format!("{url}/v1/scans/{id}/mask.mha?layout=stored"),
        metadata: export.json(&format!("/v1/scans/{id}/metadata?format=hf")).await?,
        rad_gradings: export.json(&format!("/v1/scans/{id}/gradings?format=hf")).await?,
    })
}

/// The edition counts slices along the axis that its loader takes for theirs, which is not always the canonical one.
async fn stored_slices(export: &Export<'_>, id: &str) -> Result<u64, ExportError> {
    let scan = export.json(&format!("/v1/scans/{id}")).await?;
    Ok(scan["geometry"]["stored_layout"]["shape"][0].as_u64().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queries(render: &str) -> Result<(String, String), String> {
        let found = Rendering::parse(render).map_err(|error| error.message)?;
        Ok((found.image, found.mask))
    }

    #[test]
    fn every_parameter_reaches_what_it_is_for() {
        for (render, image, mask) in [
            ("", "preset=hf", "preset=hf"),
            ("preset=hf&size=256", "preset=hf&size=256", "preset=hf&size=256"),
            ("size=64&map=semantic", "size=64", "size=64&map=semantic"),
            ("filter=area&window=40,400&bits=8", "filter=area&window=40%2C400&bits=8", ""),
            ("labels=1-9&palette=true", "", "labels=1-9&palette=true"),
        ] {
            assert_eq!(queries(render), Ok((image.to_owned(), mask.to_owned())), "{render}");
        }
    }

    #[test]
    fn parameters_that_do_not_exist_or_fit_are_errors() {
        for (render, said) in [
            ("siez=1", "did you mean size?"),
            ("size=0", "size=0 is not valid"),
            ("size=64&size=65", "given twice"),
            ("map=nothing", "map=nothing is not valid"),
            ("preset=hf&window=auto", "preset=hf fixes window"),
            ("split=test", "unknown parameter split"),
        ] {
            let error = queries(render).unwrap_err();
            assert!(error.contains(said), "{render}: {error}");
        }
    }
}
