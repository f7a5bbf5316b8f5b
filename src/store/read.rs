use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::chunk::{self, CHECKSUM_BYTES};
use super::documents::DOCUMENTS;
use super::{Array, GroupName, Store, StoreError};
use crate::volume::ElementType;

/// Which slice of which array, and how large it is.
#[derive(Debug, Clone)]
pub struct SliceAddress<'a> {
    /// The scan's group.
    pub group: &'a GroupName,
    /// Image or mask.
    pub array: Array,
    /// Canonical slice index, 0 at the patient's right.
    pub slice: usize,
    /// Element type of the scan's image.
    pub element: ElementType,
    /// (rows, columns).
    pub shape: [usize; 2],
}

impl SliceAddress<'_> {
    fn bytes(&self) -> usize {
        self.shape[0] * self.shape[1] * self.array.element(self.element).size()
    }
}

/// A slice as it lies in the store. Reading is for async threads, decoding is work for others.
#[derive(Debug, Clone)]
pub struct StoredSlice {
    path: Path,
    array: Array,
    chunk: Bytes,
    bytes: usize,
}

impl StoredSlice {
    /// The voxels: rows × columns, little-endian, row after row. Checks the checksum and inflates masks.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it is not what was written.
    pub fn voxels(&self) -> Result<Bytes, StoreError> {
        chunk::decode(self.array, &self.chunk, self.bytes)
            .map_err(|source| StoreError::Damaged { path: self.path.to_string(), source })
    }
}

/// Whether a group has files of this name: its documents, and chunks.
fn is_file(path: &str) -> bool {
    let chunk = |array: Array| {
        let slice = path.strip_prefix(array.path())?.strip_prefix("/c/")?.strip_suffix("/0/0")?;
        // One spelling for each: no sign, no leading zero.
        Some(slice == "0" || (!slice.starts_with('0') && slice.len() < 10 && slice.bytes().all(|b| b.is_ascii_digit())))
    };
    DOCUMENTS.contains(&path) || [Array::Image, Array::Mask].into_iter().any(|array| chunk(array) == Some(true))
}

impl Store {
    /// A document or chunk of a group, as it lies there; `None` when there is no such file.
    ///
    /// # Errors
    /// [`StoreError::Read`] when it cannot be read.
    pub async fn read_file(&self, group: &GroupName, path: &str) -> Result<Option<Bytes>, StoreError> {
        if !is_file(path) {
            return Ok(None);
        }
        let path = Path::from(format!("{}/{path}", group.path()));
        let read = match self.objects.get(&path).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match read {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(StoreError::Read { path: path.to_string(), source }),
        }
    }

    /// Reads one slice.
    ///
    /// # Errors
    /// [`StoreError::Read`] when it cannot be read.
    pub async fn read_slice(&self, address: SliceAddress<'_>) -> Result<StoredSlice, StoreError> {
        let path = Self::slice_path(address.group, address.array, address.slice);
        let bytes = address.bytes();
        let chunk = match &self.slices {
            None => self.read_chunk(&path, &address).await,
            Some(slices) => slices.get_or_read(&path, self.read_chunk(&path, &address)).await,
        };
        Ok(StoredSlice { path, array: address.array, chunk: chunk?, bytes })
    }

    async fn read_chunk(&self, path: &Path, address: &SliceAddress<'_>) -> Result<Bytes, StoreError> {
        let read = match address.array {
            // The length is known, so one system call after the open is enough.
            Array::Image => self.objects.get_range(path, 0..(address.bytes() + CHECKSUM_BYTES) as u64).await,
            Array::Mask => match self.objects.get(path).await {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            },
        };
        read.map_err(|source| StoreError::Read { path: path.to_string(), source })
    }
}
