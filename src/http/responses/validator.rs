use std::time::{Duration, SystemTime};

use axum::http::HeaderValue;

use super::entity_tag::EntityTag;

/// What tells one version of a resource from another; known before the response is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Validator {
    pub(in crate::http) tag: EntityTag,
    /// When the resource changed last, or later: in milliseconds since 1970, if that is known.
    pub(in crate::http) modified: Option<u64>,
}

impl Validator {
    /// Of something that changes with nothing but the program.
    pub(in crate::http) fn of_tag(tag: EntityTag) -> Self {
        Self { tag, modified: None }
    }

    /// Of bytes that change with nothing but the program.
    pub(in crate::http) fn of_bytes(bytes: &[u8]) -> Self {
        Self::of_tag(EntityTag::of_bytes(bytes))
    }

    /// Of something that changed last when the index had this revision, which is a time.
    pub(in crate::http) fn of_revision(tag: EntityTag, revision: u64) -> Self {
        Self { tag, modified: Some(revision) }
    }

    /// The value of `Last-Modified`. Its unit is the second, and a resource can change twice in one: a second is reported
    /// only when it has passed, so that whatever it holds from then is the last version of that second.
    pub(in crate::http) fn last_modified(&self, now: SystemTime) -> Option<HeaderValue> {
        let seconds = self.modified.filter(|_| self.is_settled(now))? / 1000;
        HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))).ok()
    }

    /// Whether the second of the last change has passed.
    pub(in crate::http) fn is_settled(&self, now: SystemTime) -> bool {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        self.modified.is_some_and(|modified| modified / 1000 < now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_reported_when_it_has_passed() {
        let of = |millis| Validator::of_revision(EntityTag::of(&["a"]), millis);
        let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        assert_eq!(of(10_300).last_modified(at(10_900)), None);
        assert_eq!(of(10_300).last_modified(at(11_000)).unwrap(), "Thu, 01 Jan 1970 00:00:10 GMT");
    }
}
