use std::collections::HashMap;
use std::sync::Arc;

use super::RendererError;
use crate::imaging::ScanFacts;
use crate::index::{CatalogueEntry, IndexError, ReadTransaction, Reader};
use crate::spider::ScanId;
use crate::spider::dataset::was_mapped;
use crate::store::{Array, GroupName, SliceKey};
use crate::volume::{ElementType, Grid};

/// What the index says of every imported scan, at one revision. Anyone who holds one sees the data as they were then, whatever is
/// imported meanwhile.
#[derive(Debug)]
pub struct Catalogue {
    /// Of the index: the time of its last change, in milliseconds since 1970.
    pub revision: u64,
    /// Checksum of the tables of the release, once they were imported.
    pub tables_sha256: Option<String>,
    scans: HashMap<ScanId, Arc<CataloguedScan>>,
    reader: Reader,
}

/// What images of one scan need.
#[derive(Debug)]
pub(super) struct CataloguedScan {
    pub(super) group: GroupName,
    pub(super) facts: ScanFacts,
    pub(super) best_slice: usize,
    pub(super) grid: Grid,
}

impl CataloguedScan {
    /// Of a canonical slice.
    pub(super) fn slice_key(&self, array: Array, slice: usize) -> SliceKey<'_> {
        let [_, rows, columns] = self.facts.shape;
        SliceKey { group: &self.group, array, slice, element: self.facts.element, shape: [rows, columns] }
    }
}

impl Catalogue {
    /// What `index` says, which `reader` began to read.
    pub(super) async fn read(reader: Reader, index: &ReadTransaction) -> Result<Self, IndexError> {
        let entries = index.catalogue().await?;
        let scans = entries.into_iter().map(|entry| (entry.group.scan, Arc::new(catalogued(entry)))).collect();
        let tables_sha256 = index.tables_sha256().await?;
        Ok(Self { revision: index.revision(), tables_sha256, scans, reader })
    }

    /// The index that this was read from.
    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Where the voxels of an imported scan lie in the patient.
    ///
    /// # Errors
    /// [`RendererError::UnknownScan`].
    pub fn grid(&self, scan: ScanId) -> Result<&Grid, RendererError> {
        self.scan(scan).map(|found| &found.grid).ok_or(RendererError::UnknownScan(scan))
    }

    /// Where the voxels of an imported scan are: its name changes when its contents do.
    #[must_use]
    pub fn group(&self, scan: ScanId) -> Option<&GroupName> {
        self.scan(scan).map(|found| &found.group)
    }

    pub(super) fn scan(&self, scan: ScanId) -> Option<&Arc<CataloguedScan>> {
        self.scans.get(&scan)
    }

    /// Where the voxels of all scans are, in no order.
    pub(super) fn groups(&self) -> impl Iterator<Item = &GroupName> {
        self.scans.values().map(|scan| &scan.group)
    }

    /// The imported scans, in their natural order.
    #[must_use]
    pub fn scan_ids(&self) -> Vec<ScanId> {
        let mut scans: Vec<_> = self.scans.keys().copied().collect();
        scans.sort_unstable();
        scans
    }

    /// Number of scans of which there are images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scans.len()
    }

    /// Whether there is no scan at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scans.is_empty()
    }
}

fn catalogued(entry: CatalogueEntry) -> CataloguedScan {
    let Grid { canonical, to_canonical, .. } = entry.grid;
    let (min, max) = entry.range;
    let facts = ScanFacts {
        element: entry.element,
        shape: canonical.shape(),
        spacing_mm: canonical.spacing_mm(),
        min,
        max,
        auto_window: entry.foreground_window,
        dicom_window: entry.dicom_window,
        remapped: entry.element == ElementType::Int16 && was_mapped(entry.range),
        orientation: to_canonical,
    };
    CataloguedScan { group: entry.group, facts, best_slice: entry.best_slice, grid: entry.grid }
}
