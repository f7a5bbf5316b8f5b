use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::fcntl::OFlag;
use tokio::sync::oneshot;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A FIFO, a device, a folder: reading it may wait for ever, or never end.
    #[error("it is not a regular file")]
    NotRegular,
    /// It is another file, most likely.
    #[error("it is longer than {0} bytes")]
    TooLong(u64),
    /// Its file system does not answer.
    #[error("reading it did not end within {0:?}")]
    TimedOut(Duration),
}

/// A small file that is being read in a thread of its own. A file system that hangs, as NFS does when its server is gone, blocks
/// that thread alone: neither the runtime nor the end of the process waits for it.
#[derive(Debug)]
pub(super) struct Reading(oneshot::Receiver<Result<Vec<u8>, FileError>>);

impl Reading {
    /// Begins to read the file at `path`, of at most `max_bytes` bytes.
    pub(super) fn begin(path: &Path, max_bytes: u64) -> Result<Self, FileError> {
        let path = path.to_owned();
        Self::of(move || read(&path, max_bytes))
    }

    fn of(read: impl FnOnce() -> Result<Vec<u8>, FileError> + Send + 'static) -> Result<Self, FileError> {
        let (sender, receiver) = oneshot::channel();
        // Nobody waits for the bytes any more when the server stops.
        thread::Builder::new().name("small-file".to_owned()).spawn(move || drop(sender.send(read())))?;
        Ok(Self(receiver))
    }

    /// The file's bytes. After [`FileError::TimedOut`] the same reading can be waited for again.
    pub(super) async fn within(&mut self, limit: Duration) -> Result<Vec<u8>, FileError> {
        match tokio::time::timeout(limit, &mut self.0).await {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err(io::Error::other("the thread that reads it has ended").into()),
            Err(_) => Err(FileError::TimedOut(limit)),
        }
    }
}

fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, FileError> {
    // Before it is opened, because that alone does something to some devices; after it again, because another file may have
    // come to its name. Without O_NONBLOCK, opening a FIFO waits for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(FileError::NotRegular);
    }
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(FileError::NotRegular);
    }
    let mut bytes = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes { Err(FileError::TooLong(max_bytes)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::mpsc;

    use nix::sys::stat::Mode;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn regular_files_are_read_and_links_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, b"12345").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [file, link] {
            assert_eq!(Reading::begin(&path, 5).unwrap().within(LIMIT).await.unwrap(), b"12345");
            let error = Reading::begin(&path, 4).unwrap().within(LIMIT).await.unwrap_err();
            assert!(matches!(error, FileError::TooLong(4)), "{error}");
        }
    }

    #[tokio::test]
    async fn what_may_never_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        for path in [fifo, folder.path().to_owned(), PathBuf::from("/dev/zero")] {
            let error = Reading::begin(&path, 100).unwrap().within(LIMIT).await.unwrap_err();
            assert!(matches!(error, FileError::NotRegular), "{}: {error}", path.display());
        }
        let error = Reading::begin(&folder.path().join("none"), 100).unwrap().within(LIMIT).await.unwrap_err();
        assert!(matches!(&error, FileError::Io(io) if io.kind() == io::ErrorKind::NotFound), "{error}");
    }

    #[tokio::test]
    async fn a_reading_that_hangs_is_given_up_and_can_be_waited_for_again() {
        let (answer, file_system) = mpsc::channel();
        let mut reading = Reading::of(move || Ok(file_system.recv().unwrap_or_default())).unwrap();
        for _ in 0..2 {
            let error = reading.within(Duration::from_millis(1)).await.unwrap_err();
            assert!(matches!(error, FileError::TimedOut(_)), "{error}");
        }
        answer.send(b"late".to_vec()).unwrap();
        assert_eq!(reading.within(LIMIT).await.unwrap(), b"late");
    }
}
