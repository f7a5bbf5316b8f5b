//! What a sample of a stream says besides its pixels: JSON of a fixed length, so that the length of a stream is known before
//! it is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::future::Cache;
use serde_json::{Value as Json, json};

use crate::http::app::App;
use crate::http::bodies::GradingBody;
use crate::index::IndexError;
use crate::pictures::PictureError;
use crate::spider::ScanId;

/// Bytes of a sample's JSON, filled up with spaces. Those of the release take some five thousand.
pub(super) const JSON_BYTES: usize = 8192;

/// Memory for what is said of scans, in bytes, roughly.
const KEPT_BYTES: u64 = 64 << 20;
/// What a scan's common part takes of it.
const COMMON_BYTES: u32 = 32 << 10;
/// What one label of one slice takes of it: a map of names and values.
const LABEL_BYTES: u32 = 1 << 10;

/// What samples say of their scans, by scan and revision of the index.
#[derive(Debug)]
pub(in crate::http) struct Samples {
    kept: Cache<(ScanId, u64), Arc<OfScan>>,
    /// The newest that was asked for.
    revision: AtomicU64,
}

/// What the samples of one scan have in common, and the labels of each of its slices.
#[derive(Debug)]
struct OfScan {
    common: Json,
    labels: Vec<Json>,
}

impl Samples {
    pub(in crate::http) fn new() -> Self {
        let weight = |_: &(ScanId, u64), scan: &Arc<OfScan>| {
            let labels: usize = scan.labels.iter().filter_map(Json::as_array).map(Vec::len).sum();
            COMMON_BYTES + LABEL_BYTES * u32::try_from(labels).unwrap_or(0)
        };
        Self { kept: Cache::builder().max_capacity(KEPT_BYTES).weigher(weight).build(), revision: AtomicU64::new(0) }
    }

    /// The JSON of a sample: exactly [`JSON_BYTES`] bytes. `slice` is canonical.
    pub(super) async fn json(
        &self,
        app: &App,
        scan: ScanId,
        slice: usize,
        shown: Json,
    ) -> Result<Vec<u8>, PictureError> {
        let key = (scan, app.pictures().catalogue().revision);
        // Nobody asks for older ones any more, and every scan of an import makes another.
        if self.revision.fetch_max(key.1, Ordering::Relaxed) < key.1 {
            self.kept.invalidate_all();
        }
        let of_scan = self.kept.try_get_with(key, of_scan(app, scan)).await;
        let of_scan = of_scan.map_err(PictureError::Index)?;
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

async fn of_scan(app: &App, scan: ScanId) -> Result<Arc<OfScan>, IndexError> {
    let index = app.index();
    let (row, gradings, slices) = tokio::try_join!(index.scan(scan), index.gradings(scan.patient), index.slices(scan))?;
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
        "gradings": gradings.iter().map(GradingBody::new).collect::<Vec<_>>(),
        "metadata": row.and_then(|row| row.metadata),
    });
    Ok(Arc::new(OfScan { common, labels: labels.collect() }))
}
