use std::io;
use std::path::Path;

use reqwest::StatusCode;

use super::client::{Body, Client, Rest};
use super::error::{DownloadError, unwritable};
use super::event::{Event, OnEvent};
use super::fetch_error::FetchError;
use super::part::Part;
use super::record::RemoteFile;
use super::retry::{RetryPolicy, wait_or_give_up};

/// One file's way from the server to its name in the folder.
pub(super) struct Transfer<'a> {
    pub(super) client: &'a Client,
    pub(super) file: &'a RemoteFile,
    pub(super) folder: &'a Path,
    pub(super) retries: u32,
    pub(super) on_event: OnEvent<'a>,
}

impl Transfer<'_> {
    /// A file with the wrong checksum is fetched once more from its beginning: the damage may have been in a part that
    /// was continued.
    pub(super) async fn run(&self) -> Result<(), DownloadError> {
        let mut part = self.open().await?;
        let path = part.path().to_owned();
        self.complete(&mut part).await?;
        if part.md5() != self.file.md5 {
            self.restart(&mut part, "its md5 is not what the record announces").await.map_err(unwritable(&path))?;
            self.complete(&mut part).await?;
        }
        let found = part.md5();
        if found != self.file.md5 {
            part.empty().await.map_err(unwritable(&path))?;
            let (found, announced) = (found.to_string(), self.file.md5.to_string());
            return Err(DownloadError::Checksum { name: self.file.name, found, announced });
        }
        part.publish().await.map_err(unwritable(&path))?;
        (self.on_event)(Event::Fetched { name: self.file.name, bytes: self.file.size });
        Ok(())
    }

    async fn open(&self) -> Result<Part, DownloadError> {
        let kept = Part::kept(self.folder, self.file);
        if kept > 0 {
            (self.on_event)(Event::Checking { name: self.file.name, bytes: kept });
        }
        let opened = Part::open(self.folder, self.file, |bytes| (self.on_event)(Event::At { bytes })).await;
        opened.map_err(unwritable(&self.folder.join(self.file.name)))
    }

    /// Attempts until the part is as long as the file.
    async fn complete(&self, part: &mut Part) -> Result<(), DownloadError> {
        let mut patience = RetryPolicy::new(self.retries, part.length());
        while part.length() < self.file.size {
            if let Err(fault) = self.attempt(part).await {
                let (here, what) = (part.length(), self.file.name);
                wait_or_give_up(&mut patience, fault, here, what, &self.file.url, self.on_event).await?;
            }
        }
        Ok(())
    }

    async fn attempt(&self, part: &mut Part) -> Result<(), FetchError> {
        let mut body = self.ask(part).await?;
        let (name, size) = (self.file.name, self.file.size);
        (self.on_event)(Event::Fetching { name, from: part.length(), size });
        while let Some(chunk) = body.next().await? {
            if part.length() + chunk.len() as u64 > size {
                return Err(self.too_long(part).await);
            }
            part.append(&chunk).await.map_err(disk(part.path()))?;
            (self.on_event)(Event::At { bytes: part.length() });
        }
        if part.length() < size { Err(FetchError::Short { came: part.length(), announced: size }) } else { Ok(()) }
    }

    /// An answer whose bytes belong behind those that are there; when the server has none, from the file's beginning.
    async fn ask(&self, part: &mut Part) -> Result<Body, FetchError> {
        if part.length() > 0 {
            let rest = Rest { from: part.length(), if_range: part.version() };
            match self.client.get(&self.file.url, Some(&rest)).await {
                Ok(body) if body.continues(&rest, self.file.size) => return Ok(body),
                Ok(body) if body.is_whole() => {
                    let why = "the server sends the whole file: it cannot continue, or the file has changed";
                    return self.accept_whole(part, body, Some(why)).await;
                }
                Ok(_) => self.restart_or_fail(part, "the server's answer does not fit to what is there").await?,
                Err(FetchError::Status { status: StatusCode::RANGE_NOT_SATISFIABLE, .. }) => {
                    self.restart_or_fail(part, "the server has nothing behind what is there").await?;
                }
                Err(fault) => return Err(fault),
            }
        }
        let body = self.client.get(&self.file.url, None).await?;
        self.accept_whole(part, body, None).await
    }

    async fn accept_whole(&self, part: &mut Part, body: Body, why: Option<&'static str>) -> Result<Body, FetchError> {
        if body.length().is_some_and(|length| length > self.file.size) {
            return Err(self.too_long(part).await);
        }
        if let Some(why) = why {
            self.restart_or_fail(part, why).await?;
        }
        part.begin(body.version()).await.map_err(disk(part.path()))?;
        Ok(body)
    }

    /// What is there is not the beginning of the file that the record announces either.
    async fn too_long(&self, part: &mut Part) -> FetchError {
        match part.empty().await {
            Ok(()) => FetchError::Long { announced: self.file.size },
            Err(error) => disk(part.path())(error),
        }
    }

    async fn restart_or_fail(&self, part: &mut Part, why: &'static str) -> Result<(), FetchError> {
        let done = self.restart(part, why).await;
        done.map_err(disk(part.path()))
    }

    async fn restart(&self, part: &mut Part, why: &'static str) -> io::Result<()> {
        (self.on_event)(Event::Restarting { name: self.file.name, why });
        part.empty().await
    }
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> FetchError {
    let path = path.display().to_string();
    move |source| FetchError::Disk { path, source }
}
