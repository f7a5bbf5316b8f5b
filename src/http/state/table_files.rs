use bytes::Bytes;
use moka::sync::Cache;
use tokio::sync::OwnedMutexGuard;

use super::locks::Locks;
use crate::http::routes::tables::Format;

/// Recent tables as files, by URL and format.
#[derive(Debug)]
pub(in crate::http) struct TableFiles {
    kept: Cache<(String, Format), (u64, Bytes)>,
    /// Each is made once: anyone who waits for it finds it kept.
    making: Locks<(String, Format, u64)>,
}

impl TableFiles {
    /// Keeps at most `budget` bytes.
    pub(in crate::http) fn new(budget: u64) -> Self {
        let weight = |(url, _): &(String, Format), (_, bytes): &(u64, Bytes)| {
            u32::try_from(url.len() + bytes.len()).unwrap_or(u32::MAX)
        };
        Self { kept: Cache::builder().max_capacity(budget).weigher(weight).build(), making: Locks::default() }
    }

    /// Waits until nobody else makes this file.
    pub(in crate::http) async fn lock(&self, url: &str, format: Format, revision: u64) -> OwnedMutexGuard<()> {
        self.making.lock((url.to_owned(), format, revision)).await
    }

    /// The file, if it is kept and of this revision.
    pub(in crate::http) fn kept(&self, url: &str, format: Format, revision: u64) -> Option<Bytes> {
        let kept = self.kept.get(&(url.to_owned(), format));
        kept.filter(|(of, _)| *of == revision).map(|(_, bytes)| bytes)
    }

    pub(in crate::http) fn keep(&self, url: &str, format: Format, revision: u64, bytes: &Bytes) {
        self.kept.insert((url.to_owned(), format), (revision, bytes.clone()));
    }
}
