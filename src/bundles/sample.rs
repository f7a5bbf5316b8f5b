//! What a sample of a stream says besides its pixels: JSON of a fixed length, so that the length of a stream is known before
//! it is made.

use std::sync::Arc;

use moka::future::Cache;
use serde_json::{Value as Json, json};

use crate::renderer::{Catalogue, Renderer, RendererError};
use crate::spider::{NamedGrading, ScanId};
use crate::store::GroupName;

/// Bytes of a sample's JSON, filled up with spaces. Those of the release take some five thousand.
pub(super) const JSON_BYTES: usize = 8192;

/// What a scan's common part takes of it.
const COMMON_BYTES: u32 = 32 << 10;
/// What one label of one slice takes of it: a map of names and values.
const LABEL_BYTES: u32 = 1 << 10;

/// What samples say of their scans, by the contents of the scan and of the tables: other scans may be imported meanwhile.
#[derive(Debug)]
pub struct SampleCache {
    kept: Cache<Key, Arc<ScanSample>>,
}

/// The contents from which a scan's samples are made.
type Key = (GroupName, Option<String>);

/// What the samples of one scan have in common, and the labels of each of its slices.
#[derive(Debug)]
struct ScanSample {
    common: Json,
    labels: Vec<Json>,
}

impl SampleCache {
    /// Keeps at most `budget` bytes, roughly.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        let weight = |_: &Key, scan: &Arc<ScanSample>| {
            let labels: usize = scan.labels.iter().filter_map(Json::as_array).map(Vec::len).sum();
            COMMON_BYTES + LABEL_BYTES * u32::try_from(labels).unwrap_or(0)
        };
        Self { kept: Cache::builder().max_capacity(budget).weigher(weight).build() }
    }

    /// The JSON of a sample: exactly [`JSON_BYTES`] bytes. `slice` is canonical.
    ///
    /// # Errors
    /// [`RendererError::Replaced`] when the index does not say the same of the scan any more as when the catalogue was read.
    pub(super) async fn json(
        &self,
        renderer: &Renderer,
        catalogue: &Catalogue,
        scan: ScanId,
        slice: usize,
        shown: Json,
    ) -> Result<Vec<u8>, RendererError> {
        let group = catalogue.group(scan).ok_or(RendererError::UnknownScan(scan))?.clone();
        let key = (group, catalogue.tables_sha256.clone());
        let made = self.kept.try_get_with(key.clone(), of_scan(renderer, &key)).await;
        let of_scan = made.map_err(|error| RendererError::clone(&error))?;
        let mut sample = of_scan.common.clone();
        sample["slice"] = json!(slice);
        sample["labels"] = of_scan.labels.get(slice).cloned().unwrap_or_default();
        if let (Json::Object(sample), Json::Object(shown)) = (&mut sample, shown) {
            sample.extend(shown);
        }
        let mut text = sample.to_string().into_bytes();
        if text.len() > JSON_BYTES {
            // Longer than any row of the release: the address of the rest is in the sample.
            sample["metadata"] = Json::Null;
            sample["gradings"] = Json::Null;
            text = sample.to_string().into_bytes();
        }
        text.resize(JSON_BYTES, b' ');
        Ok(text)
    }
}

async fn of_scan(renderer: &Renderer, (group, tables): &Key) -> Result<Arc<ScanSample>, RendererError> {
    let scan = group.scan;
    let snapshot = renderer.snapshot().await?;
    if snapshot.catalogue.group(scan) != Some(group) || snapshot.catalogue.tables_sha256 != *tables {
        return Err(RendererError::Replaced(scan));
    }
    let index = &snapshot.index;
    let (row, gradings) = (index.scan(scan).await?, index.gradings(scan.patient).await?);
    let slices = index.slices(scan).await?;
    let labels = slices.iter().map(|slice| {
        let label = |found: &crate::volume::SliceLabel| {
            json!({ "label": found.label, "class": found.label.class(), "name": found.label.name(), "pixels": found.pixels })
        };
        slice.labels.iter().map(label).collect()
    });
    let common = json!({
        "scan_id": scan,
        "patient_id": scan.patient,
        "scan_type": scan.scan_type,
        "split": row.as_ref().and_then(|row| row.split),
        "slice": null,
        "labels": null,
        "scan": format!("/v1/scans/{scan}"),
        "gradings": gradings.iter().map(NamedGrading::new).collect::<Vec<_>>(),
        "metadata": row.and_then(|row| row.metadata),
    });
    Ok(Arc::new(ScanSample { common, labels: labels.collect() }))
}
