use std::time::Duration;

use super::fetch_error::FetchError;

/// What happens during a download, for a progress bar.
#[derive(Debug)]
pub enum Event<'a> {
    /// A file, or a part of one, is there and is being read for its checksum.
    Checking {
        /// Name in the release.
        name: &'static str,
        /// Bytes that are there.
        bytes: u64,
    },
    /// The file is there and right.
    Present {
        /// Name in the release.
        name: &'static str,
        /// Its length.
        bytes: u64,
    },
    /// The server has begun to send.
    Fetching {
        /// Name in the release.
        name: &'static str,
        /// Bytes that were there already.
        from: u64,
        /// Length of the whole file.
        size: u64,
    },
    /// So much of the file that is being checked or fetched is done.
    At {
        /// Bytes from its beginning.
        bytes: u64,
    },
    /// An attempt failed; there will be another one.
    Retrying {
        /// What was requested.
        what: &'static str,
        /// Why it failed.
        fault: &'a FetchError,
        /// How long until then.
        wait: Duration,
    },
    /// What was there of a file was given up; it is fetched from its beginning.
    Restarting {
        /// Name in the release.
        name: &'static str,
        /// Why.
        why: &'static str,
    },
    /// The file is whole, its checksum is right, and it has its name.
    Fetched {
        /// Name in the release.
        name: &'static str,
        /// Its length.
        bytes: u64,
    },
}

/// What is called with every [`Event`].
pub type OnEvent<'a> = &'a (dyn Fn(Event<'_>) + Sync);
