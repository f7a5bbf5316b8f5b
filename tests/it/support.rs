//! A small release, a data folder, and a server over it that answers without a socket.

mod release;
mod service;

use std::fs;
use std::path::{Path, PathBuf};

use sagittal::store::{ExportManifest, MANIFEST, ManifestFile};

pub use release::{Kind, Release, SHAPE, file_of, image, label, mask, value};
pub use service::{Answer, Service, held_pool};

/// A file of `tests/fixtures`: synthetic tables whose series are those of the release.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Writes an export with one file into a data folder.
pub fn write_export(data: &Path, format: &str, file: &str, contents: &[u8]) {
    let folder = data.join("exports").join(format).join("default/0");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(file), contents).unwrap();
    let files = vec![ManifestFile { path: file.to_owned(), bytes: contents.len() as u64, sha256: "0".repeat(64) }];
    let (format, name, id, options) = (format.to_owned(), "default".to_owned(), "0".to_owned(), String::new());
    let manifest = ExportManifest { format, name, id, revision: 1, render: String::new(), options, created: 1, files };
    fs::write(folder.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
}
