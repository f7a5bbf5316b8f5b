//! Validators: an ETag is a function of what is asked for and of the revision of the data, so it is known before any work.

use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

/// A strong entity tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct EntityTag(HeaderValue);

/// Grows whenever the same request would be answered with other bytes.
const ANSWERS_VERSION: &str = "1";

impl EntityTag {
    /// The tag of the answer that `parts` determine.
    pub(super) fn of(parts: &[&str]) -> Self {
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

    /// The tag of a file that never changes but with the program.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self::of_digest(Sha256::digest(bytes).as_slice())
    }

    /// The value of the `ETag` header.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// The same as a weak tag: the answer means the same, if not byte for byte.
    pub(super) fn weak_header(&self) -> HeaderValue {
        let weak = self.0.to_str().map(|text| format!("W/{text}")).unwrap_or_default();
        HeaderValue::from_str(&weak).unwrap_or_else(|_| self.header())
    }

    /// Whether the client has this answer already (`If-None-Match`, RFC 9110 section 13.1.2: weak comparison).
    pub(super) fn is_known_to(&self, request: &HeaderMap) -> bool {
        let lists = request.get_all(header::IF_NONE_MATCH);
        let mut tags = lists.iter().filter_map(|v| v.to_str().ok()).flat_map(|list| list.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag.trim_start_matches("W/").as_bytes() == self.0.as_bytes())
    }
}

const HEX: [u8; 16] = *b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(tag: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_str(tag).unwrap())])
    }

    #[test]
    fn a_tag_is_recognised_alone_in_a_list_weak_and_by_the_star() {
        let tag = EntityTag::of(&["5_t2", "9"]);
        let text = tag.header().to_str().unwrap().to_owned();
        for sent in [text.clone(), format!("\"x\", {text}"), format!("W/{text}"), "*".to_owned()] {
            assert!(tag.is_known_to(&asking(&sent)), "{sent}");
        }
        assert!(!tag.is_known_to(&asking("\"x\"")));
        assert!(!tag.is_known_to(&HeaderMap::new()));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(EntityTag::of(&["ab", "c"]), EntityTag::of(&["a", "bc"]));
    }
}
