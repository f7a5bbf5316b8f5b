//! Where a release is read from: a folder with `images/` and `masks/`, or with `images.zip` and `masks.zip`, which are
//! read without unpacking, and the two tables.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use zip::ZipArchive;

use crate::spider::ScanId;

/// Name of the table of scans.
pub const OVERVIEW: &str = "overview.csv";
/// Name of the table of gradings.
pub const GRADINGS: &str = "radiological_gradings.csv";

/// A release, listed but not yet read.
#[derive(Debug)]
pub struct Source {
    /// Contents of overview.csv.
    pub overview: Vec<u8>,
    /// Contents of radiological_gradings.csv.
    pub gradings: Vec<u8>,
    /// Images by scan.
    pub images: BTreeMap<ScanId, SourceFile>,
    /// Masks by scan.
    pub masks: BTreeMap<ScanId, SourceFile>,
    /// Files among the images and masks whose names are not those of scans.
    pub ignored: Vec<String>,
}

/// One file of a release, on its own or in an archive.
#[derive(Debug, Clone)]
pub struct SourceFile {
    path: PathBuf,
    member: Option<String>,
    bytes: u64,
    /// Changes when the file does: modification time, or the archive's CRC-32.
    stamp: u64,
}

/// A source cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Something could not be read.
    #[error("could not read {path}")]
    Read {
        /// What.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// An archive is not one.
    #[error("could not read {path} as a zip archive; download it again")]
    Archive {
        /// Which.
        path: String,
        /// Why.
        source: zip::result::ZipError,
    },
    /// A table is missing.
    #[error("there is no {table} in {folder}; a release has it beside its images and masks (Zenodo record 10159290)")]
    NoTable {
        /// Which table.
        table: &'static str,
        /// Where it was looked for.
        folder: String,
    },
    /// Images or masks are missing altogether.
    #[error("there is neither a folder {kind} nor {kind}.zip in {folder}; SOURCE must be laid out like the release")]
    NoVolumes {
        /// `images` or `masks`.
        kind: &'static str,
        /// Where they were looked for.
        folder: String,
    },
    /// Two files claim to be the same scan.
    #[error("{kind} has {scan} twice: {first} and {second}; keep one")]
    Twice {
        /// `images` or `masks`.
        kind: &'static str,
        /// Which scan.
        scan: ScanId,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
}

impl Source {
    /// Lists a release. Reads the two tables and the archives' directories, and nothing else.
    ///
    /// # Errors
    /// [`SourceError`] when a table or all images or masks are missing, or something cannot be read.
    pub fn open(folder: &Path) -> Result<Self, SourceError> {
        let overview = table(folder, OVERVIEW)?;
        let gradings = table(folder, GRADINGS)?;
        let mut ignored = Vec::new();
        let images = volumes(folder, "images", &mut ignored)?;
        let masks = volumes(folder, "masks", &mut ignored)?;
        Ok(Self { overview, gradings, images, masks, ignored })
    }
}

impl SourceFile {
    /// Reads the whole file.
    ///
    /// # Errors
    /// [`SourceError`] naming the file.
    pub fn read(&self) -> Result<Vec<u8>, SourceError> {
        let bytes = self.read_start(usize::MAX)?;
        if bytes.len() as u64 == self.bytes {
            Ok(bytes)
        } else {
            Err(self.unreadable(io::Error::other(
                "its length changed while it was read, or is not the one its archive announces",
            )))
        }
    }

    /// Reads at most the first `most` bytes.
    ///
    /// # Errors
    /// [`SourceError`] naming the file.
    pub fn read_start(&self, most: usize) -> Result<Vec<u8>, SourceError> {
        // One byte more than announced shows a file that is longer.
        let most = (most as u64).min(self.bytes.saturating_add(1));
        let mut bytes = Vec::new();
        let read = match &self.member {
            None => File::open(&self.path).and_then(|file| file.take(most).read_to_end(&mut bytes)),
            Some(member) => {
                let mut archive = open_archive(&self.path)?;
                let file =
                    archive.by_name(member).map_err(|source| SourceError::Archive { path: self.name(), source })?;
                file.take(most).read_to_end(&mut bytes)
            }
        };
        read.map_err(|source| self.unreadable(source))?;
        Ok(bytes)
    }

    /// The file's name for people: its path, and its name in the archive.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.member {
            None => self.path.display().to_string(),
            Some(member) => format!("{}:{member}", self.path.display()),
        }
    }

    /// A text that changes when the file changes.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let kind = if self.member.is_some() { "zip" } else { "file" };
        format!("{kind}:{}:{:x}", self.bytes, self.stamp)
    }

    /// Length of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn unreadable(&self, source: io::Error) -> SourceError {
        SourceError::Read { path: self.name(), source }
    }
}

fn table(folder: &Path, table: &'static str) -> Result<Vec<u8>, SourceError> {
    let path = folder.join(table);
    fs::read(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SourceError::NoTable { table, folder: folder.display().to_string() },
        _ => SourceError::Read { path: path.display().to_string(), source },
    })
}

fn volumes(
    folder: &Path,
    kind: &'static str,
    ignored: &mut Vec<String>,
) -> Result<BTreeMap<ScanId, SourceFile>, SourceError> {
    let (plain, archive) = (folder.join(kind), folder.join(format!("{kind}.zip")));
    let files = match (plain.is_dir(), archive.is_file()) {
        (true, _) => files_of_folder(&plain)?,
        (false, true) => files_of_archive(&archive)?,
        (false, false) => return Err(SourceError::NoVolumes { kind, folder: folder.display().to_string() }),
    };
    let mut volumes = BTreeMap::<ScanId, SourceFile>::new();
    for file in files {
        let Some(scan) = scan_of(&file) else {
            ignored.push(file.name());
            continue;
        };
        if let Some(first) = volumes.get(&scan) {
            return Err(SourceError::Twice { kind, scan, first: first.name(), second: file.name() });
        }
        volumes.insert(scan, file);
    }
    Ok(volumes)
}

/// `images/5_t2_SPACE.mha` → 5_t2_SPACE.
fn scan_of(file: &SourceFile) -> Option<ScanId> {
    let path = file.member.as_deref().map_or(file.path.as_path(), Path::new);
    path.file_name()?.to_str()?.strip_suffix(".mha")?.parse().ok()
}

fn files_of_folder(folder: &Path) -> Result<Vec<SourceFile>, SourceError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| SourceError::Read { path, source }
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let metadata = fs::metadata(&path).map_err(failed(&path))?;
        if metadata.is_file() {
            let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let stamp = modified.map_or(0, |since| since.as_nanos() as u64);
            files.push(SourceFile { path, member: None, bytes: metadata.len(), stamp });
        }
    }
    Ok(files)
}

fn files_of_archive(path: &Path) -> Result<Vec<SourceFile>, SourceError> {
    let mut archive = open_archive(path)?;
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let failed = |source| SourceError::Archive { path: path.display().to_string(), source };
        let member = archive.by_index_raw(index).map_err(failed)?;
        let name = member.name().map_err(failed)?.into_owned();
        // macOS adds shadow copies of the names that hold no volumes.
        if member.is_file() && !name.starts_with("__MACOSX/") {
            let (bytes, stamp) = (member.size(), u64::from(member.crc32()));
            files.push(SourceFile { path: path.to_owned(), member: Some(name), bytes, stamp });
        }
    }
    Ok(files)
}

fn open_archive(path: &Path) -> Result<ZipArchive<io::BufReader<File>>, SourceError> {
    let file = File::open(path).map_err(|source| SourceError::Read { path: path.display().to_string(), source })?;
    ZipArchive::new(io::BufReader::new(file))
        .map_err(|source| SourceError::Archive { path: path.display().to_string(), source })
}
