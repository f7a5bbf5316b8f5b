use std::path::{Path, PathBuf};
use std::time::Duration;

use super::small_file::{FileError, Reading};
use super::url_signer::UrlSigner;

const MIN_BYTES: usize = 32;
const MAX_BYTES: u64 = 4096;
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// There is no secret to sign URLs with.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Its file cannot be read.
    #[error("could not read the signing secret {path}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// It could be guessed.
    #[error(
        "the signing secret {0} is shorter than {MIN_BYTES} bytes; `openssl rand -hex 32` writes one that cannot be guessed"
    )]
    TooShort(PathBuf),
}

impl UrlSigner {
    /// With the secret in a file, without white space around it, so that servers which share it accept each other's signatures.
    ///
    /// # Errors
    /// [`SecretError`]
    pub async fn from_file(path: &Path) -> Result<Self, SecretError> {
        let unread = |source| SecretError::File { path: path.to_owned(), source };
        let bytes = Reading::begin(path, MAX_BYTES).map_err(unread)?.within(TIME_LIMIT).await.map_err(unread)?;
        let secret = bytes.trim_ascii();
        if secret.len() < MIN_BYTES { Err(SecretError::TooShort(path.to_owned())) } else { Ok(Self::new(secret)) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::Tokens;
    use super::*;

    #[tokio::test]
    async fn the_same_secret_signs_the_same_with_and_without_a_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let tokens = Tokens::parse(format!("ann {}", "a".repeat(64)).as_bytes());
        let ann = tokens.named("ann").next().unwrap();
        let mut codes = Vec::new();
        for text in ["0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef\r\n"] {
            std::fs::write(&path, text).unwrap();
            codes.push(UrlSigner::from_file(&path).await.unwrap().sign(ann, "/v1/scans", 1).code);
        }
        assert_eq!(codes[0], codes[1]);
        assert_eq!(codes[0], UrlSigner::new(b"0123456789abcdef0123456789abcdef").sign(ann, "/v1/scans", 1).code);
    }

    #[tokio::test]
    async fn what_is_no_secret_is_refused_without_repeating_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2                                  \n").unwrap();
        let error = UrlSigner::from_file(&path).await.unwrap_err().to_string();
        assert!(error.contains("shorter than 32 bytes") && !error.contains("hunter2"), "{error}");
        let error = UrlSigner::from_file(folder.path()).await.unwrap_err();
        assert!(matches!(error, SecretError::File { source: FileError::NotRegular, .. }), "{error}");
    }
}
