use std::io;
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt, SeekFrom};

use super::record::RemoteFile;
use super::sum::{Md5Sum, feed};

/// A note is two short lines of JSON; anything longer is none.
const LONGEST_NOTE: u64 = 1 << 16;

/// What is there of a file that is not whole yet: `NAME.part`, and beside it in `NAME.part.json` of which file it is.
#[derive(Debug)]
pub(super) struct Part {
    paths: Paths,
    file: File,
    /// Of all bytes so far.
    hash: Md5,
    length: u64,
    note: Note,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Note {
    /// Of the whole file, by the record.
    size: u64,
    md5: String,
    /// What the server calls this version of the file: an entity tag or a date.
    version: Option<String>,
}

impl Note {
    fn new(file: &RemoteFile) -> Self {
        Self { size: file.size, md5: file.md5.to_string(), version: None }
    }
}

#[derive(Debug)]
struct Paths {
    whole: PathBuf,
    part: PathBuf,
    note: PathBuf,
}

impl Paths {
    fn new(folder: &Path, name: &str) -> Self {
        let beside = |ending| folder.join(format!("{name}{ending}"));
        Self { whole: folder.join(name), part: beside(".part"), note: beside(".part.json") }
    }

    /// The note of a part that can be continued, and the part's length.
    fn kept(&self, file: &RemoteFile) -> Option<(Note, u64)> {
        let length = std::fs::metadata(&self.part).ok()?.len();
        if length > file.size || std::fs::metadata(&self.note).ok()?.len() > LONGEST_NOTE {
            return None;
        }
        let note: Note = serde_json::from_slice(&std::fs::read(&self.note).ok()?).ok()?;
        let ours = Note { version: note.version.clone(), ..Note::new(file) };
        (note == ours).then_some((note, length))
    }
}

impl Part {
    /// Bytes that need not be fetched again.
    pub(super) fn kept(folder: &Path, file: &RemoteFile) -> u64 {
        Paths::new(folder, file.name).kept(file).map_or(0, |(_, length)| length)
    }

    /// Removes what earlier runs left of a file that is whole.
    pub(super) async fn discard(folder: &Path, name: &str) -> Result<(), crate::download::DownloadError> {
        let paths = Paths::new(folder, name);
        for path in [&paths.part, &paths.note] {
            remove(path).await.map_err(crate::download::error::unwritable(path))?;
        }
        Ok(())
    }

    /// Opens what is there and reads it for the checksum, or begins an empty part.
    pub(super) async fn open(folder: &Path, file: &RemoteFile, progress: impl Fn(u64)) -> io::Result<Self> {
        let paths = Paths::new(folder, file.name);
        let kept = paths.kept(file);
        let mut opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(kept.is_none()).open(&paths.part).await?;
        let mut hash = Md5::new();
        let length = if kept.is_some() { feed(&mut opened, &mut hash, progress).await? } else { 0 };
        let note = kept.map_or_else(|| Note::new(file), |(note, _)| note);
        Ok(Self { paths, file: opened, hash, length, note })
    }

    pub(super) fn path(&self) -> &Path {
        &self.paths.part
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn version(&self) -> Option<&str> {
        self.note.version.as_deref()
    }

    /// Empties the part and notes which version of the file it will be of. The note is there before any byte is: a part
    /// without one is not trusted.
    pub(super) async fn begin(&mut self, version: Option<String>) -> io::Result<()> {
        self.empty().await?;
        self.note.version = version;
        fs::write(&self.paths.note, serde_json::to_vec(&self.note)?).await
    }

    pub(super) async fn empty(&mut self) -> io::Result<()> {
        self.file.set_len(0).await?;
        self.file.seek(SeekFrom::Start(0)).await?;
        self.hash = Md5::new();
        self.length = 0;
        Ok(())
    }

    pub(super) async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn md5(&self) -> Md5Sum {
        Md5Sum::of(&self.hash)
    }

    /// Gives the file its own name, once its bytes are safe on the disk.
    pub(super) async fn publish(mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        fs::rename(&self.paths.part, &self.paths.whole).await?;
        remove(&self.paths.note).await
    }
}

async fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
