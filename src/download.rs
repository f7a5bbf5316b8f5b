//! Fetches the four files of the release from the record that describes them. A file gets its own name only when it is
//! whole and its checksum is right; until then it is a `.part` beside it, from which the next run goes on.

mod amount;
mod client;
mod error;
mod event;
mod fetch_error;
mod part;
mod range;
mod record;
mod retry;
mod space;
mod sum;
#[cfg(test)]
mod tests;
mod transfer;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use reqwest::Url;

use client::Client;
use part::Part;
use record::RemoteFile;
use sum::Md5Sum;
use transfer::Transfer;

pub use error::{DownloadError, RecordError};
pub use event::{Event, OnEvent};
pub use fetch_error::FetchError;

/// Where from, and how stubbornly.
#[derive(Debug, Clone)]
pub struct DownloadOptions {
    /// Address of the record's description, JSON as Zenodo gives it.
    pub record: String,
    /// Fetch files again that are there with another length or checksum; without it they are an error.
    pub again: bool,
    /// Attempts after one that brought no new byte.
    pub retries: u32,
    /// An attempt ends when there was no byte for so long.
    pub stall: Duration,
}

/// Fetches what `folder` lacks of the release; makes the folder if need be. May be dropped at any moment and called again.
///
/// # Errors
/// [`DownloadError`] when the release is not whole in the end.
pub async fn run(folder: &Path, options: &DownloadOptions, on_event: OnEvent<'_>) -> Result<(), DownloadError> {
    let address = Url::parse(&options.record)
        .ok()
        .filter(|address| matches!(address.scheme(), "http" | "https"))
        .ok_or_else(|| DownloadError::Address { address: options.record.clone() })?;
    let client = Client::new(options.stall)?;
    let files = record::fetch(&client, &address, options.retries, on_event).await?;
    std::fs::create_dir_all(folder).map_err(error::unwritable(folder))?;
    let _lock = lock(folder)?;
    let missing = missing(folder, files, options.again, on_event).await?;
    let still_to_come = missing.iter().map(|file| file.size - Part::kept(folder, file));
    space::check(folder, still_to_come.fold(0, u64::saturating_add))?;
    for file in &missing {
        Transfer { client: &client, file, folder, retries: options.retries, on_event }.run().await?;
    }
    Ok(())
}

/// Two downloads would write to the same parts. The lock ends with the process, however that ends.
fn lock(folder: &Path) -> Result<Option<File>, DownloadError> {
    let opened = File::open(folder).map_err(error::unreadable(folder))?;
    match opened.try_lock() {
        Ok(()) => Ok(Some(opened)),
        Err(TryLockError::WouldBlock) => Err(DownloadError::Busy { folder: folder.display().to_string() }),
        // Some network file systems have no locks; the checksums still find out what two writers have spoilt.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// The files that are to be fetched. Every one that is there is looked at first, so that all wrong ones are named at once.
async fn missing(
    folder: &Path,
    files: Vec<RemoteFile>,
    again: bool,
    on_event: OnEvent<'_>,
) -> Result<Vec<RemoteFile>, DownloadError> {
    let (mut missing, mut wrong) = (Vec::new(), Vec::new());
    for file in files {
        match look_at(folder, &file, on_event).await? {
            Found::Right => {
                Part::discard(folder, file.name).await?;
                on_event(Event::Present { name: file.name, bytes: file.size });
            }
            Found::Wrong(why) if !again => wrong.push(format!("{} ({why})", folder.join(file.name).display())),
            Found::Wrong(_) | Found::Nothing => missing.push(file),
        }
    }
    if wrong.is_empty() { Ok(missing) } else { Err(DownloadError::WrongFiles { files: wrong.join(", ") }) }
}

enum Found {
    Nothing,
    Right,
    Wrong(String),
}

async fn look_at(folder: &Path, file: &RemoteFile, on_event: OnEvent<'_>) -> Result<Found, DownloadError> {
    let path = folder.join(file.name);
    let facts = match tokio::fs::metadata(&path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        facts => facts.map_err(error::unreadable(&path))?,
    };
    if !facts.is_file() {
        return Err(DownloadError::NoFile { path: path.display().to_string() });
    }
    if facts.len() != file.size {
        return Ok(Found::Wrong(format!("{} bytes instead of {}", facts.len(), file.size)));
    }
    on_event(Event::Checking { name: file.name, bytes: file.size });
    let sum = Md5Sum::of_file(&path, |bytes| on_event(Event::At { bytes })).await.map_err(error::unreadable(&path))?;
    if sum == file.md5 { Ok(Found::Right) } else { Ok(Found::Wrong(format!("md5 {sum} instead of {}", file.md5))) }
}
