use std::collections::HashMap;
use std::sync::Arc;

use crate::index::{CatalogueEntry, IndexError, Reader};
use crate::render::ScanFacts;
use crate::spider::ScanId;
use crate::store::GroupName;
use crate::volume::{ElementType, Geometry, Orientation};

/// What the index says of every imported scan, at one revision.
#[derive(Debug)]
pub struct Catalogue {
    /// Of the index.
    pub revision: u64,
    scans: HashMap<ScanId, Arc<CataloguedScan>>,
}

/// What pictures of one scan need.
#[derive(Debug)]
pub(super) struct CataloguedScan {
    pub(super) group: GroupName,
    pub(super) facts: ScanFacts,
    pub(super) best_slice: usize,
    /// Canonical.
    pub(super) geometry: Geometry,
}

/// The release's LPS kind had its 5–95 % range mapped to −1000..3096 before publication, so its DICOM window, which
/// refers to the values before, means nothing any more. The mapping shows in the type and the largest value.
const MAPPED_MIN: f64 = -1000.0;
const MAPPED_MAX: f64 = 3096.0;

impl Catalogue {
    pub(super) async fn read(reader: &Reader) -> Result<Self, IndexError> {
        // The revision first: a change in between is noticed at the next look.
        let revision = reader.revision().await?;
        let entries = reader.catalogue().await?;
        let scans = entries.into_iter().map(|entry| (entry.group.scan, Arc::new(catalogued(entry)))).collect();
        Ok(Self { revision, scans })
    }

    pub(super) fn scan(&self, scan: ScanId) -> Option<&Arc<CataloguedScan>> {
        self.scans.get(&scan)
    }

    /// Where the voxels of all scans are, in no order.
    pub(super) fn groups(&self) -> impl Iterator<Item = &GroupName> {
        self.scans.values().map(|scan| &scan.group)
    }

    /// Number of scans of which there are pictures.
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
    let orientation = Orientation::to_canonical(&entry.source_geometry);
    let geometry = orientation.apply_to_geometry(&entry.source_geometry);
    let (min, max) = entry.range;
    let facts = ScanFacts {
        element: entry.element,
        shape: geometry.shape(),
        spacing_mm: geometry.spacing_mm(),
        min,
        max,
        auto_window: entry.foreground_window,
        dicom_window: entry.dicom_window,
        remapped: entry.element == ElementType::Int16 && min >= MAPPED_MIN && max == MAPPED_MAX,
        orientation,
    };
    CataloguedScan { group: entry.group, facts, best_slice: entry.best_slice, geometry }
}
