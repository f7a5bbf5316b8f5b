use std::io;
use std::path::Path;

use super::amount::Amount;
use super::fetch_error::FetchError;

/// The release could not be fetched whole.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// There is no such address.
    #[error("the record {address:?} is not an address that begins with http:// or https://")]
    Address {
        /// As given.
        address: String,
    },
    /// The machine lacks what encrypted connections need.
    #[error("could not prepare connections; are there root certificates (package ca-certificates, or SSL_CERT_FILE)?")]
    NoClient(#[source] reqwest::Error),
    /// The record cannot be used.
    #[error("the record {address} cannot be used")]
    Record {
        /// Where it is.
        address: String,
        /// Why.
        source: RecordError,
    },
    /// Something that no further attempt would mend.
    #[error("could not fetch {what} from {address}")]
    Refused {
        /// A file's name, or the record.
        what: &'static str,
        /// Where it was to come from.
        address: String,
        /// What happened.
        source: FetchError,
    },
    /// Too many attempts brought nothing.
    #[error(
        "gave up on {what} from {address} after {attempts} attempts in vain; run again later, it goes on where it was"
    )]
    GaveUp {
        /// A file's name, or the record.
        what: &'static str,
        /// Where it was to come from.
        address: String,
        /// One after the other without a new byte.
        attempts: u32,
        /// What happened in the last one.
        source: FetchError,
    },
    /// The right number of bytes, but not those that the record announces, twice.
    #[error("{name} came with md5 {found} twice, but the record announces {announced}")]
    Checksum {
        /// Name in the release.
        name: &'static str,
        /// Of what came.
        found: String,
        /// By the record.
        announced: String,
    },
    /// There are files of the release's names that are not the release's.
    #[error("not what the record announces: {files}; move them away, or fetch them again with --again")]
    WrongFiles {
        /// Their paths, and what is wrong with each.
        files: String,
    },
    /// Something else than a file has the name of one.
    #[error("{path} is not a file; choose another folder, or move it away")]
    NoFile {
        /// Which.
        path: String,
    },
    /// The files would not fit.
    #[error("{folder} has not enough space: {} are needed, {} are free", Amount(*.needed), Amount(*.free))]
    NoSpace {
        /// Where to.
        folder: String,
        /// Bytes that are still to come.
        needed: u64,
        /// Bytes that the file system has for us.
        free: u64,
    },
    /// Another download writes there.
    #[error("another download into {folder} is running")]
    Busy {
        /// Where to.
        folder: String,
    },
    /// What is there cannot be read.
    #[error("could not read {path}")]
    Unreadable {
        /// A file or folder.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Nothing can be written.
    #[error("could not write {path}; choose a folder that you may write to")]
    Unwritable {
        /// A file or folder.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Longer than any record.
    #[error("it is longer than {limit} bytes: is that the address of a record's description?")]
    TooLong {
        /// Most bytes that are read.
        limit: usize,
    },
    /// Not JSON, or not with a list of files.
    #[error("it is not a description of files as Zenodo gives it")]
    Malformed(#[source] serde_json::Error),
    /// A file of the release is missing.
    #[error("it does not name {name}")]
    Missing {
        /// Which.
        name: &'static str,
    },
    /// A file of the release has two descriptions.
    #[error("it names {name} twice")]
    Twice {
        /// Which.
        name: &'static str,
    },
    /// What it says of a file makes no sense.
    #[error("what it says of {name} cannot be used: {problem}")]
    File {
        /// Which.
        name: &'static str,
        /// What is wrong.
        problem: String,
    },
}

pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> DownloadError {
    let path = path.display().to_string();
    move |source| DownloadError::Unreadable { path, source }
}

pub(super) fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> DownloadError {
    let path = path.display().to_string();
    move |source| DownloadError::Unwritable { path, source }
}
