//! Conditional requests (RFC 9110 section 13): a request that holds only for some versions of a resource.

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, header};
use headers::{HeaderMapExt, IfMatch, IfModifiedSince, IfNoneMatch, IfUnmodifiedSince};

use super::validator::Validator;

/// The conditions of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::http) struct Preconditions {
    if_match: Option<IfMatch>,
    if_none_match: Option<IfNoneMatch>,
    if_unmodified_since: Option<IfUnmodifiedSince>,
    if_modified_since: Option<IfModifiedSince>,
}

/// What the conditions make of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Decision {
    /// The request is served.
    Proceed,
    /// 304: the client has this version.
    NotModified,
    /// 412: the client wanted another version.
    Failed,
}

impl Preconditions {
    /// The conditions that these headers set. Dates that cannot be read set none.
    pub(in crate::http) fn of(headers: &HeaderMap) -> Self {
        Self {
            if_match: headers.typed_get(),
            if_none_match: headers.typed_get(),
            if_unmodified_since: headers.typed_get(),
            if_modified_since: headers.typed_get(),
        }
    }

    /// What they make of a GET or HEAD of this version, in the order of RFC 9110 section 13.2.2.
    pub(in crate::http) fn decide(&self, validator: &Validator, now: SystemTime) -> Decision {
        if *self == Self::default() {
            return Decision::Proceed;
        }
        let Some(tag) = validator.tag.typed() else { return Decision::Proceed };
        let modified = validator.modified.map(|millis| SystemTime::UNIX_EPOCH + Duration::from_secs(millis / 1000));
        let is_wanted = match (&self.if_match, self.if_unmodified_since, modified) {
            (Some(tags), ..) => tags.precondition_passes(&tag),
            (None, Some(since), Some(modified)) => since.precondition_passes(modified),
            // Without a date of its own, a resource ignores dates.
            (None, ..) => true,
        };
        if !is_wanted {
            return Decision::Failed;
        }
        let settled = modified.filter(|_| validator.is_settled(now));
        let is_new = match (&self.if_none_match, self.if_modified_since, settled) {
            (Some(tags), ..) => tags.precondition_passes(&tag),
            (None, Some(since), Some(modified)) => since.is_modified(modified),
            (None, ..) => true,
        };
        if is_new { Decision::Proceed } else { Decision::NotModified }
    }
}

/// Whether `If-Range` names this version (RFC 9110 section 13.1.5: strong comparison), or is not there. Own code, because
/// `headers::IfRange` also takes a date that is later than the resource's.
pub(in crate::http) fn if_range_holds(headers: &HeaderMap, validator: &Validator, now: SystemTime) -> bool {
    let Some(known) = headers.get(header::IF_RANGE) else { return true };
    known == validator.tag.header() || validator.last_modified(now).is_some_and(|date| known == date)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;
    use crate::http::responses::entity_tag::EntityTag;

    const CHANGED: u64 = 1_000_000_400;
    const BEFORE: &str = "Mon, 12 Jan 1970 13:46:39 GMT";
    const THEN: &str = "Mon, 12 Jan 1970 13:46:40 GMT";
    const AFTER: &str = "Mon, 12 Jan 1970 13:46:41 GMT";

    fn validator() -> Validator {
        Validator::of_revision(EntityTag::of(&["5_t2", "9"]), CHANGED)
    }

    fn tag() -> String {
        validator().tag.header().to_str().unwrap().to_owned()
    }

    fn decide(headers: &[(HeaderName, &str)]) -> Decision {
        decide_at(headers, CHANGED + 60_000)
    }

    fn decide_at(headers: &[(HeaderName, &str)], millis: u64) -> Decision {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        Preconditions::of(&headers.collect()).decide(&validator(), now)
    }

    #[test]
    fn if_none_match_compares_weakly_in_a_list_and_knows_the_star() {
        let own = tag();
        for sent in [own.clone(), format!("\"x\", {own}"), format!("W/{own}"), "*".to_owned()] {
            assert_eq!(decide(&[(header::IF_NONE_MATCH, &sent)]), Decision::NotModified, "{sent}");
        }
        assert_eq!(decide(&[(header::IF_NONE_MATCH, "\"x\"")]), Decision::Proceed);
        assert_eq!(decide(&[]), Decision::Proceed);
    }

    #[test]
    fn if_match_compares_strongly() {
        let own = tag();
        for sent in [own.clone(), format!("\"x\", {own}"), "*".to_owned()] {
            assert_eq!(decide(&[(header::IF_MATCH, &sent)]), Decision::Proceed, "{sent}");
        }
        for sent in ["\"x\"".to_owned(), format!("W/{own}"), String::new()] {
            assert_eq!(decide(&[(header::IF_MATCH, &sent)]), Decision::Failed, "{sent:?}");
        }
    }

    #[test]
    fn dates_count_whole_seconds() {
        for (name, date, decision) in [
            (header::IF_UNMODIFIED_SINCE, BEFORE, Decision::Failed),
            (header::IF_UNMODIFIED_SINCE, THEN, Decision::Proceed),
            (header::IF_UNMODIFIED_SINCE, AFTER, Decision::Proceed),
            (header::IF_UNMODIFIED_SINCE, "yesterday", Decision::Proceed),
            (header::IF_MODIFIED_SINCE, BEFORE, Decision::Proceed),
            (header::IF_MODIFIED_SINCE, THEN, Decision::NotModified),
            (header::IF_MODIFIED_SINCE, AFTER, Decision::NotModified),
            (header::IF_MODIFIED_SINCE, "yesterday", Decision::Proceed),
        ] {
            assert_eq!(decide(&[(name.clone(), date)]), decision, "{name}: {date}");
        }
    }

    /// In the second of a change there may be another one, with the same date.
    #[test]
    fn nothing_is_unmodified_in_the_second_of_its_change() {
        assert_eq!(decide_at(&[(header::IF_MODIFIED_SINCE, THEN)], CHANGED + 100), Decision::Proceed);
    }

    #[test]
    fn tags_count_more_than_dates_and_failing_more_than_knowing() {
        let own = tag();
        assert_eq!(decide(&[(header::IF_MATCH, &own), (header::IF_UNMODIFIED_SINCE, BEFORE)]), Decision::Proceed);
        assert_eq!(decide(&[(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, AFTER)]), Decision::Proceed);
        assert_eq!(decide(&[(header::IF_MATCH, "\"x\""), (header::IF_NONE_MATCH, &own)]), Decision::Failed);
        assert_eq!(decide(&[(header::IF_MATCH, &own), (header::IF_NONE_MATCH, &own)]), Decision::NotModified);
    }

    #[test]
    fn if_range_takes_the_tag_or_the_date_of_this_version() {
        let holds = |value: &str| {
            let headers = HeaderMap::from_iter([(header::IF_RANGE, HeaderValue::from_str(value).unwrap())]);
            if_range_holds(&headers, &validator(), SystemTime::UNIX_EPOCH + Duration::from_millis(CHANGED + 60_000))
        };
        assert!(holds(&tag()) && holds(THEN));
        assert!(!holds(&format!("W/{}", tag())) && !holds(BEFORE) && !holds(AFTER) && !holds("\"x\""));
    }
}
