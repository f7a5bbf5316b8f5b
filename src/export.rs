//! Files for other loaders. An export is made of the bundles and renderings that the server sends. What the index says is read
//! first, in one transaction, and voxels are named after their contents, so that an export is of one revision of the data. An
//! import in between ends it.
//!
//! The files of an export are written into a folder of their own, which becomes visible when it is whole
//! ([`crate::store::Store::publish_export`], or [`folder::replace`] for a folder that a user names).

pub mod folder;
mod hugging_face;
mod nnunet;
mod webdataset;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::bundles::{Bundle, SampleCache, StreamSource};
use crate::formats::nifti::SideTooLong;
use crate::formats::parquet::EncodeError;
use crate::index::{IndexError, ScanRow};
use crate::params::ParameterError;
use crate::renderer::{Renderer, RendererError, Snapshot};
use crate::spider::{ScanType, Split};
use crate::store::{ExportManifest, MANIFEST, ManifestFile};

/// Memory for what samples say of their scans.
const SAMPLES_BYTES: u64 = 16 << 20;

/// The loader that an export is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Parquet with the features of the published edition, for Hugging Face `datasets`.
    HfParquet,
    /// Tar archives of samples, for `webdataset`.
    WebDataset,
    /// A raw data set for nnU-Net.
    Nnunet,
}

impl ExportFormat {
    /// Name of the format, and of its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HfParquet => crate::formats::hugging_face::FORMAT,
            Self::WebDataset => "webdataset",
            Self::Nnunet => "nnunet",
        }
    }
}

/// What is exported, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOptions {
    /// The loader.
    pub format: ExportFormat,
    /// Name among the exports of the format.
    pub name: String,
    /// Rendering parameters, as in a query: `size=256&window=auto`.
    pub render: String,
    /// URL of the service for those who read the files.
    pub url: String,
    /// Approximate bytes of a shard.
    pub shard_bytes: u64,
    /// Only scans of these types; of all when there are none.
    pub scan_types: Vec<ScanType>,
    /// Scans of each split at most; Parquet only.
    pub scans_per_split: Option<usize>,
}

impl ExportOptions {
    /// The name of an export whose name is not given: `default`, or a short form of its options, such as `256x256`.
    #[must_use]
    pub fn default_name(format: ExportFormat, render: &str, scan_types: &[ScanType]) -> String {
        let pairs = render.split('&').filter(|pair| !pair.is_empty());
        // With the edition's preset, the size alone tells two renditions apart.
        let is_edition = format == ExportFormat::HfParquet && pairs.clone().any(|pair| pair == "preset=hf");
        let mut parts: Vec<String> = pairs.filter(|pair| !(is_edition && *pair == "preset=hf")).map(slug).collect();
        if let ([one], true) = (parts.as_slice(), is_edition) {
            let size = one.strip_prefix("size-").filter(|size| size.bytes().all(|byte| byte.is_ascii_digit()));
            parts = vec![size.map_or_else(|| one.clone(), |size| format!("{size}x{size}"))];
        }
        parts.extend(scan_types.iter().map(ScanType::to_string));
        if parts.is_empty() { "default".to_owned() } else { parts.join("-") }
    }

    /// Everything that the files depend on besides the data.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("{} {self:?}", env!("CARGO_PKG_VERSION"))
    }
}

/// Whether a text can name an export: a part of paths and of URLs.
#[must_use]
pub fn is_valid_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !name.is_empty() && name.len() <= 64 && name.bytes().all(is_plain)
}

/// `size=256` → `size-256`.
fn slug(pair: &str) -> String {
    pair.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
}

/// An export failed. What was visible before stays.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file could not be written.
    #[error("could not write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A rendering parameter does not exist, or its value is not valid.
    #[error("--render {render}: {source}")]
    Render {
        /// The parameters.
        render: String,
        /// What is wrong with them.
        #[source]
        source: ParameterError,
    },
    /// The format has no rendering parameters.
    #[error("--format nnunet exports voxels as acquired and takes no --render; leave it out")]
    RenderNnunet,
    /// The data are not those any more that the export began with.
    #[error("an import changed the data while they were exported; export again")]
    Changed,
    /// A slice could not be rendered.
    #[error(transparent)]
    Renderer(#[from] RendererError),
    /// The index could not be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A rendering parameter of the export's own does not fit.
    #[error("{}", .0.message)]
    Parameter(#[from] ParameterError),
    /// A scan is too large for NIfTI.
    #[error(transparent)]
    Nifti(#[from] SideTooLong),
    /// The folder that the user named holds something else than an export.
    #[error(transparent)]
    Folder(#[from] folder::FolderError),
    /// A shard could not be encoded.
    #[error("could not encode a shard")]
    Encode(#[from] EncodeError),
}

/// Writes an export of everything that is imported, with its manifest, into an empty folder. `on_file` is called with the path
/// and the length of each finished file.
///
/// # Errors
/// [`ExportError`].
pub async fn run(
    renderer: &Arc<Renderer>,
    options: &ExportOptions,
    to: &Path,
    on_file: &(dyn Fn(&str, u64) + Sync),
) -> Result<ExportManifest, ExportError> {
    let snapshot = renderer.snapshot().await?;
    let (renderer, catalogue) = (Arc::clone(renderer), Arc::clone(&snapshot.catalogue));
    let source = StreamSource { renderer, catalogue, samples: Arc::new(SampleCache::new(SAMPLES_BYTES)) };
    let export = Export { source, options, to, on_file, files: Mutex::default() };
    match options.format {
        ExportFormat::HfParquet => hugging_face::export(&export, snapshot).await?,
        ExportFormat::WebDataset => webdataset::export(&export, snapshot).await?,
        ExportFormat::Nnunet => nnunet::export(&export, snapshot).await?,
    }
    if export.source.renderer.snapshot().await?.catalogue.revision != export.source.catalogue.revision {
        return Err(ExportError::Changed);
    }
    export.write_manifest().await
}

struct Export<'a> {
    source: StreamSource,
    options: &'a ExportOptions,
    to: &'a Path,
    on_file: &'a (dyn Fn(&str, u64) + Sync),
    files: Mutex<Vec<ManifestFile>>,
}

impl Export<'_> {
    /// The scans to export that are in a split, with it, in their natural order.
    async fn scans(&self, snapshot: &Snapshot) -> Result<Vec<(ScanRow, Split)>, ExportError> {
        let types = &self.options.scan_types;
        let mut scans = Vec::new();
        for scan in snapshot.catalogue.scan_ids() {
            if types.is_empty() || types.contains(&scan.scan_type) {
                let row = snapshot.index.scan(scan).await?;
                scans.extend(row.and_then(|row| row.split.map(|split| (row, split))));
            }
        }
        Ok(scans)
    }

    /// Writes a bundle as a file, without holding it in memory.
    async fn save(&self, bundle: &Bundle, name: &str) -> Result<(), ExportError> {
        let (mut chunks, mut file) = (bundle.chunks(), NewFile::create(&self.to.join(name)).await?);
        while let Some(chunk) = chunks.try_next().await? {
            file.write(&chunk).await?;
        }
        self.finished(name, file.finish().await?);
        Ok(())
    }

    /// Writes bytes as a file.
    async fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let written = self.write_aside(name, bytes).await?;
        self.finished(name, written);
        Ok(())
    }

    /// Writes bytes under a name that is not the file's own yet.
    async fn write_aside(&self, name: &str, bytes: &[u8]) -> Result<Written, ExportError> {
        let mut file = NewFile::create(&self.to.join(name)).await?;
        file.write(bytes).await?;
        file.finish().await
    }

    /// Gives a file that was written aside its own name.
    async fn rename(&self, aside: &str, name: &str, written: Written) -> Result<(), ExportError> {
        let path = self.to.join(name);
        let renamed = tokio::fs::rename(self.to.join(aside), &path).await;
        renamed.map_err(|source| ExportError::Write { path, source })?;
        self.finished(name, written);
        Ok(())
    }

    fn finished(&self, name: &str, Written { bytes, sha256 }: Written) {
        (self.on_file)(name, bytes);
        let file = ManifestFile { path: name.to_owned(), bytes, sha256 };
        self.files.lock().unwrap_or_else(PoisonError::into_inner).push(file);
    }

    async fn write_manifest(self) -> Result<ExportManifest, ExportError> {
        let mut files = std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner));
        files.sort();
        let created = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let manifest = ExportManifest {
            format: self.options.format.name().to_owned(),
            name: self.options.name.clone(),
            id: ExportManifest::digest(&files),
            revision: self.source.catalogue.revision,
            render: self.options.render.clone(),
            options: self.options.fingerprint(),
            created: u64::try_from(created.as_millis()).unwrap_or_default(),
            files,
        };
        let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
        self.write_aside(MANIFEST, &text).await?;
        Ok(manifest)
    }
}

/// Length and SHA-256 of a written file.
struct Written {
    bytes: u64,
    sha256: String,
}

/// A file that is being written.
struct NewFile {
    path: PathBuf,
    file: tokio::fs::File,
    hash: Sha256,
    bytes: u64,
}

impl NewFile {
    async fn create(path: &Path) -> Result<Self, ExportError> {
        let created = async {
            if let Some(folder) = path.parent() {
                tokio::fs::create_dir_all(folder).await?;
            }
            tokio::fs::File::create(path).await
        };
        let path = path.to_owned();
        match created.await {
            Ok(file) => Ok(Self { path, file, hash: Sha256::new(), bytes: 0 }),
            Err(source) => Err(ExportError::Write { path, source }),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
        self.file.write_all(bytes).await.map_err(|source| ExportError::Write { path: self.path.clone(), source })
    }

    async fn finish(mut self) -> Result<Written, ExportError> {
        let synced = async {
            self.file.flush().await?;
            self.file.sync_all().await
        };
        synced.await.map_err(|source| ExportError::Write { path: self.path.clone(), source })?;
        let sha256 = hex::encode(self.hash.finalize());
        Ok(Written { bytes: self.bytes, sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_renditions_apart() {
        use ExportFormat::{HfParquet, WebDataset};
        for (format, render, scan_types, name) in [
            (HfParquet, "", &[][..], "default"),
            (HfParquet, "preset=hf", &[], "default"),
            (HfParquet, "preset=hf&size=256", &[], "256x256"),
            (HfParquet, "size=256", &[], "size-256"),
            (HfParquet, "preset=hf&size=native", &[], "size-native"),
            (HfParquet, "", &[ScanType::T1, ScanType::T2Space], "t1-t2_SPACE"),
            (WebDataset, "size=64&window=40,400", &[], "size-64-window-40-400"),
        ] {
            let found = ExportOptions::default_name(format, render, scan_types);
            assert_eq!(found, name, "{render}");
            assert!(is_valid_name(&found), "{found}");
        }
        for name in ["", "a/b", "..", "a.part", "a b", "ä", &"a".repeat(65)] {
            assert!(!is_valid_name(name), "{name}");
        }
    }
}
