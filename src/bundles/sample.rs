//! What a sample of a stream says besides its pixels: JSON of a fixed length, so that the length of a stream is known before
//! it is made.

use std::sync::Arc;

use moka::future::Cache;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::index::IndexError;
use crate::renderer::{Catalogue, Renderer, RendererError};
use crate::spider::{Label, LabelClass, NamedGrading, PatientId, ScanId, ScanType, Split};
use crate::store::GroupName;
use crate::volume::{Affine, SliceLabel};

/// Bytes of a sample's JSON, filled up with spaces. Those of the release take some five thousand.
pub(super) const JSON_BYTES: usize = 8192;

/// What a scan takes of the cache besides its texts.
const ENTRY_BYTES: usize = 1 << 10;

/// What samples say of their scans, by the contents of the scan and of the tables: other scans may be imported meanwhile.
#[derive(Debug)]
pub struct SampleCache {
    kept: Cache<Key, Arc<ScanSample>>,
}

/// The contents from which a scan's samples are made.
type Key = (GroupName, Option<String>);

/// What the samples of one scan have in common, and the labels of each of its slices. Kept as text, which takes a tenth of the
/// parsed values' memory: the cache has room for every scan of the release.
#[derive(Debug)]
struct ScanSample {
    split: Option<Split>,
    gradings: Box<RawValue>,
    metadata: Box<RawValue>,
    labels: Vec<Box<RawValue>>,
}

/// A sample as JSON.
#[derive(Serialize)]
struct Sample<'a> {
    scan_id: ScanId,
    patient_id: PatientId,
    scan_type: ScanType,
    split: Option<Split>,
    slice: usize,
    labels: Option<&'a RawValue>,
    scan: String,
    gradings: Option<&'a RawValue>,
    metadata: Option<&'a RawValue>,
    #[serde(flatten)]
    shown: Shown,
}

/// How the image of a sample was made.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Shown {
    pub(super) affine_lps: Affine,
    /// In the image's layout.
    pub(super) shown_slice: usize,
}

#[derive(Serialize)]
struct LabelPixels {
    label: Label,
    class: LabelClass,
    name: Option<String>,
    pixels: u64,
}

impl ScanSample {
    fn bytes(&self) -> usize {
        let texts = [&self.gradings, &self.metadata].into_iter().chain(&self.labels);
        ENTRY_BYTES + texts.map(|text| size_of::<Box<RawValue>>() + text.get().len()).sum::<usize>()
    }
}

impl SampleCache {
    /// Keeps at most `budget` bytes, roughly.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        let weight = |_: &Key, scan: &Arc<ScanSample>| u32::try_from(scan.bytes()).unwrap_or(u32::MAX);
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
        shown: Shown,
    ) -> Result<Vec<u8>, RendererError> {
        let group = catalogue.group(scan).ok_or(RendererError::UnknownScan(scan))?.clone();
        let key = (group, catalogue.tables_sha256.clone());
        let made = self.kept.try_get_with(key.clone(), of_scan(renderer, &key)).await;
        let of_scan = made.map_err(|error| RendererError::clone(&error))?;
        let mut sample = Sample {
            scan_id: scan,
            patient_id: scan.patient,
            scan_type: scan.scan_type,
            split: of_scan.split,
            slice,
            labels: of_scan.labels.get(slice).map(AsRef::as_ref),
            scan: format!("/v1/scans/{scan}"),
            gradings: Some(&of_scan.gradings),
            metadata: Some(&of_scan.metadata),
            shown,
        };
        let mut text = serde_json::to_vec(&sample).map_err(unwritable)?;
        if text.len() > JSON_BYTES {
            // Longer than any row of the release: the address of the rest is in the sample.
            (sample.gradings, sample.metadata) = (None, None);
            text = serde_json::to_vec(&sample).map_err(unwritable)?;
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
        let label = |found: &SliceLabel| {
            let SliceLabel { label, pixels, .. } = *found;
            LabelPixels { label, class: label.class(), name: label.name(), pixels }
        };
        raw(&slice.labels.iter().map(label).collect::<Vec<_>>())
    });
    Ok(Arc::new(ScanSample {
        labels: labels.collect::<Result<_, _>>()?,
        split: row.as_ref().and_then(|row| row.split),
        gradings: raw(&gradings.iter().map(NamedGrading::new).collect::<Vec<_>>())?,
        metadata: raw(&row.and_then(|row| row.metadata))?,
    }))
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, IndexError> {
    to_raw_value(value).map_err(unwritable)
}

#[expect(clippy::needless_pass_by_value, reason = "it goes to map_err")]
fn unwritable(error: serde_json::Error) -> IndexError {
    IndexError::Unusable { what: "part of a sample", value: error.to_string() }
}
