//! Slices that came over the network, as they lie in the store, in memory and, for who wants it, on this machine's disk, both
//! bounded in bytes. A group's name carries the revision of its contents, so what is kept is never out of date.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;

use super::chunk::is_whole;
use super::slice_disk::SliceDisk;
use super::{KeptSlices, StoreError};

/// What a kept slice takes beside its bytes.
const OVERHEAD: usize = 256;

#[derive(Debug, Clone)]
pub(super) struct SliceCache {
    kept: moka::future::Cache<Path, Bytes>,
    disk: Option<SliceDisk>,
}

/// Why a slice is not kept.
enum Unkept {
    /// Its checksum is wrong: anyone who requested it should hear of it, and the next one should ask the store again.
    Damaged(Bytes),
    Failed(StoreError),
}

impl SliceCache {
    /// `None` when nothing is to be kept.
    pub(super) fn open(keep: &KeptSlices) -> Result<Option<Self>, StoreError> {
        if keep.memory_bytes == 0 && keep.disk.is_none() {
            return Ok(None);
        }
        let weight = |_: &Path, chunk: &Bytes| u32::try_from(chunk.len() + OVERHEAD).unwrap_or(u32::MAX);
        let kept = moka::future::Cache::builder().max_capacity(keep.memory_bytes).weigher(weight).build();
        let disk = keep.disk.as_ref().map(|(folder, bytes)| {
            let unusable = |source| StoreError::KeptSlices { folder: folder.clone(), source };
            SliceDisk::open(folder, *bytes).map_err(unusable)
        });
        Ok(Some(Self { kept, disk: disk.transpose()? }))
    }

    /// The chunk at this path, read by `read` if need be, once for all who ask at the same time.
    pub(super) async fn get_or_read(
        &self,
        path: &Path,
        read: impl Future<Output = Result<Bytes, StoreError>>,
    ) -> Result<Bytes, StoreError> {
        let checked = async {
            if let Some(disk) = &self.disk
                && let Some(chunk) = disk.kept(path).await
            {
                return Ok(chunk);
            }
            match read.await {
                Ok(chunk) if is_whole(&chunk) => {
                    if let Some(disk) = &self.disk {
                        disk.keep(path, &chunk).await;
                    }
                    Ok(chunk)
                }
                Ok(chunk) => Err(Unkept::Damaged(chunk)),
                Err(error) => Err(Unkept::Failed(error)),
            }
        };
        match self.kept.try_get_with_by_ref(path, checked).await {
            Ok(chunk) => Ok(chunk),
            Err(unkept) => match Arc::try_unwrap(unkept) {
                Ok(Unkept::Damaged(chunk)) => Ok(chunk),
                Ok(Unkept::Failed(error)) => Err(error),
                Err(shared) => match &*shared {
                    Unkept::Damaged(chunk) => Ok(chunk.clone()),
                    Unkept::Failed(error) => Err(for_another_waiter(error)),
                },
            },
        }
    }
}

/// What went wrong for the one who read from the store, for the others who waited.
fn for_another_waiter(error: &StoreError) -> StoreError {
    match error {
        StoreError::Read { path, source } if error.is_missing() => {
            let source = object_store::Error::NotFound { path: path.clone(), source: source.to_string().into() };
            StoreError::Read { path: path.clone(), source }
        }
        other => {
            let path = other.path().unwrap_or_default().to_owned();
            let text = std::error::Error::source(other).map_or_else(|| other.to_string(), ToString::to_string);
            let source = object_store::Error::Generic { store: "slice cache", source: text.into() };
            if other.is_unreachable() {
                StoreError::Unreachable { path, source }
            } else {
                StoreError::Read { path, source }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::{Array, chunk};
    use super::*;

    fn memory() -> SliceCache {
        SliceCache::open(&KeptSlices { memory_bytes: 1 << 20, disk: None }).unwrap().unwrap()
    }

    fn path() -> Path {
        Path::from("scans/1_t1/image/c/0/0/0")
    }

    fn whole() -> Bytes {
        chunk::encode(Array::Image, &[7; 64]).unwrap().into()
    }

    #[tokio::test]
    async fn a_whole_slice_is_read_once() {
        let (cache, reads) = (memory(), AtomicUsize::new(0));
        let read = || async {
            reads.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(whole())
        };
        let path = path();
        let both = tokio::join!(cache.get_or_read(&path, read()), cache.get_or_read(&path, read()));
        assert_eq!((both.0.unwrap(), both.1.unwrap()), (whole(), whole()));
        cache.get_or_read(&path, read()).await.unwrap();
        assert_eq!(reads.into_inner(), 1);
    }

    #[tokio::test]
    async fn damage_and_failures_are_reported_but_not_kept() {
        let (cache, path) = (memory(), path());
        let mut damaged = whole().to_vec();
        damaged[3] ^= 1;
        let damaged = Bytes::from(damaged);
        let given = cache.get_or_read(&path, async { Ok(damaged.clone()) }).await.unwrap();
        assert_eq!(given, damaged);
        let missing = || async {
            tokio::task::yield_now().await;
            let source = object_store::Error::NotFound { path: "x".to_owned(), source: "gone".into() };
            Err(StoreError::Read { path: "x".to_owned(), source })
        };
        let both = tokio::join!(cache.get_or_read(&path, missing()), cache.get_or_read(&path, missing()));
        assert!(both.0.unwrap_err().is_missing() && both.1.unwrap_err().is_missing());
        assert_eq!(cache.get_or_read(&path, async { Ok(whole()) }).await.unwrap(), whole());
    }
}
