//! Entity tags: functions of what is requested and of the revision of the data, so that they are known before any work.

use axum::http::HeaderValue;
use headers::{ETag, Header};
use sha2::{Digest, Sha256};

/// A strong entity tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::http) struct EntityTag(HeaderValue);

/// Grows whenever the same request would be answered with other bytes.
const ANSWERS_VERSION: &str = "4";

impl EntityTag {
    /// The tag of the response that `parts` determine.
    pub(in crate::http) fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new_with_prefix(ANSWERS_VERSION);
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self::of_digest(hash.finalize().as_slice())
    }

    fn of_digest(digest: &[u8]) -> Self {
        let mut text = String::with_capacity(34);
        text.push('"');
        for byte in digest.iter().take(16) {
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
        text.push('"');
        // Quotes and hexadecimal digits are always a valid header.
        Self(HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("\"\"")))
    }

    /// The tag of these bytes.
    pub(in crate::http) fn of_bytes(bytes: &[u8]) -> Self {
        Self::of_digest(Sha256::digest(bytes).as_slice())
    }

    /// The value of the `ETag` header.
    pub(in crate::http) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// For comparisons.
    pub(in crate::http) fn typed(&self) -> Option<ETag> {
        ETag::decode(&mut std::iter::once(&self.0)).ok()
    }
}

const HEX: [u8; 16] = *b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(EntityTag::of(&["ab", "c"]), EntityTag::of(&["a", "bc"]));
    }
}
