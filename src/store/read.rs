use bytes::Bytes;
use object_store::ObjectStoreExt;

use super::chunk::{self, CHECKSUM_BYTES};
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

impl Store {
    /// Reads one slice: rows × columns voxels, little-endian, row after row.
    ///
    /// # Errors
    /// [`StoreError::Read`] when it cannot be read, [`StoreError::Damaged`] when it is not what was written.
    pub async fn read_slice(&self, address: SliceAddress<'_>) -> Result<Bytes, StoreError> {
        let path = Self::slice_path(address.group, address.array, address.slice);
        let size = address.bytes();
        let read = match address.array {
            // The length is known, so one system call after the open is enough.
            Array::Image => self.objects.get_range(&path, 0..(size + CHECKSUM_BYTES) as u64).await,
            Array::Mask => match self.objects.get(&path).await {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            },
        };
        let chunk = read.map_err(|source| StoreError::Read { path: path.to_string(), source })?;
        chunk::decode(address.array, &chunk, size)
            .map_err(|source| StoreError::Damaged { path: path.to_string(), source })
    }
}
