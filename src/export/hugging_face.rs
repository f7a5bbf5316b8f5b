//! Parquet shards for each split, with the features of the published edition.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value as Json, json};

use super::{Export, ExportError};
use crate::formats::hugging_face::{HuggingFaceRow, HuggingFaceShard};
use crate::imaging::{ImageKind, ImageQuery};
use crate::index::ScanRow;
use crate::params::{Pairs, ParameterError, decode};
use crate::renderer::{Keep, RendererError, SliceName, Snapshot};
use crate::spider::{Grading, HuggingFaceGradings, HuggingFaceMetadata, Split};
use crate::worker_pool::Flow;

/// Slices that are rendered at once.
const AT_ONCE: usize = 8;

/// The edition's pixels, at 512 × 512.
const DEFAULT_RENDER: &str = "preset=hf";

pub(super) async fn export(export: &Export<'_>, snapshot: Snapshot) -> Result<(), ExportError> {
    let rendering = parse(&export.options.render)
        .map_err(|source| ExportError::Render { render: export.options.render.clone(), source })?;
    let scans = export.scans(&snapshot).await?;
    let mut by_split = Vec::new();
    for split in Split::ALL {
        let most = export.options.scans_per_split.unwrap_or(usize::MAX);
        let mut graded = Vec::new();
        for (row, _) in scans.iter().filter(|(_, of)| *of == split).take(most) {
            graded.push((row.clone(), snapshot.index.gradings(row.scan.patient).await?));
        }
        by_split.push((split, graded));
    }
    // An import cannot commit while the snapshot is open.
    drop(snapshot);
    for (split, scans) in by_split.into_iter().filter(|(_, scans)| !scans.is_empty()) {
        let (mut shard, mut shards) = (HuggingFaceShard::new()?, Vec::new());
        for (scan, gradings) in &scans {
            if shard.bytes_so_far() as u64 > export.options.shard_bytes {
                let full = std::mem::replace(&mut shard, HuggingFaceShard::new()?);
                shards.push(export.write_aside(&unnumbered(split, shards.len()), &full.finish()?).await?);
            }
            shard.add(&row(export, &rendering, scan, gradings).await?)?;
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

/// How the slices of images and of masks are rendered. Each of the parameters must be one of images or of masks.
fn parse(render: &str) -> Result<(ImageQuery, ImageQuery), ParameterError> {
    let pairs = decode(if render.is_empty() { DEFAULT_RENDER } else { render });
    let valid = [ImageKind::ImagePng.parameters(), ImageKind::MaskPng.parameters()].concat();
    Pairs::new(&pairs, &valid)?;
    ImageQuery::parse_pngs(&pairs)
}

async fn row(
    export: &Export<'_>,
    (image, mask): &(ImageQuery, ImageQuery),
    row: &ScanRow,
    gradings: &[Grading],
) -> Result<HuggingFaceRow, ExportError> {
    let (scan, url) = (row.scan, &export.options.url);
    let metadata = row.metadata.as_ref().map_or(Json::Null, |metadata| json!(HuggingFaceMetadata(metadata)));
    Ok(HuggingFaceRow {
        patient_id: scan.patient.to_string(),
        scan_type: scan.scan_type.to_string(),
        image: slices(export, row, image).await?,
        mask: slices(export, row, mask).await?,
        image_path: format!("{url}/v1/scans/{scan}/image.mha?layout=stored"),
        mask_path: format!("{url}/v1/scans/{scan}/mask.mha?layout=stored"),
        metadata,
        rad_gradings: json!(HuggingFaceGradings(gradings)),
    })
}

/// The rendered slices of a scan, counted in the layout of the query: the edition counts along the axis that its loader takes
/// for theirs, which is not always the canonical one.
async fn slices(export: &Export<'_>, row: &ScanRow, query: &ImageQuery) -> Result<Vec<Bytes>, ExportError> {
    let (renderer, catalogue) = (&export.source.renderer, &export.source.catalogue);
    let first = renderer.render_request(catalogue, row.scan, &SliceName::Number(0), query)?;
    let render = async |k: usize| -> Result<Bytes, RendererError> {
        let rendered = Arc::clone(renderer).render_for_file(first.at(k), Keep::No, Flow::bulk()).await?;
        Ok(rendered.bytes.clone())
    };
    Ok(stream::iter(0..first.slices_of_view()).map(render).buffered(AT_ONCE).try_collect().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_reaches_what_it_is_for() {
        for (render, image, mask) in [
            ("", "preset=hf", "preset=hf"),
            ("preset=hf&size=256", "preset=hf&size=256", "preset=hf&size=256"),
            ("size=64&map=semantic", "size=64", "size=64&map=semantic"),
            ("filter=area&window=40,400&bits=8", "filter=area&window=40,400&bits=8", ""),
            ("labels=1-9&palette=true", "", "labels=1-9&palette=true"),
        ] {
            let of = |kind, query| ImageQuery::parse(kind, &decode(query)).unwrap();
            let expected = (of(ImageKind::ImagePng, image), of(ImageKind::MaskPng, mask));
            assert_eq!(parse(render), Ok(expected), "{render}");
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
            let error = parse(render).unwrap_err().message;
            assert!(error.contains(said), "{render}: {error}");
        }
    }
}
