//! Where a release is read from: a folder with the two tables, and with `images/` and `masks/`, or with `images.zip` and
//! `masks.zip`, which are read without unpacking.

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

/// Folders inside `images/` and `masks/` that are looked into, one in the other: archives that were unpacked inside a folder of the
/// same name have one.
const DEEPEST: usize = 3;

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
    /// Files and folders that are not read: those not named like scans by name alone, others with the reason.
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
    /// There are tables and nothing else.
    #[error(
        "there is no scan among the images and masks in {folder}; scans are files named like 5_t2_SPACE.mha, in images/ and masks/ \
         or in images.zip and masks.zip{}",
        found(.ignored)
    )]
    Nothing {
        /// Where they were looked for.
        folder: String,
        /// What was found instead.
        ignored: Vec<String>,
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

/// The first few of what was found instead.
fn found(ignored: &[String]) -> String {
    let first: Vec<_> = ignored.iter().take(3).map(String::as_str).collect();
    if first.is_empty() { String::new() } else { format!(" (found instead: {})", first.join(", ")) }
}

impl Source {
    /// Lists a release that has volumes, and not only its tables.
    ///
    /// # Errors
    /// [`SourceError`], as of [`Source::open`], and [`SourceError::Nothing`].
    pub fn open_with_volumes(folder: &Path) -> Result<Self, SourceError> {
        let source = Self::open(folder)?;
        if source.images.is_empty() && source.masks.is_empty() {
            return Err(SourceError::Nothing { folder: folder.display().to_string(), ignored: source.ignored });
        }
        Ok(source)
    }

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

/// Images or masks as one folder or archive has them.
#[derive(Debug, Default)]
struct Listed {
    volumes: BTreeMap<ScanId, SourceFile>,
    ignored: Vec<String>,
}

/// Lists the folder or the archive of a kind: whichever holds more scans, if both are there.
fn volumes(folder: &Path, kind: &'static str, ignored: &mut Vec<String>) -> Result<Volumes, SourceError> {
    let (plain, archive) = (folder.join(kind), folder.join(format!("{kind}.zip")));
    let in_folder = plain.is_dir().then(|| list_folder(&plain, kind)).transpose()?;
    let in_archive = archive.is_file().then(|| list_archive(&archive, kind));
    let chosen = match (in_folder, in_archive) {
        (None, None) => return Err(SourceError::NoVolumes { kind, folder: folder.display().to_string() }),
        (Some(listed), None) => listed,
        (None, Some(listed)) => listed?,
        (Some(listed), Some(Err(error))) => {
            if listed.volumes.is_empty() {
                return Err(error);
            }
            ignored.push(format!("{}: it cannot be read; {kind}/ is read instead", archive.display()));
            listed
        }
        (Some(in_folder), Some(Ok(in_archive))) => {
            let (files, members) = (in_folder.volumes.len(), in_archive.volumes.len());
            if files >= members {
                ignored.push(format!("{}: {members} scans; {kind}/, with {files}, is read instead", archive.display()));
                in_folder
            } else {
                ignored
                    .push(format!("{}: {files} scans; {kind}.zip, with {members}, is read instead", plain.display()));
                in_archive
            }
        }
    };
    ignored.extend(chosen.ignored);
    Ok(chosen.volumes)
}

type Volumes = BTreeMap<ScanId, SourceFile>;

fn list_archive(archive: &Path, kind: &'static str) -> Result<Listed, SourceError> {
    let mut listed = Listed::default();
    for file in files_of_archive(archive)? {
        let Some(scan) = scan_of(&file) else {
            listed.ignored.push(file.name());
            continue;
        };
        if let Some(first) = listed.volumes.get(&scan) {
            return Err(SourceError::Twice { kind, scan, first: first.name(), second: file.name() });
        }
        listed.volumes.insert(scan, file);
    }
    Ok(listed)
}

/// Of a scan that is there twice the file in the outer folder is taken.
fn list_folder(folder: &Path, kind: &'static str) -> Result<Listed, SourceError> {
    let mut listed = Listed::default();
    let mut files = Vec::new();
    list_files(folder, 0, &mut files, &mut listed.ignored)?;
    files.sort_by_key(|(depth, _)| *depth);
    let mut depths = BTreeMap::new();
    for (depth, file) in files {
        let Some(scan) = scan_of(&file) else {
            listed.ignored.push(file.name());
            continue;
        };
        match listed.volumes.get(&scan) {
            Some(first) if depths.get(&scan) == Some(&depth) => {
                return Err(SourceError::Twice { kind, scan, first: first.name(), second: file.name() });
            }
            Some(first) => listed.ignored.push(format!("{}: {} is read instead", file.name(), first.name())),
            None => {
                depths.insert(scan, depth);
                listed.volumes.insert(scan, file);
            }
        }
    }
    Ok(listed)
}

/// `images/5_t2_SPACE.mha` → 5_t2_SPACE.
fn scan_of(file: &SourceFile) -> Option<ScanId> {
    let path = file.member.as_deref().map_or(file.path.as_path(), Path::new);
    path.file_name()?.to_str()?.strip_suffix(".mha")?.parse().ok()
}

/// The files below a folder, each with the number of folders that it is in. What cannot be read is named, and does not keep the
/// rest from being read.
fn list_files(
    folder: &Path,
    depth: usize,
    files: &mut Vec<(usize, SourceFile)>,
    ignored: &mut Vec<String>,
) -> Result<(), SourceError> {
    let failed = |source| SourceError::Read { path: folder.display().to_string(), source };
    let mut paths: Vec<_> = fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()
        .map_err(failed)?;
    paths.sort();
    for path in paths {
        let named = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let is_link = path.is_symlink();
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if is_link => {
                ignored.push(named(&format!("a link that leads nowhere ({error})")));
                continue;
            }
            Err(error) => {
                ignored.push(named(&error));
                continue;
            }
        };
        if metadata.is_file() {
            let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let stamp = modified.map_or(0, |since| since.as_nanos() as u64);
            files.push((depth, SourceFile { path, member: None, bytes: metadata.len(), stamp }));
        } else if !metadata.is_dir() {
            ignored.push(named(&"neither a file nor a folder"));
        } else if is_link || depth == DEEPEST {
            ignored.push(named(&"a folder that is linked or nested too deep"));
        } else if path.file_name().is_none_or(|name| name != "__MACOSX")
            && let Err(error) = list_files(&path, depth + 1, files, ignored)
        {
            ignored.push(error.to_string());
        }
    }
    Ok(())
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
