//! Slices that came over the network, on this machine's disk, bounded in bytes: a file for each, named by the SHA-256 of its
//! path in the store. They outlive the process. A file that is damaged or gone is as good as none, since the slice is fetched
//! again; so is a disk that takes no more.

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;
use std::{fs, io};

use bytes::Bytes;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use object_store::path::Path;
use sha2::{Digest, Sha256};

use super::chunk::is_whole;

/// How files are called while they are written.
const UNFINISHED: &str = "part";

#[derive(Debug, Clone)]
pub(super) struct SliceDisk {
    folder: Arc<FsPath>,
    /// Bytes of each file, by name; the one that was not requested the longest goes first.
    files: moka::sync::Cache<String, u32>,
    written: Arc<AtomicU64>,
    has_failed: Arc<AtomicBool>,
}

impl SliceDisk {
    /// Takes over what an earlier process left in the folder, and makes the folder if need be.
    pub(super) fn open(folder: &FsPath, bytes: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let folder: Arc<FsPath> = folder.into();
        let place = Arc::clone(&folder);
        let remove = move |name: Arc<String>, _, cause| {
            if cause != RemovalCause::Replaced {
                // Someone else may have removed it.
                let _ = fs::remove_file(file(&place, &name));
            }
        };
        let files = moka::sync::Cache::builder()
            .max_capacity(bytes)
            .weigher(|_: &String, bytes: &u32| *bytes)
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(remove)
            .build();
        let disk = Self { folder, files, written: Arc::default(), has_failed: Arc::default() };
        disk.take_over()?;
        Ok(disk)
    }

    /// The slice, if it is here and whole.
    pub(super) async fn kept(&self, path: &Path) -> Option<Bytes> {
        let name = name(path);
        self.files.get(&name)?;
        let chunk = tokio::fs::read(file(&self.folder, &name)).await.ok().map(Bytes::from).filter(is_whole);
        if chunk.is_none() {
            self.files.invalidate(&name);
        }
        chunk
    }

    /// Keeps a slice, if the disk takes it.
    pub(super) async fn keep(&self, path: &Path, chunk: &Bytes) {
        let name = name(path);
        match self.write(&name, chunk).await {
            Ok(()) => {
                self.files.insert(name, u32::try_from(chunk.len()).unwrap_or(u32::MAX));
                // Evict now: slices come faster than the cache's own housekeeping.
                self.files.run_pending_tasks();
            }
            Err(error) if !self.has_failed.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, folder = %self.folder.display(), "slices cannot be kept on this disk; they are fetched each time");
            }
            Err(_) => {}
        }
    }

    async fn write(&self, name: &str, chunk: &Bytes) -> io::Result<()> {
        let file = file(&self.folder, name);
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let unfinished = file.with_extension(format!("{number}.{UNFINISHED}"));
        if let Some(parent) = file.parent() {
            tokio::fs::create_dir_all(parent).await?;
        }
        let written = tokio::fs::write(&unfinished, chunk).await;
        match written {
            Ok(()) => tokio::fs::rename(&unfinished, &file).await,
            Err(error) => {
                let _ = tokio::fs::remove_file(&unfinished).await;
                Err(error)
            }
        }
    }

    /// Counts the files that are here, those that were written last as the last ones requested.
    fn take_over(&self) -> io::Result<()> {
        let mut found = Vec::new();
        for group in fs::read_dir(&self.folder)? {
            let group = group?;
            if !group.file_type()?.is_dir() {
                continue;
            }
            for entry in fs::read_dir(group.path())? {
                let entry = entry?;
                let (path, facts) = (entry.path(), entry.metadata()?);
                if path.extension().is_some_and(|extension| extension == UNFINISHED) {
                    fs::remove_file(path)?;
                } else if let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| is_name(name))
                {
                    let bytes = u32::try_from(facts.len()).unwrap_or(u32::MAX);
                    found.push((facts.modified().unwrap_or(SystemTime::UNIX_EPOCH), name.to_owned(), bytes));
                }
            }
        }
        found.sort_unstable();
        for (_, name, bytes) in found {
            self.files.insert(name, bytes);
        }
        self.files.run_pending_tasks();
        Ok(())
    }
}

fn name(path: &Path) -> String {
    hex::encode(Sha256::digest(path.as_ref()))
}

/// Other files in the folder are nobody's business.
fn is_name(name: &str) -> bool {
    name.len() == 2 * 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Spread over folders by the name's start, because some file systems are slow with many files in one.
fn file(folder: &FsPath, name: &str) -> PathBuf {
    folder.join(name.get(..2).unwrap_or_default()).join(name)
}

#[cfg(test)]
mod tests {
    use super::super::{Array, chunk};
    use super::*;

    fn path(slice: usize) -> Path {
        Path::from(format!("scans/1_t1/image/c/{slice}/0/0"))
    }

    fn whole(value: u8) -> Bytes {
        chunk::encode(Array::Image, &[value; 96]).unwrap().into()
    }

    fn bytes_in(folder: &FsPath) -> u64 {
        let groups = fs::read_dir(folder).unwrap().map(|group| group.unwrap().path());
        groups.flat_map(|group| fs::read_dir(group).unwrap()).map(|file| file.unwrap().metadata().unwrap().len()).sum()
    }

    #[tokio::test]
    async fn what_is_kept_outlives_the_process_and_stays_within_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let disk = SliceDisk::open(folder.path(), 1000).unwrap();
        assert!(disk.kept(&path(0)).await.is_none());
        for slice in 0..20 {
            disk.keep(&path(slice), &whole(slice as u8)).await;
            assert!(bytes_in(folder.path()) <= 1000);
        }
        assert_eq!(bytes_in(folder.path()), 1000);
        assert_eq!(disk.kept(&path(19)).await.unwrap(), whole(19));
        drop(disk);

        let unfinished = file(folder.path(), &name(&path(19))).with_extension("7.part");
        fs::write(&unfinished, b"cut off").unwrap();
        let again = SliceDisk::open(folder.path(), 500).unwrap();
        assert!(!unfinished.exists());
        assert_eq!(bytes_in(folder.path()), 500);
        assert_eq!(again.kept(&path(19)).await.unwrap(), whole(19));
        assert!(again.kept(&path(0)).await.is_none());
    }

    #[tokio::test]
    async fn damage_and_a_vanished_folder_are_as_nothing_kept() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a folder");
        let disk = SliceDisk::open(&place, 1 << 20).unwrap();
        disk.keep(&path(0), &whole(0)).await;
        disk.keep(&path(1), &whole(1)).await;
        let hurt = file(&place, &name(&path(0)));
        fs::write(&hurt, b"something else").unwrap();
        assert!(disk.kept(&path(0)).await.is_none());
        assert!(!hurt.exists());
        fs::remove_dir_all(&place).unwrap();
        assert!(disk.kept(&path(1)).await.is_none());
        // The folder comes back with the next slice; where it cannot, nothing is kept.
        disk.keep(&path(1), &whole(1)).await;
        assert_eq!(disk.kept(&path(1)).await.unwrap(), whole(1));
        fs::remove_dir_all(&place).unwrap();
        fs::write(&place, b"a file").unwrap();
        disk.keep(&path(1), &whole(1)).await;
        assert!(disk.kept(&path(1)).await.is_none());
    }
}
