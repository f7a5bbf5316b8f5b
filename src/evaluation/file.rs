//! The file of a prediction, recognised by its content: MetaImage, NIfTI-1 (also gzipped), npy. Only headers are read here,
//! so that a file is refused before anything is allocated for it.

use bytes::Bytes;

use super::EvaluationError;
use crate::formats::inflate::{GZIP, InflateError, Inflater};
use crate::formats::metaimage;
use crate::formats::metaimage::{Encoding, MetaImageError};
use crate::formats::nifti;
use crate::formats::npy;
use crate::volume::{ElementType, Geometry};

/// Bytes of extensions that are skipped at once.
const SKIPPED_BYTES: usize = 4096;

/// A mask whose header was read and whose voxels were not.
#[derive(Debug)]
pub struct MaskFile {
    pub(super) encoding: VoxelEncoding,
    /// As numpy has it: of an array, its own axes; of other files, k, j, i.
    pub(super) shape: [usize; 3],
    /// Whether the first axis is the fastest in memory.
    pub(super) is_fortran: bool,
    /// Where the voxels are; arrays do not say.
    pub(super) geometry: Option<Geometry>,
    pub(super) is_array: bool,
    pub(super) voxels: Voxels,
}

/// How the bytes of voxels are to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct VoxelEncoding {
    pub(super) element: ElementType,
    pub(super) big_endian: bool,
    /// value = slope × voxel + intercept.
    pub(super) scaling: Option<(f64, f64)>,
}

/// The bytes of voxels.
#[derive(Debug)]
pub(super) enum Voxels {
    Plain(Bytes),
    Compressed(Inflater),
}

impl From<InflateError> for EvaluationError {
    fn from(error: InflateError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl MaskFile {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// [`EvaluationError::Unreadable`].
    pub fn open(file: &Bytes) -> Result<Self, EvaluationError> {
        if file.starts_with(GZIP) {
            return gzipped_nifti(file);
        }
        if let Some(read) = is_known(npy::read_header(file), &npy::NpyError::NotNpy)? {
            return array(file, &read);
        }
        if let Some(read) = is_known(nifti::read_header(file), &nifti::NiftiError::NotNifti)? {
            let voxels = file.get(read.data_offset..).map(|_| file.slice(read.data_offset..));
            return of_nifti(&read, Voxels::Plain(voxels.ok_or_else(truncated)?));
        }
        if !has_metaimage_keys(file) {
            let expected = "a MetaImage (.mha), NIfTI-1 (.nii, .nii.gz) or NumPy (.npy) file as it is";
            return Err(EvaluationError::Unreadable(format!("the format is not known; expected {expected}")));
        }
        let read = metaimage::read_header(file).map_err(|error| EvaluationError::Unreadable(error.to_string()))?;
        of_metaimage(file, &read)
    }

    /// Voxels in the file.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Whether it looks like a MetaImage header. Any text with a colon could be a line of one, but not without this key.
fn has_metaimage_keys(file: &[u8]) -> bool {
    const KEY: &[u8] = b"NDims";
    file[..file.len().min(metaimage::HEADER_LIMIT)].windows(KEY.len()).any(|window| window == KEY)
}

fn truncated() -> EvaluationError {
    EvaluationError::Unreadable("the file ends before its voxels begin; it is truncated".to_owned())
}

/// What was read, or nothing when the file is in another format.
fn is_known<T, E: std::error::Error + PartialEq>(
    read: Result<T, E>,
    unknown: &E,
) -> Result<Option<T>, EvaluationError> {
    match read {
        Ok(header) => Ok(Some(header)),
        Err(error) if error == *unknown => Ok(None),
        Err(error) => Err(EvaluationError::Unreadable(error.to_string())),
    }
}

/// Bytes of so many voxels, if they can be counted.
fn voxel_bytes(shape: [usize; 3], element: ElementType) -> Result<usize, EvaluationError> {
    let bytes = shape.iter().try_fold(element.size(), |bytes, &len| bytes.checked_mul(len));
    bytes.ok_or_else(|| EvaluationError::Unreadable(format!("the file has a shape of {shape:?}, which is too large")))
}

/// Checks that plain voxels are all there, and that nothing follows them.
fn check_length(voxels: &Voxels, expected: usize) -> Result<(), EvaluationError> {
    match voxels {
        Voxels::Plain(bytes) if bytes.len() != expected => {
            let found = bytes.len();
            let message = format!("the header states {expected} bytes of voxels but {found} follow it");
            Err(EvaluationError::Unreadable(format!("{message}; the file is truncated or damaged")))
        }
        _ => Ok(()),
    }
}

fn array(file: &Bytes, header: &npy::Header) -> Result<MaskFile, EvaluationError> {
    let shape = <[usize; 3]>::try_from(header.shape.clone()).map_err(|shape| {
        let message = format!("the array has shape {shape:?}; a mask is a whole volume with three axes");
        EvaluationError::Unreadable(message)
    })?;
    let voxels = Voxels::Plain(file.slice(header.data_offset..));
    check_length(&voxels, voxel_bytes(shape, header.element)?)?;
    Ok(MaskFile {
        encoding: VoxelEncoding { element: header.element, big_endian: header.big_endian, scaling: None },
        shape,
        is_fortran: header.is_fortran,
        geometry: None,
        is_array: true,
        voxels,
    })
}

fn of_nifti(header: &nifti::Header, voxels: Voxels) -> Result<MaskFile, EvaluationError> {
    check_length(&voxels, voxel_bytes(header.shape, header.element)?)?;
    Ok(MaskFile {
        encoding: VoxelEncoding { element: header.element, big_endian: header.big_endian, scaling: header.scaling },
        shape: header.shape,
        is_fortran: false,
        geometry: header.geometry,
        is_array: false,
        voxels,
    })
}

fn gzipped_nifti(file: &Bytes) -> Result<MaskFile, EvaluationError> {
    let mut inflater = Inflater::new(file.clone());
    let mut start = [0; nifti::HEADER_BYTES];
    let read = inflater.read(&mut start)?;
    let header = nifti::read_header(&start[..read]).map_err(|error| {
        EvaluationError::Unreadable(format!("{error}, in a gzip file; of gzipped formats only .nii.gz is read"))
    })?;
    let mut skipped = [0; SKIPPED_BYTES];
    let mut left = header.data_offset.saturating_sub(nifti::HEADER_BYTES);
    while left > 0 {
        let room = &mut skipped[..left.min(SKIPPED_BYTES)];
        match inflater.read(room)? {
            0 => return Err(truncated()),
            read => left -= read,
        }
    }
    of_nifti(&header, Voxels::Compressed(inflater))
}

fn of_metaimage(file: &Bytes, header: &metaimage::Header) -> Result<MaskFile, EvaluationError> {
    let payload = file.slice(header.data_offset..);
    let voxels = match header.encoding {
        Encoding::Raw => Voxels::Plain(payload),
        Encoding::Zlib { stated_bytes } => {
            if let Some(stated) = stated_bytes.filter(|&stated| stated != payload.len()) {
                let found = payload.len();
                let error = MetaImageError::CompressedLength { stated, found };
                return Err(EvaluationError::Unreadable(error.to_string()));
            }
            Voxels::Compressed(Inflater::new(payload))
        }
    };
    check_length(&voxels, header.voxel_bytes)?;
    Ok(MaskFile {
        encoding: VoxelEncoding { element: header.element, big_endian: header.big_endian, scaling: None },
        shape: header.geometry.shape(),
        is_fortran: false,
        geometry: Some(header.geometry),
        is_array: false,
        voxels,
    })
}
