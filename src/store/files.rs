//! Files beside the groups: small documents that are replaced only by who has seen the last one, and large files that are
//! copied from and to this machine.

use std::path::Path as FsPath;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{DataLocation, Store, StoreError};

/// Large files move in pieces of this size, each a request of its own that can be repeated.
const PIECE: u64 = 8 << 20;

/// Pieces on their way at once.
const PIECES_AT_ONCE: usize = 2;

/// Which contents of a document: two that differ have different ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

/// A document, if it is not the one that was known.
#[derive(Debug, Clone)]
pub enum Found {
    /// There is none.
    Nothing,
    /// The one whose version was given.
    Known,
    /// Another one.
    Document(Bytes, Version),
}

/// A document could not be replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// There is another one than the one that was to be replaced.
    #[error("another one is there by now")]
    Changed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Reads a small document, unless it is the one with the version `known`.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub async fn document(&self, path: &str, known: Option<&Version>) -> Result<Found, StoreError> {
        let options = GetOptions { if_none_match: known.map(|version| version.0.clone()), ..GetOptions::default() };
        let failed = |source| self.unread(path, source);
        let found = match self.objects.get_opts(&Path::from(path), options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(Found::Nothing),
            Err(object_store::Error::NotModified { .. }) => return Ok(Found::Known),
            Err(source) => return Err(failed(source)),
        };
        let version = Version(found.meta.e_tag.clone().unwrap_or_default());
        Ok(Found::Document(found.bytes().await.map_err(failed)?, version))
    }

    /// Replaces the document that has the version `seen`, or makes the first one.
    ///
    /// Some stores ignore the condition; [`Store::keeps_conditions`] tells.
    ///
    /// # Errors
    /// [`ReplaceError::Changed`] when it is not there as it was seen.
    pub async fn replace_document(
        &self,
        path: &str,
        contents: Bytes,
        seen: Option<&Version>,
    ) -> Result<(), ReplaceError> {
        let _turn = self.turn_of_shared_folder(path)?;
        // A local file system has no conditional replacement: the turn above is its condition. Stores that ignore conditions
        // are checked as well, which leaves them a moment to be wrong instead of an import's whole time.
        match (self.document(path, seen).await?, seen) {
            (Found::Known, Some(_)) | (Found::Nothing, None) => {}
            _ => return Err(ReplaceError::Changed),
        }
        let mode = match seen {
            _ if matches!(self.place, DataLocation::Folder(_) | DataLocation::Shared(_)) => PutMode::Overwrite,
            None => PutMode::Create,
            Some(version) => PutMode::Update(UpdateVersion { e_tag: Some(version.0.clone()), version: None }),
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        let pending = self.begin_writes()?;
        match self.objects.put_opts(&Path::from(path), contents.into(), options).await {
            Ok(_) => Ok(pending.sync()?),
            Err(object_store::Error::Precondition { .. } | object_store::Error::AlreadyExists { .. }) => {
                Err(ReplaceError::Changed)
            }
            Err(source) => Err(StoreError::Write { path: path.to_owned(), source }.into()),
        }
    }

    /// Others that replace the same document in a shared folder wait until this is dropped.
    fn turn_of_shared_folder(&self, path: &str) -> Result<Option<std::fs::File>, StoreError> {
        let DataLocation::Shared(folder) = &self.place else { return Ok(None) };
        let path = folder.join(format!("{path}.lock"));
        let locked = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
            let file = std::fs::File::create(&path)?;
            file.lock()?;
            Ok(file)
        });
        locked.map(Some).map_err(|source| StoreError::Local { path, source })
    }

    /// Whether the store refuses to make a document that is there already on request. One that does not cannot be trusted
    /// with replacing one under a condition either. `path` is a document for this query alone.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub async fn keeps_conditions(&self, path: &str) -> Result<bool, StoreError> {
        if !matches!(self.place, DataLocation::Bucket { .. }) {
            return Ok(true);
        }
        for _ in 0..2 {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match self.objects.put_opts(&Path::from(path), Bytes::new().into(), options).await {
                Err(object_store::Error::AlreadyExists { .. }) => return Ok(true),
                // It was not there before, or the condition was ignored: the second time tells.
                Ok(_) => {}
                Err(source) => return Err(StoreError::Write { path: path.to_owned(), source }),
            }
        }
        Ok(false)
    }

    /// Copies a file of this machine into the store. It appears when it is whole, and is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::Write`], [`StoreError::Sync`] or [`StoreError::Local`].
    pub async fn upload(&self, from: &FsPath, path: &str) -> Result<(), StoreError> {
        let local = |source| StoreError::Local { path: from.to_owned(), source };
        let failed = |source| StoreError::Write { path: path.to_owned(), source };
        let pending = self.begin_writes()?;
        let mut file = tokio::fs::File::open(from).await.map_err(local)?;
        let mut writer = BufWriter::with_capacity(self.objects.clone(), Path::from(path), PIECE as usize)
            .with_max_concurrency(PIECES_AT_ONCE);
        loop {
            let mut piece = Vec::with_capacity(PIECE as usize);
            (&mut file).take(PIECE).read_to_end(&mut piece).await.map_err(local)?;
            if piece.is_empty() {
                break;
            }
            writer.put(piece.into()).await.map_err(failed)?;
        }
        let finished = writer.shutdown().await;
        finished.map_err(|error| failed(object_store::Error::Generic { store: "upload", source: error.into() }))?;
        pending.sync()
    }

    /// Copies a file of `bytes` bytes from the store to this machine and gives its SHA-256, hexadecimal.
    ///
    /// # Errors
    /// [`StoreError::Read`], also when it is shorter, or [`StoreError::Local`].
    pub async fn download(&self, path: &str, bytes: u64, to: &FsPath) -> Result<String, StoreError> {
        let local = |source| StoreError::Local { path: to.to_owned(), source };
        let mut pieces = std::pin::pin!(self.pieces(Path::from(path), 0..bytes));
        let mut file = tokio::fs::File::create(to).await.map_err(local)?;
        let mut hash = Sha256::new();
        while let Some(piece) = pieces.try_next().await? {
            hash.update(&piece);
            file.write_all(&piece).await.map_err(local)?;
        }
        file.flush().await.map_err(local)?;
        Ok(hex::encode(hash.finalize()))
    }

    /// Some bytes of a file, each piece a request of its own, so that no request lasts longer than one may.
    pub(super) fn pieces(
        &self,
        path: Path,
        range: std::ops::Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + use<> {
        let objects = self.objects.clone();
        let starts = (range.start..range.end).step_by(PIECE as usize);
        let read = starts.map(move |start| {
            let (objects, path, end) = (objects.clone(), path.clone(), range.end.min(start + PIECE));
            async move {
                let piece = objects.get_range(&path, start..end).await;
                piece.map_err(|source| StoreError::Read { path: path.to_string(), source })
            }
        });
        stream::iter(read).buffered(PIECES_AT_ONCE)
    }

    /// Path and length of every file under a folder.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub async fn files_under(&self, folder: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let listed: Result<Vec<_>, _> = self.objects.list(Some(&Path::from(folder))).try_collect().await;
        let listed = listed.map_err(|source| self.unread(folder, source))?;
        Ok(listed.into_iter().map(|file| (file.location.to_string(), file.size)).collect())
    }

    /// Deletes a file; none being there is as good.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub async fn delete(&self, path: &str) -> Result<(), StoreError> {
        match self.objects.delete(&Path::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(StoreError::Write { path: path.to_owned(), source }),
        }
    }
}
