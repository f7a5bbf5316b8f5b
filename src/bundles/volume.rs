//! Whole volumes as files: `.npy` in any rendition; `.nii`, `.nii.gz` and `.mha` as acquired, in canonical layout, with their
//! true place in the patient; `.mha` also as its file has it.

use std::sync::Arc;

use strum::VariantArray;

use super::bundle::Bundle;
use super::section::{Section, Stack};
use crate::formats::nifti::SideTooLong;
use crate::formats::{metaimage, nifti, npy};
use crate::imaging::{ImageKind, file_parameters, native_parameters, volume_parameters};
use crate::index::VolumeFacts;
use crate::params::Parameter;
use crate::renderer::{Catalogue, Keep, RenderRequest, Renderer, RendererError, SourceVolume};
use crate::spider::ScanId;
use crate::store::Array;
use crate::worker_pool::Flow;

/// How a volume is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
pub enum VolumeFormat {
    /// `.npy`
    Npy,
    /// `.nii`
    Nifti,
    /// `.nii.gz`
    NiftiGz,
    /// `.mha`
    MetaImage,
}

impl VolumeFormat {
    /// Every format.
    pub const ALL: &[Self] = <Self as VariantArray>::VARIANTS;

    /// Suffix of its files, without a point before it.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Npy => "npy",
            Self::Nifti => "nii",
            Self::NiftiGz => "nii.gz",
            Self::MetaImage => "mha",
        }
    }

    /// What a volume in this format can be requested with; `kind` is that of its slices as arrays.
    #[must_use]
    pub fn parameters(self, kind: ImageKind) -> Vec<Parameter> {
        match self {
            Self::Npy => volume_parameters(kind),
            Self::MetaImage => file_parameters(kind),
            Self::Nifti | Self::NiftiGz => native_parameters(kind),
        }
    }

    /// Media type of its files.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        if self == Self::NiftiGz { "application/gzip" } else { "application/octet-stream" }
    }
}

/// The volume of which `first` is the first slice.
///
/// # Errors
/// [`SideTooLong`] for NIfTI.
pub fn volume(renderer: &Arc<Renderer>, first: &RenderRequest, format: VolumeFormat) -> Result<Bundle, SideTooLong> {
    let (slices, [rows, columns], element) = (first.slices_of_view(), first.canvas(), first.element());
    let header = match format {
        VolumeFormat::Npy => npy::header(element, &[slices, rows, columns]),
        VolumeFormat::Nifti | VolumeFormat::NiftiGz => nifti::header(element, first.geometry())?,
        VolumeFormat::MetaImage => metaimage::raw_header(element, first.geometry()),
    };
    let version = vec![format.suffix().to_owned(), "volume".to_owned(), first.validator()];
    let (flow, of_slice) = (Flow::bulk(), first.clone());
    let stack = Stack {
        renderer: Arc::clone(renderer),
        flow,
        keep: Keep::No,
        first: first.clone(),
        count: slices,
        image: Box::new(move |k| of_slice.at(k)),
    };
    let section = stack.section(header);
    Ok(match format {
        VolumeFormat::NiftiGz => Bundle::gzip(renderer, version, section, flow),
        _ => Bundle::plain(renderer, format.media_type(), version, section),
    })
}

/// `.mha` with the voxels, element type and grid of the file that a scan was imported from: its image, or its mask.
///
/// # Errors
/// [`RendererError::UnknownScan`].
pub fn source_volume(
    renderer: &Arc<Renderer>,
    catalogue: &Catalogue,
    scan: ScanId,
    facts: &VolumeFacts,
    kind: ImageKind,
) -> Result<Bundle, RendererError> {
    let (array, element) =
        if kind.is_mask() { (Array::Mask, facts.mask_element) } else { (Array::Image, facts.element) };
    let volume = SourceVolume::new(catalogue, scan, array, element)?;
    let header = metaimage::raw_header(element, &facts.grid.source);
    let version = ["source volume", &scan.to_string(), &facts.revision, kind.file_name()].map(str::to_owned);
    let section = Section::source(renderer, header, volume, Flow::bulk());
    Ok(Bundle::plain(renderer, VolumeFormat::MetaImage.media_type(), version.into(), section))
}
