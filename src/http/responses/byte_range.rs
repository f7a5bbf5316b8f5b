//! What a `Range` header says (RFC 9110 section 14), without a request around it. Own code, because `headers::Range` takes
//! signs for digits and only small letters for the unit.

use std::ops::Range;

/// Which bytes of a file are requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByteRange {
    /// All of them. Several ranges are answered like this too, which a server may.
    Whole,
    /// These; never empty.
    Part(Range<u64>),
    /// None that there are.
    Nothing,
}

impl ByteRange {
    /// What the value of a `Range` header requests of a file of `len` bytes. What cannot be read requests all of it.
    #[must_use]
    pub fn of(header: &str, len: u64) -> Self {
        let set = header.split_once('=').filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"));
        let Some((first, last)) = set.and_then(|(_, set)| set.trim().split_once('-')) else { return Self::Whole };
        let part = match (first, last) {
            // The last so many bytes.
            ("", last) => number(last).map(|n| len.saturating_sub(n)..len),
            (first, "") => number(first).map(|first| first..len),
            (first, last) => number(first)
                .zip(number(last))
                .filter(|(first, last)| first <= last)
                .map(|(first, last)| first..last.saturating_add(1).min(len)),
        };
        match part {
            None => Self::Whole,
            Some(part) if part.start < part.end => Self::Part(part),
            Some(_) => Self::Nothing,
        }
    }
}

/// Digits and nothing else; what has too many of them lies beyond every file.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let of = |range: &str| ByteRange::of(range, 10);
        assert_eq!(of("bytes=0-3"), ByteRange::Part(0..4));
        assert_eq!(of("Bytes=0-3"), ByteRange::Part(0..4));
        assert_eq!(of("bytes= 0-3 "), ByteRange::Part(0..4));
        assert_eq!(of("bytes=4-"), ByteRange::Part(4..10));
        assert_eq!(of("bytes=-3"), ByteRange::Part(7..10));
        assert_eq!(of("bytes=-30"), ByteRange::Part(0..10));
        assert_eq!(of("bytes=8-99"), ByteRange::Part(8..10));
        for last in ["18446744073709551615", "18446744073709551616", "99999999999999999999999"] {
            assert_eq!(of(&format!("bytes=0-{last}")), ByteRange::Part(0..10), "{last}");
            assert_eq!(of(&format!("bytes={last}-")), ByteRange::Nothing, "{last}");
        }
        for nothing in ["bytes=10-", "bytes=99-100", "bytes=-0"] {
            assert_eq!(of(nothing), ByteRange::Nothing, "{nothing}");
        }
    }

    #[test]
    fn what_is_no_range_of_bytes_requests_the_whole() {
        let not_ranges = [
            "bytes=3-1",
            "bytes=a-b",
            "bytes=",
            "lines=0-3",
            "bytes=0-1,3-4",
            "bytes=-",
            "bytes=+0-+3",
            "bytes=0-+3",
            "bytes=-+3",
            "bytes=0 - 3",
            "bytes =0-3",
            "bytes=0x0-3",
            "bytes=--3",
            "bytes=٠-٣",
        ];
        for whole in not_ranges {
            assert_eq!(ByteRange::of(whole, 10), ByteRange::Whole, "{whole}");
        }
    }
}
