use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::keys::{InvalidKeys, Keys};

/// A file of tokens is a page or two; what is longer is another file.
const MOST_BYTES: u64 = 2 << 20;

/// The file with the tokens' digests, read again whenever it changes, so that tokens come and go without a restart.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    current: RwLock<(String, Arc<Keys>)>,
}

/// The file is no list of tokens.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("could not read the token file {path}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is too long.
    #[error("the token file {0} is longer than {MOST_BYTES} bytes")]
    TooLong(PathBuf),
    /// A line of it is wrong.
    #[error("the token file {path} cannot be used: {error}")]
    Invalid {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: InvalidKeys,
    },
}

impl KeyFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`KeyFileError`]
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let text = text_of(path)?;
        let keys = keys_of(path, &text)?;
        Ok(Self { path: path.to_owned(), current: RwLock::new((text, Arc::new(keys))) })
    }

    /// The tokens of the moment.
    #[must_use]
    pub fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// Reads the file again; whether it had changed. A file that cannot be used leaves the tokens as they were.
    ///
    /// # Errors
    /// [`KeyFileError`]
    pub fn renew(&self) -> Result<bool, KeyFileError> {
        let text = text_of(&self.path)?;
        if self.current.read().unwrap_or_else(PoisonError::into_inner).0 == text {
            return Ok(false);
        }
        let keys = keys_of(&self.path, &text)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (text, Arc::new(keys));
        Ok(true)
    }
}

fn text_of(path: &Path) -> Result<String, KeyFileError> {
    let unread = |source| KeyFileError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    std::fs::File::open(path).map_err(unread)?.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(unread)?;
    if text.len() as u64 > MOST_BYTES { Err(KeyFileError::TooLong(path.to_owned())) } else { Ok(text) }
}

fn keys_of(path: &Path, text: &str) -> Result<Keys, KeyFileError> {
    Keys::parse(text).map_err(|error| KeyFileError::Invalid { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_and_go_with_the_file_and_a_broken_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let [ann, ben] = ["ann", "ben"].map(|name| Keys::mint(name).unwrap());
        std::fs::write(&path, &ann.line).unwrap();
        let file = KeyFile::open(&path).unwrap();
        assert!(!file.renew().unwrap());
        std::fs::write(&path, &ben.line).unwrap();
        assert!(file.renew().unwrap());
        assert_eq!((file.keys().holder_of(&ann.token), file.keys().holder_of(&ben.token)), (None, Some("ben")));
        std::fs::write(&path, "ben").unwrap();
        assert!(file.renew().unwrap_err().to_string().contains("line 1"));
        std::fs::remove_file(&path).unwrap();
        assert!(file.renew().is_err());
        assert_eq!(file.keys().holder_of(&ben.token), Some("ben"));
    }
}
