use std::sync::Arc;

use super::catalogue::CataloguedScan;
use super::{Catalogue, Renderer, RendererError};
use crate::formats::npy;
use crate::imaging::{ImageKind, ImageQuery, ImageRequest, MONTAGE_SLICES, NPY, PNG};
use crate::index::Reader;
use crate::spider::ScanId;
use crate::volume::{Affine, ElementType, Geometry};

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
    /// [`RendererError::NoSuchSliceName`].
    pub fn parse(text: &str) -> Result<Self, RendererError> {
        let unknown = || RendererError::NoSuchSliceName { name: text.to_owned(), hint: "" };
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
    /// [`RendererError::SliceOutOfRange`] and [`RendererError::NoSuchSliceName`].
    pub fn among(&self, slices: usize, best: Option<usize>) -> Result<usize, RendererError> {
        let slice = match self {
            Self::Number(slice) => *slice,
            Self::Mid => slices / 2,
            Self::Best => best.ok_or_else(|| RendererError::NoSuchSliceName {
                name: "best".to_owned(),
                hint: "; this layout of this scan is not sagittal and has no best slice",
            })?,
        };
        if slice < slices { Ok(slice) } else { Err(RendererError::SliceOutOfRange { slice, slices }) }
    }
}

/// What tells one cached image from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    pub(super) scan: ScanId,
    pub(super) revision: Arc<str>,
    /// In the image's layout; 0 for a montage.
    pub(super) slice: usize,
    pub(super) image_request: ImageRequest,
}

/// An image that can be had: the scan is there, the slice is there, the parameters fit.
#[derive(Debug, Clone)]
pub struct RenderRequest {
    pub(super) key: Key,
    pub(super) scan: Arc<CataloguedScan>,
    /// The index that knows the scan.
    pub(super) reader: Reader,
}

impl RenderRequest {
    /// A text that changes whenever the image's bytes do; known before anything is rendered.
    #[must_use]
    pub fn validator(&self) -> String {
        let Key { scan, revision, slice, image_request } = &self.key;
        format!("{scan}-{revision} {slice} {}", image_request.fingerprint())
    }

    /// What tells the image from others in the cache.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Rows and columns of the image.
    #[must_use]
    pub fn canvas(&self) -> [usize; 2] {
        self.key.image_request.canvas()
    }

    /// Type of the elements, if the image is an array.
    #[must_use]
    pub fn element(&self) -> ElementType {
        self.key.image_request.element()
    }

    /// Bytes of the elements, if the image is an array.
    #[must_use]
    pub fn elements_len(&self) -> u64 {
        let [height, width] = self.canvas();
        (height * width * self.element().size()) as u64
    }

    /// The scan that the image shows.
    #[must_use]
    pub fn scan(&self) -> ScanId {
        self.key.scan
    }

    /// Shape and place of the scan in canonical layout.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.scan.grid.canonical
    }

    /// Whether the image is an array that is rendered in several bands, which are sent one by one.
    #[must_use]
    pub fn is_large(&self) -> bool {
        !self.key.image_request.is_png() && self.key.image_request.bands() > 1
    }

    /// Millimetres per pixel, from row to row and from column to column.
    #[must_use]
    pub fn pixel_mm(&self) -> [f64; 2] {
        self.key.image_request.pixel_mm(&self.scan.facts)
    }

    /// Media type of the image's file, and its length, if it is known before the image is rendered.
    #[must_use]
    pub fn file(&self) -> (&'static str, Option<u64>) {
        if self.key.image_request.is_png() {
            return (PNG, None);
        }
        (NPY, Some(npy::header(self.element(), &self.canvas()).len() as u64 + self.elements_len()))
    }

    /// Slices of the scan, in the layout of the image.
    #[must_use]
    pub fn slices_of_view(&self) -> usize {
        let [slices, ..] = self.key.image_request.view(&self.scan.facts).shape();
        slices
    }

    /// Index of the slice, in the layout of the image.
    #[must_use]
    pub fn slice(&self) -> usize {
        self.key.slice
    }

    /// The same image of another slice of the scan, which must be there.
    #[must_use]
    pub fn at(&self, slice: usize) -> Self {
        let mut other = self.clone();
        other.key.slice = slice;
        other
    }

    /// The same image of the slice that shows a canonical one.
    ///
    /// # Errors
    /// [`RendererError::NoSuchSliceName`] when the layout's slices are not sagittal.
    pub fn showing(&self, canonical: usize) -> Result<Self, RendererError> {
        let shown = self.key.image_request.view(&self.scan.facts).showing(canonical);
        let unknown = || RendererError::NoSuchSliceName {
            name: canonical.to_string(),
            hint: "; this layout of this scan is not sagittal and shows no canonical slice",
        };
        shown.map(|slice| self.at(slice)).ok_or_else(unknown)
    }

    /// From (slice relative to this one, row, column, 1) of the image to millimetres in the patient, LPS.
    #[must_use]
    pub fn affine_lps(&self) -> Affine {
        self.key.image_request.affine(&self.scan.facts, &self.scan.grid.canonical, self.key.slice).affine_lps()
    }

    /// The slices that the image shows, in its layout.
    pub(super) fn slices(&self) -> Vec<usize> {
        let [slices, ..] = self.key.image_request.view(&self.scan.facts).shape();
        if self.key.image_request.kind() == ImageKind::MontagePng {
            (1..=MONTAGE_SLICES).map(|n| n * slices / (MONTAGE_SLICES + 1)).collect()
        } else {
            vec![self.key.slice]
        }
    }
}

impl Renderer {
    /// Checks a request for an image of one slice. Costs no I/O.
    ///
    /// # Errors
    /// [`RendererError`] saying what does not exist or does not fit.
    pub fn render_request(
        &self,
        catalogue: &Catalogue,
        scan: ScanId,
        slice: &SliceName,
        query: &ImageQuery,
    ) -> Result<RenderRequest, RendererError> {
        let mut render_request = self.montage_request(catalogue, scan, query)?;
        let facts = &render_request.scan.facts;
        let view = render_request.key.image_request.view(facts);
        render_request.key.slice = slice.among(view.shape()[0], view.showing(render_request.scan.best_slice))?;
        Ok(render_request)
    }

    /// Checks a request for a montage. Costs no I/O.
    ///
    /// # Errors
    /// [`RendererError`] saying what does not exist or does not fit.
    pub fn montage_request(
        &self,
        catalogue: &Catalogue,
        scan: ScanId,
        query: &ImageQuery,
    ) -> Result<RenderRequest, RendererError> {
        let found = catalogue.scan(scan).ok_or(RendererError::UnknownScan(scan))?;
        let image_request = query.resolve(&found.facts, self.limits)?;
        let key = Key { scan, revision: Arc::clone(&found.group.revision), slice: 0, image_request };
        Ok(RenderRequest { key, scan: Arc::clone(found), reader: catalogue.reader().clone() })
    }
}
