use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use moka::sync::Cache;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::card;
use crate::formats::hugging_face::FORMAT;
use crate::store::{ExportManifest, Store, StoreError};

/// Revisions that are remembered.
const REMEMBERED: u64 = 4;

/// Bytes of the pointer file that Git has in place of a large file: the same for every file, roughly.
const POINTER_BYTES: u64 = 134;

/// Digits of a Git commit or object.
const COMMIT_DIGITS: usize = 40;

/// Recent revisions by name, so that reading many parts of a file does not list the exports each time.
pub(in crate::http) type Repositories = Cache<String, Arc<Repository>>;

/// The exports for Hugging Face `datasets`, as the Hub would have them: a folder for each, and the card.
#[derive(Debug)]
pub(in crate::http) struct Repository {
    /// Digest of all files: the revision.
    pub(super) sha: String,
    /// When the newest export was finished, in milliseconds since 1970.
    modified: u64,
    /// By path.
    pub(super) files: BTreeMap<String, RepositoryFile>,
}

#[derive(Debug)]
pub(super) struct RepositoryFile {
    pub(super) bytes: u64,
    sha256: String,
    pub(super) contents: FileContents,
}

#[derive(Debug)]
pub(super) enum FileContents {
    /// `README.md`.
    Readme(Bytes),
    /// Path of an exported file.
    Export(String),
}

/// A file or a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entry<'a> {
    Folder(&'a str),
    File(&'a str),
}

/// No revision is known yet.
pub(in crate::http) fn repositories() -> Repositories {
    Cache::new(REMEMBERED)
}

impl Repository {
    /// What is exported now; `None` when nothing is.
    pub(super) async fn read(store: &Store) -> Result<Option<Self>, StoreError> {
        let exports = store.exports().await?;
        let exports: Vec<_> = exports.into_iter().filter(|export| export.format == FORMAT).collect();
        Ok((!exports.is_empty()).then(|| Self::of(&exports)))
    }

    fn of(exports: &[ExportManifest]) -> Self {
        let mut files = BTreeMap::new();
        for export in exports {
            for file in &export.files {
                let contents = FileContents::Export(export.path_of(&file.path));
                let found = RepositoryFile { bytes: file.bytes, sha256: file.sha256.clone(), contents };
                files.insert(format!("{}/{}", export.name, file.path), found);
            }
        }
        let readme = Bytes::from(card::readme(exports));
        let (bytes, sha256) = (readme.len() as u64, hex::encode(Sha256::digest(&readme)));
        files.insert("README.md".to_owned(), RepositoryFile { bytes, sha256, contents: FileContents::Readme(readme) });
        let mut hash = Sha256::new();
        for (path, file) in &files {
            hash.update(format!("{path}\n{}\n", file.sha256));
        }
        let sha = hex::encode(hash.finalize())[..COMMIT_DIGITS].to_owned();
        Self { sha, modified: exports.iter().map(|export| export.created).max().unwrap_or(0), files }
    }

    /// As `2026-01-31T12:00:00.000Z`.
    pub(super) fn last_modified(&self) -> String {
        let seconds = UNIX_EPOCH + Duration::from_secs(self.modified / 1000);
        iso_date(&httpdate::fmt_http_date(seconds), self.modified % 1000)
    }

    /// What lies in a folder, or also in the folders in it.
    pub(super) fn entries(&self, folder: &str, is_recursive: bool) -> BTreeSet<Entry<'_>> {
        let mut found = BTreeSet::new();
        for path in self.files.keys() {
            let Some(rest) = inside(path, folder) else { continue };
            let start = path.len() - rest.len();
            let ends = rest.match_indices('/').map(|(end, _)| start + end);
            found.extend(ends.take(if is_recursive { usize::MAX } else { 1 }).map(|end| Entry::Folder(&path[..end])));
            if is_recursive || !rest.contains('/') {
                found.insert(Entry::File(path));
            }
        }
        found
    }

    /// The file or the folder of a path.
    pub(super) fn entry<'a>(&'a self, path: &'a str) -> Option<Entry<'a>> {
        if self.files.contains_key(path) {
            return Some(Entry::File(path));
        }
        self.files.keys().any(|file| inside(file, path).is_some()).then_some(Entry::Folder(path))
    }

    /// An entry in the Hub's words.
    pub(super) fn describe(&self, entry: &Entry<'_>) -> Json {
        let (path, file) = match entry {
            Entry::File(path) => (path, self.files.get(*path)),
            Entry::Folder(path) => (path, None),
        };
        let Some(RepositoryFile { bytes, sha256, contents }) = file else {
            let oid = &hex::encode(Sha256::digest(format!("{} {path}", self.sha)))[..COMMIT_DIGITS];
            return json!({ "type": "directory", "oid": oid, "size": 0, "path": path });
        };
        let mut described = json!({ "type": "file", "oid": sha256[..COMMIT_DIGITS], "size": bytes, "path": path });
        if matches!(contents, FileContents::Export(_)) {
            described["lfs"] = json!({ "oid": sha256, "size": bytes, "pointerSize": POINTER_BYTES });
        }
        described
    }
}

/// The rest of a path inside a folder; the empty folder holds everything.
fn inside<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}

/// `Sat, 31 Jan 2026 12:00:00 GMT` → `2026-01-31T12:00:00.000Z`.
fn iso_date(http_date: &str, milliseconds: u64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts: Vec<_> = http_date.split(' ').collect();
    let [_, day, month, year, time, _] = parts[..] else { return String::new() };
    let month = MONTHS.iter().position(|name| *name == month).unwrap_or(0) + 1;
    format!("{year}-{month:02}-{day}T{time}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ManifestFile;

    fn export(name: &str, id: &str, files: &[&str]) -> ExportManifest {
        let file = |path: &&str| {
            let sha256 = hex::encode(Sha256::digest(format!("{id} {path}")));
            ManifestFile { path: (*path).to_owned(), bytes: 7, sha256 }
        };
        let [format, name, id] = [FORMAT, name, id].map(str::to_owned);
        let files = files.iter().map(file).collect();
        ExportManifest {
            format,
            name,
            id,
            revision: 1,
            render: String::new(),
            options: String::new(),
            created: 1_769_860_800_123,
            files,
        }
    }

    #[test]
    fn the_revision_changes_with_any_file() {
        let sha = |exports: &[ExportManifest]| Repository::of(exports).sha;
        let one = sha(&[export("default", "1", &["train-0.parquet"])]);
        assert_eq!(one.len(), 40);
        assert_eq!(one, sha(&[export("default", "1", &["train-0.parquet"])]));
        for other in [
            [export("default", "2", &["train-0.parquet"])],
            [export("demo", "1", &["train-0.parquet"])],
            [export("default", "1", &["train-1.parquet"])],
        ] {
            assert_ne!(one, sha(&other));
        }
    }

    #[test]
    fn folders_are_listed_as_the_hub_does() {
        let repository = Repository::of(&[export("demo", "1", &["a.parquet", "b.parquet"])]);
        let listed = |folder: &str, is_recursive| -> Vec<String> {
            let entries = repository.entries(folder, is_recursive);
            entries.iter().map(|entry| repository.describe(entry)["path"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(listed("", false), ["demo", "README.md"]);
        assert_eq!(listed("", true), ["demo", "README.md", "demo/a.parquet", "demo/b.parquet"]);
        assert_eq!(listed("demo", false), ["demo/a.parquet", "demo/b.parquet"]);
        assert!(listed("dem", true).is_empty() && listed("demo/a.parquet", true).is_empty());
        assert_eq!(repository.entry("demo"), Some(Entry::Folder("demo")));
        assert_eq!(repository.entry("demo/a.parquet"), Some(Entry::File("demo/a.parquet")));
        assert_eq!(repository.entry("demo/c.parquet"), None);
        assert_eq!(repository.describe(&Entry::File("demo/a.parquet"))["lfs"]["size"], 7);
    }

    /// `date -u -d @1769860800 --iso-8601=seconds` is `2026-01-31T12:00:00+00:00`.
    #[test]
    fn dates_are_iso_8601() {
        let repository = Repository::of(&[export("demo", "1", &[])]);
        assert_eq!(repository.last_modified(), "2026-01-31T12:00:00.123Z");
    }
}
