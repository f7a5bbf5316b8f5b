use std::sync::Arc;

use super::catalogue::CataloguedScan;
use super::{Catalogue, PictureError, Pictures};
use crate::formats::npy;
use crate::index::Reader;
use crate::render::{MONTAGE_SLICES, NPY, PNG, Picture, PictureKind, PictureQuery};
use crate::spider::ScanId;
use crate::volume::{Affine, ElementType};

/// A slice as a path names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SliceName {
    /// By index, from 0.
    Number(usize),
    /// The middle of the stack.
    Mid,
    /// The one with the most labelled pixels.
    Best,
}

impl SliceName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`PictureError::NoSuchSliceName`].
    pub fn parse(text: &str) -> Result<Self, PictureError> {
        let unknown = || PictureError::NoSuchSliceName { name: text.to_owned(), hint: "" };
        match text {
            "mid" => Ok(Self::Mid),
            "best" => Ok(Self::Best),
            _ if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().map(Self::Number).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }

    /// The slice's index among `slices`, of which `best` is the best one, if there is one.
    ///
    /// # Errors
    /// [`PictureError::SliceOutOfRange`] and [`PictureError::NoSuchSliceName`].
    pub fn among(&self, slices: usize, best: Option<usize>) -> Result<usize, PictureError> {
        let slice = match self {
            Self::Number(slice) => *slice,
            Self::Mid => slices / 2,
            Self::Best => best.ok_or_else(|| PictureError::NoSuchSliceName {
                name: "best".to_owned(),
                hint: "; this layout of this scan is not sagittal and has no best slice",
            })?,
        };
        if slice < slices { Ok(slice) } else { Err(PictureError::SliceOutOfRange { slice, slices }) }
    }
}

/// What tells one cached picture from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) scan: ScanId,
    pub(super) revision: Arc<str>,
    /// In the picture's layout; 0 for a montage.
    pub(super) slice: usize,
    pub(super) picture: Picture,
}

/// A picture that can be had: the scan is there, the slice is there, the parameters fit.
#[derive(Debug, Clone)]
pub struct Order {
    pub(super) key: Key,
    pub(super) scan: Arc<CataloguedScan>,
    /// The index that knows the scan.
    pub(super) reader: Reader,
}

impl Order {
    /// A text that changes whenever the picture's bytes do; known before anything is drawn.
    #[must_use]
    pub fn validator(&self) -> String {
        let Key { scan, revision, slice, picture } = &self.key;
        format!("{scan}-{revision} {slice} {}", picture.fingerprint())
    }

    /// Rows and columns of the picture.
    #[must_use]
    pub fn canvas(&self) -> [usize; 2] {
        self.key.picture.canvas()
    }

    /// Type of the elements, if the picture is an array.
    #[must_use]
    pub fn element(&self) -> ElementType {
        self.key.picture.element()
    }

    /// Bytes of the elements, if the picture is an array.
    #[must_use]
    pub fn elements_len(&self) -> u64 {
        let [height, width] = self.canvas();
        (height * width * self.element().size()) as u64
    }

    /// The scan that the picture shows.
    #[must_use]
    pub fn scan(&self) -> ScanId {
        self.key.scan
    }

    /// Whether the picture is an array that is rendered in several bands, which are sent one by one.
    #[must_use]
    pub fn is_large(&self) -> bool {
        !self.key.picture.is_png() && self.key.picture.bands() > 1
    }

    /// Millimetres per pixel, from row to row and from column to column.
    #[must_use]
    pub fn pixel_mm(&self) -> [f64; 2] {
        self.key.picture.pixel_mm(&self.scan.facts)
    }

    /// Media type of the picture's file, and its length, if it is known before the picture is rendered.
    #[must_use]
    pub fn file(&self) -> (&'static str, Option<u64>) {
        if self.key.picture.is_png() {
            return (PNG, None);
        }
        (NPY, Some(npy::header(self.element(), &self.canvas()).len() as u64 + self.elements_len()))
    }

    /// Slices of the scan, in the layout of the picture.
    #[must_use]
    pub fn slices_of_view(&self) -> usize {
        let [slices, ..] = self.key.picture.view(&self.scan.facts).shape();
        slices
    }

    /// Index of the slice, in the layout of the picture.
    #[must_use]
    pub fn slice(&self) -> usize {
        self.key.slice
    }

    /// The same picture of another slice of the scan, which must be there.
    #[must_use]
    pub fn at(&self, slice: usize) -> Self {
        let mut other = self.clone();
        other.key.slice = slice;
        other
    }

    /// The same picture of the slice that shows a canonical one.
    ///
    /// # Errors
    /// [`PictureError::NoSuchSliceName`] when the layout's slices are not sagittal.
    pub fn showing(&self, canonical: usize) -> Result<Self, PictureError> {
        let shown = self.key.picture.view(&self.scan.facts).showing(canonical);
        let unknown = || PictureError::NoSuchSliceName {
            name: canonical.to_string(),
            hint: "; this layout of this scan is not sagittal and shows no canonical slice",
        };
        shown.map(|slice| self.at(slice)).ok_or_else(unknown)
    }

    /// From (slice relative to this one, row, column, 1) of the picture to millimetres in the patient, LPS.
    #[must_use]
    pub fn affine_lps(&self) -> Affine {
        self.key.picture.affine(&self.scan.facts, &self.scan.geometry, self.key.slice).affine_lps()
    }

    /// The slices that the picture shows, in its layout.
    pub(super) fn slices(&self) -> Vec<usize> {
        let [slices, ..] = self.key.picture.view(&self.scan.facts).shape();
        if self.key.picture.kind() == PictureKind::MontagePng {
            (1..=MONTAGE_SLICES).map(|n| n * slices / (MONTAGE_SLICES + 1)).collect()
        } else {
            vec![self.key.slice]
        }
    }
}

impl Pictures {
    /// Checks a request for a picture of one slice. Costs no I/O.
    ///
    /// # Errors
    /// [`PictureError`] saying what does not exist or does not fit.
    pub fn order(
        &self,
        catalogue: &Catalogue,
        scan: ScanId,
        slice: &SliceName,
        query: &PictureQuery,
    ) -> Result<Order, PictureError> {
        let mut order = self.order_montage(catalogue, scan, query)?;
        let facts = &order.scan.facts;
        let view = order.key.picture.view(facts);
        order.key.slice = slice.among(view.shape()[0], view.showing(order.scan.best_slice))?;
        Ok(order)
    }

    /// Checks a request for a montage. Costs no I/O.
    ///
    /// # Errors
    /// [`PictureError`] saying what does not exist or does not fit.
    pub fn order_montage(
        &self,
        catalogue: &Catalogue,
        scan: ScanId,
        query: &PictureQuery,
    ) -> Result<Order, PictureError> {
        let found = catalogue.scan(scan).ok_or(PictureError::UnknownScan(scan))?;
        let picture = query.resolve(&found.facts, self.limits)?;
        let key = Key { scan, revision: Arc::clone(&found.group.revision), slice: 0, picture };
        Ok(Order { key, scan: Arc::clone(found), reader: catalogue.reader().clone() })
    }
}
