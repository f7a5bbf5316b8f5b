//! What a `Range` header says (RFC 9110 section 14), without a request around it.

use std::ops::Range;

/// What of a file is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// All of it. Several ranges are answered like this too, which a server may.
    Whole,
    /// These bytes; never empty.
    Part(Range<u64>),
    /// Nothing that there is.
    Nothing,
}

impl Asked {
    /// What the value of a `Range` header asks of a file of `len` bytes. What cannot be read asks for all of it.
    #[must_use]
    pub fn of(header: &str, len: u64) -> Self {
        let range = header.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
        let Some((first, last)) = range else { return Self::Whole };
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let part = match (first.trim(), last.trim()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let of = |range| Asked::of(range, 10);
        assert_eq!(of("bytes=0-3"), Asked::Part(0..4));
        assert_eq!(of("bytes=4-"), Asked::Part(4..10));
        assert_eq!(of("bytes=-3"), Asked::Part(7..10));
        assert_eq!(of("bytes=-30"), Asked::Part(0..10));
        assert_eq!(of("bytes=8-99"), Asked::Part(8..10));
        assert_eq!(of("bytes=0-18446744073709551615"), Asked::Part(0..10));
        for nothing in ["bytes=10-", "bytes=99-100", "bytes=-0"] {
            assert_eq!(of(nothing), Asked::Nothing, "{nothing}");
        }
        for whole in ["bytes=3-1", "bytes=a-b", "bytes=", "lines=0-3", "bytes=0-1,3-4", "bytes=-"] {
            assert_eq!(of(whole), Asked::Whole, "{whole}");
        }
    }
}
