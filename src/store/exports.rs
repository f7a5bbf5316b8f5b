//! Exports: files made for other loaders, beside the groups.
//!
//! ```text
//! exports/hf-parquet/default/9f2c41d07be3a865/train-00000-of-00002.parquet
//! exports/hf-parquet/default/9f2c41d07be3a865/export.json      lists the files; written last
//! ```
//!
//! The folder of an export is named after a digest of its files, so a URL never changes its bytes. A new export becomes
//! visible with its manifest, and its predecessor is removed after that: readers of the predecessor get its bytes or 404.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{DataLocation, Store, StoreError};

/// Folder of all exports.
const EXPORTS: &str = "exports";

/// Lists the files of an export.
pub const MANIFEST: &str = "export.json";

/// Ending of names that belong to unfinished files and folders.
const PART: &str = ".part";

/// A folder without manifest is in the making as long as something in it changed this recently.
const UNFINISHED_TIME: Duration = Duration::from_secs(3600);

/// What an export is, and which files it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportManifest {
    /// Name of the format.
    pub format: String,
    /// Name among the exports of the format.
    pub name: String,
    /// Digest of the files, hexadecimal: see [`ExportManifest::digest`].
    pub id: String,
    /// Revision of the data that the files were made from.
    pub revision: u64,
    /// Rendering parameters, as in a query; the format's own if there are none.
    pub render: String,
    /// Everything else that the files were made from: options, and the version of the program.
    pub options: String,
    /// When it was finished, in milliseconds since 1970.
    pub created: u64,
    /// The files, by path.
    pub files: Vec<ManifestFile>,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Path inside the export.
    pub path: String,
    /// Length.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

impl ManifestFile {
    /// Whether the digest is one.
    fn is_valid(&self) -> bool {
        self.sha256.len() == 64 && self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

impl ExportManifest {
    /// Digest of these files' paths and contents.
    #[must_use]
    pub fn digest(files: &[ManifestFile]) -> String {
        let mut hash = Sha256::new();
        for ManifestFile { path, bytes, sha256 } in files {
            hash.update(format!("{path}\n{bytes} {sha256}\n"));
        }
        hex::encode(&hash.finalize()[..8])
    }

    /// The folder of all exports of this format and name, inside the folder of exports.
    fn family(&self) -> String {
        format!("{}/{}", self.format, self.name)
    }

    /// Path of one of its files, inside the folder of exports.
    #[must_use]
    pub fn path_of(&self, file: &str) -> String {
        format!("{}/{}/{file}", self.family(), self.id)
    }
}

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
    /// The newest export of every format and name, in their order.
    ///
    /// # Errors
    /// [`StoreError::Read`] or [`StoreError::Unreachable`].
    pub async fn exports(&self) -> Result<Vec<ExportManifest>, StoreError> {
        let mut newest = BTreeMap::new();
        for (path, _) in self.export_files("").await? {
            let Some(manifest) = self.manifest(&path).await? else { continue };
            let key = (manifest.format.clone(), manifest.name.clone());
            let known = newest.entry(key).or_insert_with(|| manifest.clone());
            if (manifest.created, &manifest.id) > (known.created, &known.id) {
                *known = manifest;
            }
        }
        Ok(newest.into_values().collect())
    }

    /// The manifest at a path; `None` for anything else, and for one that is just being removed.
    async fn manifest(&self, path: &str) -> Result<Option<ExportManifest>, StoreError> {
        let segments: Vec<_> = path.split('/').collect();
        let [format, name, id, MANIFEST] = segments[..] else { return Ok(None) };
        if id.ends_with(PART) {
            return Ok(None);
        }
        let location = Path::from(format!("{EXPORTS}/{path}"));
        let bytes = match self.objects.get_opts(&location, GetOptions::default()).await {
            Ok(found) => found.bytes().await,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => Err(source),
        };
        let bytes = bytes.map_err(|source| self.unread(path, source))?;
        let read: Option<ExportManifest> = serde_json::from_slice(&bytes).ok();
        let is_of_path = |found: &ExportManifest| [&*found.format, &*found.name, &*found.id] == [format, name, id];
        let manifest = read.filter(|found| is_of_path(found) && found.files.iter().all(ManifestFile::is_valid));
        if manifest.is_none() {
            tracing::warn!(path, "not a manifest of an export; the folder is ignored");
        }
        Ok(manifest)
    }

    /// Path inside the folder of exports, and time of the last change, of every file under a folder in it.
    async fn export_files(&self, folder: &str) -> Result<Vec<(String, SystemTime)>, StoreError> {
        let prefix = Path::from(format!("{EXPORTS}/{folder}"));
        let listed: Result<Vec<_>, _> = self.objects.list(Some(&prefix)).try_collect().await;
        let listed = listed.map_err(|source| self.unread(prefix.as_ref(), source))?;
        let inside = |meta: object_store::ObjectMeta| {
            let path = meta.location.as_ref().strip_prefix(EXPORTS)?.strip_prefix('/')?.to_owned();
            Some((path, SystemTime::from(meta.last_modified)))
        };
        Ok(listed.into_iter().filter_map(inside).collect())
    }

    /// One exported file; `None` when there is none of that path.
    ///
    /// # Errors
    /// [`StoreError::Read`] or [`StoreError::Unreachable`].
    pub async fn export(&self, path: &str) -> Result<Option<ExportedFile>, StoreError> {
        let Some(location) = location(path) else { return Ok(None) };
        match self.objects.get_opts(&location, GetOptions { head: true, ..GetOptions::default() }).await {
            Ok(found) => Ok(Some(exported(path, &found.meta))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.unread(location.as_ref(), source)),
        }
    }

    /// Some bytes of an exported file, piece by piece; `None` when it was removed meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Read`] or [`StoreError::Unreachable`], also in the middle.
    pub async fn read_export(
        &self,
        path: &str,
        range: Range<u64>,
    ) -> Result<Option<impl Stream<Item = Result<Bytes, StoreError>> + Send + use<>>, StoreError> {
        let location = location(path).unwrap_or_default();
        if matches!(self.place, DataLocation::Bucket { .. }) {
            return Ok(Some(self.pieces(location, range).left_stream()));
        }
        let failed = move |source| StoreError::Read { path: format!("{EXPORTS}/…"), source };
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        match self.objects.get_opts(&location, options).await {
            // The file stays open, and readable when it is removed.
            Ok(found) => Ok(Some(found.into_stream().map(move |piece| piece.map_err(failed)).right_stream())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed(source)),
        }
    }

    /// Where to make an export of this format and name so that [`Store::publish_export`] has nothing to copy; `None` for a
    /// store that files are uploaded to.
    #[must_use]
    pub fn export_workplace(&self, format: &str, name: &str) -> Option<PathBuf> {
        let DataLocation::Folder(folder) = &self.place else { return None };
        let unique = format!("{}-{:08x}{PART}", std::process::id(), fastrand::u32(..));
        Some(folder.join(EXPORTS).join(format).join(name).join(unique))
    }

    /// Makes a finished export visible, which lies in `folder` with its manifest, and then removes its predecessors.
    ///
    /// # Errors
    /// [`StoreError`]; what was visible before is still, or the new export is.
    pub async fn publish_export(&self, folder: &FsPath, manifest: &ExportManifest) -> Result<(), StoreError> {
        if let DataLocation::Folder(data) = &self.place {
            let pending = self.begin_writes()?;
            let to = data.join(EXPORTS).join(manifest.family()).join(&manifest.id);
            move_into_place(folder, &to).map_err(|source| StoreError::Local { path: folder.to_owned(), source })?;
            pending.sync()?;
        } else {
            let files = manifest.files.iter().map(|file| &*file.path).chain([MANIFEST]);
            for file in files {
                let path = format!("{EXPORTS}/{}", manifest.path_of(file));
                self.upload(&folder.join(file), &path).await?;
            }
        }
        self.remove_predecessors(manifest).await
    }

    /// Removes the other exports of the same format and name, and what attempts left that did not come to their end.
    async fn remove_predecessors(&self, current: &ExportManifest) -> Result<(), StoreError> {
        let family = current.family();
        let mut others: BTreeMap<String, Vec<(String, SystemTime)>> = BTreeMap::new();
        for (path, modified) in self.export_files(&family).await? {
            let folder = path[family.len()..].trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
            others.entry(folder).or_default().push((path, modified));
        }
        others.remove(&current.id);
        for (folder, mut files) in others {
            let is_manifest = |path: &str| path.ends_with(&format!("/{MANIFEST}"));
            let is_finished = !folder.ends_with(PART) && files.iter().any(|(path, _)| is_manifest(path));
            let age = |modified: &SystemTime| modified.elapsed().unwrap_or_default();
            if !is_finished && files.iter().any(|(_, modified)| age(modified) < UNFINISHED_TIME) {
                continue;
            }
            // An export without manifest is not listed any more.
            files.sort_by_key(|(path, _)| !is_manifest(path));
            for (path, _) in files {
                self.delete(&format!("{EXPORTS}/{path}")).await?;
            }
        }
        Ok(())
    }
}

/// Renames a finished folder. One with the same name has the same files, and needs the new manifest alone.
fn move_into_place(folder: &FsPath, to: &FsPath) -> std::io::Result<()> {
    if !to.exists() {
        return std::fs::rename(folder, to);
    }
    std::fs::rename(folder.join(MANIFEST), to.join(MANIFEST))?;
    std::fs::remove_dir_all(folder)
}

/// `None` for a path that leaves the folder, is spelt in another way than its own, or belongs to something unfinished.
fn location(path: &str) -> Option<Path> {
    let is_unfinished = path.split('/').any(|segment| segment.ends_with(PART));
    let parsed = Path::parse(path).ok().filter(|parsed| parsed.as_ref() == path && !is_unfinished && !path.is_empty());
    Some(Path::from(format!("{EXPORTS}/{}", parsed?)))
}

fn exported(path: &str, meta: &object_store::ObjectMeta) -> ExportedFile {
    let version = format!("{} {:?}", meta.size, meta.last_modified);
    let modified = u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0);
    ExportedFile { path: path.to_owned(), bytes: meta.size, version, modified }
}
