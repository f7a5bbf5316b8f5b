use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::chunk;
use super::chunk::CHECKSUM_BYTES;
use super::documents::DOCUMENTS;
use super::{Array, DataLocation, GroupName, Store, StoreError};
use crate::volume::ElementType;

/// Bytes by which zstd can make a mask longer, at most: that of the largest slices of any release.
const ZSTD_OVERHEAD: usize = 64 << 10;

/// Which slice of which array, and how large it is.
#[derive(Debug, Clone)]
pub struct SliceKey<'a> {
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

impl SliceKey<'_> {
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

/// Whether a group of so many slices has a file of this name: its documents, and a chunk for each slice.
fn is_file(path: &str, slices: usize) -> bool {
    let chunk = |array: Array| {
        let slice = path.strip_prefix(array.path())?.strip_prefix("/c/")?.strip_suffix("/0/0")?;
        // One spelling for each: no sign, no leading zero.
        let is_plain = slice == "0" || (!slice.starts_with('0') && slice.bytes().all(|b| b.is_ascii_digit()));
        Some(is_plain && slice.parse::<usize>().is_ok_and(|slice| slice < slices))
    };
    DOCUMENTS.contains(&path) || [Array::Image, Array::Mask].into_iter().any(|array| chunk(array) == Some(true))
}

impl Store {
    /// A document or chunk of a group of so many slices, as it lies there; `None` when groups have no such file.
    ///
    /// # Errors
    /// [`StoreError::Read`] or [`StoreError::Unreachable`] when it cannot be read, or is gone: to a reader of Zarr, a chunk
    /// that "is not there" would be one full of zeros.
    pub async fn read_file(&self, group: &GroupName, path: &str, slices: usize) -> Result<Option<Bytes>, StoreError> {
        if !is_file(path, slices) {
            return Ok(None);
        }
        let path = Path::from(format!("{}/{path}", group.path()));
        self.read_whole(&path).await.map(Some)
    }

    /// Whether the group is there.
    ///
    /// # Errors
    /// [`StoreError::Read`] or [`StoreError::Unreachable`] when that is not known.
    pub async fn has(&self, group: &GroupName) -> Result<bool, StoreError> {
        let path = Path::from(format!("{}/zarr.json", group.path()));
        match self.objects.head(&path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(self.unread(path.as_ref(), source)),
        }
    }

    /// Reads one slice.
    ///
    /// # Errors
    /// [`StoreError::Read`] or [`StoreError::Unreachable`] when it cannot be read.
    pub async fn read_slice(&self, key: SliceKey<'_>) -> Result<StoredSlice, StoreError> {
        let path = Self::slice_path(key.group, key.array, key.slice);
        let bytes = key.bytes();
        let chunk = match &self.slices {
            None => self.read_chunk(&path, &key).await,
            Some(slices) => slices.get_or_read(&path, self.read_chunk(&path, &key)).await,
        };
        Ok(StoredSlice { path, array: key.array, chunk: chunk?, bytes })
    }

    /// Whether slices may be had from [`Store::cached_slice`].
    #[must_use]
    pub fn has_cached_slices(&self) -> bool {
        cfg!(target_os = "linux") && matches!(self.place, DataLocation::Folder(_))
    }

    /// The slice, if it can be read without waiting: it lies in a folder, and the operating system has it in memory. Two
    /// system calls on the thread that goes on with it take less time than handing it from one thread to the other.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn cached_slice(&self, key: &SliceKey<'_>) -> Option<StoredSlice> {
        use std::os::unix::fs::OpenOptionsExt;

        use rustix::io::ReadWriteFlags;

        use super::read_buffer::ReadBuffer;

        let DataLocation::Folder(folder) = &self.place else { return None };
        let path = Self::slice_path(key.group, key.array, key.slice);
        let mut options = std::fs::OpenOptions::new();
        let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
        let file = options.read(true).custom_flags(nonblocking).open(folder.join(path.as_ref())).ok()?;
        let metadata = file.metadata().ok()?;
        let len = metadata.len() as usize;
        // What is no file, a pipe above all, has a length of 0, and reading it waits. What is longer than it can be is
        // damaged. Reading either in the ordinary way waits, or says so.
        if !metadata.is_file() || len > key.bytes() + CHECKSUM_BYTES + ZSTD_OVERHEAD {
            return None;
        }
        let mut chunk = ReadBuffer::of_thread(len);
        let mut filled = 0;
        while filled < len {
            let rest = &mut [std::io::IoSliceMut::new(&mut chunk.0[filled..])];
            match rustix::io::preadv2(&file, rest, filled as u64, ReadWriteFlags::NOWAIT) {
                Ok(0) | Err(_) => return None,
                Ok(read) => filled += read,
            }
        }
        Some(StoredSlice { path, array: key.array, chunk: Bytes::from_owner(chunk), bytes: key.bytes() })
    }

    /// The slice, if it can be read without waiting, which only Linux tells.
    #[cfg(not(target_os = "linux"))]
    #[must_use]
    pub fn cached_slice(&self, _: &SliceKey<'_>) -> Option<StoredSlice> {
        None
    }

    async fn read_chunk(&self, path: &Path, key: &SliceKey<'_>) -> Result<Bytes, StoreError> {
        match (key.array, &self.place) {
            // The length is known, so one system call after the open is enough.
            (Array::Image, DataLocation::Folder(_) | DataLocation::Shared(_)) => {
                let range = 0..(key.bytes() + CHECKSUM_BYTES) as u64;
                self.objects.get_range(path, range).await.map_err(|source| self.unread(path.as_ref(), source))
            }
            // A bucket costs one request either way; and of a range that an object is too short for, it says what it says
            // when it is out of reach.
            _ => self.read_whole(path).await,
        }
    }

    async fn read_whole(&self, path: &Path) -> Result<Bytes, StoreError> {
        let read = match self.objects.get(path).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        read.map_err(|source| self.unread(path.as_ref(), source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_its_documents_and_a_chunk_for_each_slice() {
        for file in ["zarr.json", "image/zarr.json", "image/c/0/0/0", "image/c/11/0/0", "labels/spider/0/c/10/0/0"] {
            assert!(is_file(file, 12), "{file}");
        }
        for nothing in
            ["image/c/12/0/0", "image/c/01/0/0", "image/c/+1/0/0", "image/c//0/0", "image/c/1/0/1", "../zarr.json"]
        {
            assert!(!is_file(nothing, 12), "{nothing}");
        }
    }
}
