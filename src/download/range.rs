/// What a `Content-Range` header says of an answer (RFC 9110, 14.4): `bytes 100-199/200`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    /// First byte.
    pub(super) first: u64,
    /// Last byte, included.
    pub(super) last: u64,
    /// Length of the whole file; none when the server does not say.
    pub(super) total: Option<u64>,
}

impl ContentRange {
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (range, total) = header.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()?, total })
    }

    /// Whether the answer goes on where a part of `from` bytes of a file of `size` bytes ends.
    pub(super) fn continues(&self, from: u64, size: u64) -> bool {
        self.first == from && self.last >= from && self.last < size && self.total.is_none_or(|total| total == size)
    }
}

/// An entity tag that `If-Range` may carry: a strong one, which names these very bytes.
pub(super) fn is_strong(etag: &str) -> bool {
    etag.len() >= 2 && etag.starts_with('"') && etag.ends_with('"')
}
