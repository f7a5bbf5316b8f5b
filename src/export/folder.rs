//! Exports into a folder that the user names. The folder is replaced as a whole, and only if it is empty or an export.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::{ExportManifest, MANIFEST};

/// The folder cannot be replaced.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It holds something else than an earlier export.
    #[error("{folder} holds {file}, which no export wrote; name another folder, or move the file away")]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// A file of it.
        file: PathBuf,
    },
    /// It has no name of its own, as `/` and `..`.
    #[error("{0} cannot be replaced by an export; name a folder in it")]
    Nameless(PathBuf),
    /// The file system failed.
    #[error("could not replace {folder}; if it is a mount point, name a folder in it")]
    Replace {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Checks that a folder is absent, empty or an earlier export, and gives the folder to make the new export in: beside it.
///
/// # Errors
/// [`FolderError`].
pub fn workplace(folder: &Path) -> Result<PathBuf, FolderError> {
    let name = folder.file_name().ok_or_else(|| FolderError::Nameless(folder.to_owned()))?;
    let mut part = name.to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let failed = |source| FolderError::Replace { folder: folder.to_owned(), source };
    let exported = match std::fs::read(folder.join(MANIFEST)) {
        Ok(text) => serde_json::from_slice::<ExportManifest>(&text).ok(),
        Err(_) => None,
    };
    let own = exported.iter().flat_map(|manifest| manifest.files.iter().map(|file| file.path.as_str()));
    let own: BTreeSet<_> = own.chain(exported.is_some().then_some(MANIFEST)).map(|path| folder.join(path)).collect();
    let found = files(folder).map_err(failed)?;
    match found.into_iter().find(|file| !own.contains(file)) {
        Some(file) => Err(FolderError::Foreign { folder: folder.to_owned(), file }),
        None => Ok(folder.with_file_name(part)),
    }
}

/// Replaces a folder that [`workplace`] checked by a finished export.
///
/// # Errors
/// [`FolderError::Replace`].
pub fn replace(finished: &Path, folder: &Path) -> Result<(), FolderError> {
    let mut old = finished.as_os_str().to_owned();
    old.push(".old");
    let old = PathBuf::from(old);
    let replaced = || {
        if folder.exists() {
            std::fs::rename(folder, &old)?;
        }
        std::fs::rename(finished, folder)?;
        if old.exists() { std::fs::remove_dir_all(&old) } else { Ok(()) }
    };
    replaced().map_err(|source| FolderError::Replace { folder: folder.to_owned(), source })
}

/// Every file under a folder, which may be absent.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ManifestFile;

    fn export(folder: &Path, file: &str) {
        let files = vec![ManifestFile { path: file.to_owned(), bytes: 1, sha256: String::new() }];
        let id = ExportManifest::digest(&files);
        let (format, name, options) = ("nnunet".to_owned(), "default".to_owned(), String::new());
        let manifest =
            ExportManifest { format, name, id, revision: 1, render: String::new(), options, created: 1, files };
        std::fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
        std::fs::write(folder.join(file), b"x").unwrap();
        std::fs::write(folder.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
    }

    #[test]
    fn an_export_replaces_its_predecessor_as_a_whole() {
        let work = tempfile::tempdir().unwrap();
        let folder = work.path().join("Dataset501_SPIDER");
        for file in ["imagesTr/old.nii.gz", "imagesTr/new.nii.gz"] {
            let workplace = workplace(&folder).unwrap();
            export(&workplace, file);
            replace(&workplace, &folder).unwrap();
            assert_eq!(files(&folder).unwrap().len(), 2);
            assert!(folder.join(file).is_file());
        }
        assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 1, "something was left beside the folder");
    }

    #[test]
    fn what_no_export_wrote_is_never_removed() {
        let work = tempfile::tempdir().unwrap();
        std::fs::write(work.path().join("thesis.tex"), b"x").unwrap();
        assert!(matches!(workplace(work.path()), Err(FolderError::Foreign { .. })));
        let folder = work.path().join("out");
        export(&folder, "train.tar");
        assert!(workplace(&folder).is_ok());
        std::fs::write(folder.join("notes.txt"), b"x").unwrap();
        assert!(matches!(workplace(&folder), Err(FolderError::Foreign { file, .. }) if file.ends_with("notes.txt")));
        assert!(matches!(workplace(Path::new("/")), Err(FolderError::Nameless(_))));
    }
}
