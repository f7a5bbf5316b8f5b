//! Files that were exported for others' loaders, beside the groups.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};

use super::{DataLocation, Store, StoreError};

/// Folder of all exports.
pub const EXPORTS: &str = "exports";

/// One exported file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFile {
    /// Its path inside the folder of exports.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Changes when the file does.
    pub version: String,
    /// When it changed last, in milliseconds since 1970.
    pub modified: u64,
}

impl Store {
    /// Every exported file, by path.
    ///
    /// # Errors
    /// [`StoreError::Read`] or [`StoreError::Unreachable`].
    pub async fn exports(&self) -> Result<Vec<ExportedFile>, StoreError> {
        let prefix = Path::from(EXPORTS);
        let listed: Result<Vec<_>, _> = self.objects.list(Some(&prefix)).try_collect().await;
        let listed = listed.map_err(|source| self.unread(prefix.as_ref(), source))?;
        let mut files: Vec<_> = listed.iter().filter_map(exported).filter(|file| is_whole(&file.path)).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// One exported file; `None` when there is none of that path.
    ///
    /// # Errors
    /// [`StoreError::Read`] or [`StoreError::Unreachable`].
    pub async fn export(&self, path: &str) -> Result<Option<ExportedFile>, StoreError> {
        let Some(place) = place(path) else { return Ok(None) };
        match self.objects.get_opts(&place, GetOptions { head: true, ..GetOptions::default() }).await {
            Ok(found) => Ok(exported(&found.meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.unread(place.as_ref(), source)),
        }
    }

    /// Some bytes of an exported file, piece by piece.
    ///
    /// # Errors
    /// [`StoreError::Read`] or [`StoreError::Unreachable`], also in the middle.
    pub async fn read_export(
        &self,
        path: &str,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, StoreError>> + Send + use<>, StoreError> {
        let place = place(path).unwrap_or_default();
        if matches!(self.place, DataLocation::Bucket { .. }) {
            return Ok(self.pieces(place, range).left_stream());
        }
        let failed = move |source| StoreError::Read { path: format!("{EXPORTS}/…"), source };
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.objects.get_opts(&place, options).await.map_err(failed)?;
        Ok(found.into_stream().map(move |piece| piece.map_err(failed)).right_stream())
    }
}

/// Files being written have a name of their own; nobody should read half of one.
fn is_whole(path: &str) -> bool {
    !path.ends_with(".part")
}

/// `None` for a path that leaves the folder, or is spelt in another way than its own.
fn place(path: &str) -> Option<Path> {
    let parsed =
        Path::parse(path).ok().filter(|parsed| parsed.as_ref() == path && is_whole(path) && !path.is_empty())?;
    Some(Path::from(format!("{EXPORTS}/{parsed}")))
}

fn exported(meta: &object_store::ObjectMeta) -> Option<ExportedFile> {
    let path = meta.location.as_ref().strip_prefix(EXPORTS)?.strip_prefix('/')?.to_owned();
    let version = format!("{} {:?}", meta.size, meta.last_modified);
    let modified = u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0);
    Some(ExportedFile { path, bytes: meta.size, version, modified })
}
