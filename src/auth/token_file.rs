use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::small_file::{FileError, Reading};
use super::tokens::Tokens;

/// Some 30,000 tokens; what is longer is another file.
const MAX_BYTES: u64 = 2 << 20;
/// A file system that takes longer hangs.
const TIME_LIMIT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// A change is adopted when the file has not changed again for so long: editors empty a file before they write it.
const SETTLE_TIME: Duration = Duration::from_millis(200);
/// More line numbers are not logged.
const MAX_LOGGED_LINES: usize = 20;

/// The file with the tokens' digests. Anyone who holds a [`watch::Receiver`] of it sees tokens come and go.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    tokens: watch::Sender<Arc<Tokens>>,
    is_stale: AtomicBool,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("could not read the token file {path}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// Nobody could use the server. Only an error when the server starts, because then it is most likely a mistake.
    #[error("there is no token in the token file {path}; `sagittal token NAME` makes a line of it{}", skipped(lines))]
    Empty {
        /// Which one.
        path: PathBuf,
        /// Numbers of lines that are none of a token.
        lines: Vec<usize>,
    },
}

impl TokenFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`TokenFileError`]
    pub async fn open(path: &Path) -> Result<Self, TokenFileError> {
        let file = Self { path: path.to_owned(), tokens: watch::Sender::default(), is_stale: AtomicBool::new(false) };
        let tokens = file.read().await?;
        if tokens.is_empty() {
            return Err(TokenFileError::Empty { path: file.path, lines: tokens.skipped_lines().to_vec() });
        }
        file.adopt(tokens);
        Ok(file)
    }

    /// The accepted tokens.
    #[must_use]
    pub fn tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens.borrow())
    }

    /// The accepted tokens, as they change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<Tokens>> {
        self.tokens.subscribe()
    }

    /// Whether the file could not be read when it was last read, so that the tokens are those from before.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Relaxed)
    }

    /// Reads the file again and adopts it at once, if it can be read. Returns whether it has changed.
    ///
    /// # Errors
    /// [`TokenFileError::Read`]
    pub async fn reload(&self) -> Result<bool, TokenFileError> {
        let tokens = self.read().await?;
        let has_changed = tokens != *self.tokens();
        if has_changed {
            self.adopt(tokens);
        }
        Ok(has_changed)
    }

    /// Reads the file again and again, and adopts what has changed within a second. Never returns.
    pub async fn poll(&self) {
        let mut change = Change::default();
        loop {
            tokio::time::sleep(if change.is_pending() { SETTLE_TIME } else { POLL_INTERVAL }).await;
            match self.read_until_it_answers().await {
                Some(read) => change.settled(&self.tokens(), read).into_iter().for_each(|tokens| self.adopt(tokens)),
                None => change = Change::default(),
            }
        }
    }

    async fn read(&self) -> Result<Tokens, TokenFileError> {
        let failed = |source| TokenFileError::Read { path: self.path.clone(), source };
        let bytes = Reading::begin(&self.path, MAX_BYTES).map_err(failed)?.within(TIME_LIMIT).await.map_err(failed)?;
        Ok(Tokens::parse(&bytes))
    }

    /// The tokens, or `None` when they cannot be read. There is one reading at a time, however long it takes.
    async fn read_until_it_answers(&self) -> Option<Tokens> {
        let mut reading = Reading::begin(&self.path, MAX_BYTES).map_err(|error| self.note_failure(&error)).ok()?;
        loop {
            match reading.within(TIME_LIMIT).await {
                Ok(bytes) => {
                    if self.is_stale.swap(false, Ordering::Relaxed) {
                        tracing::info!("the token file can be read again");
                    }
                    return Some(Tokens::parse(&bytes));
                }
                Err(error) => {
                    self.note_failure(&error);
                    if !matches!(error, FileError::TimedOut(_)) {
                        return None;
                    }
                }
            }
        }
    }

    fn note_failure(&self, error: &FileError) {
        if !self.is_stale.swap(true, Ordering::Relaxed) {
            let path = self.path.display();
            let error = error as &dyn std::error::Error;
            tracing::error!(%path, error, "could not read the token file; tokens accepted before stay accepted");
        }
    }

    fn adopt(&self, tokens: Tokens) {
        let count = tokens.len();
        tracing::info!(tokens = count, "token file loaded");
        if !tokens.skipped_lines().is_empty() {
            let lines = listed(tokens.skipped_lines());
            tracing::error!(lines, "lines of the token file were skipped; `sagittal token NAME` makes a line of it");
        }
        if count == 0 {
            tracing::warn!("there is no token in the token file: every request is refused");
        }
        self.tokens.send_replace(Arc::new(tokens));
    }
}

/// What was read last, where that is not what is accepted.
#[derive(Debug, Default)]
struct Change(Option<Tokens>);

impl Change {
    fn is_pending(&self) -> bool {
        self.0.is_some()
    }

    /// What is to be accepted from now on: what was read twice in a row.
    fn settled(&mut self, accepted: &Tokens, read: Tokens) -> Option<Tokens> {
        let last = self.0.take();
        if read == *accepted {
            return None;
        }
        if last.as_ref() == Some(&read) {
            return last;
        }
        self.0 = Some(read);
        None
    }
}

fn listed(lines: &[usize]) -> String {
    let mut numbers: Vec<_> = lines.iter().take(MAX_LOGGED_LINES).map(usize::to_string).collect();
    if lines.len() > MAX_LOGGED_LINES {
        numbers.push(format!("and {} more", lines.len() - MAX_LOGGED_LINES));
    }
    numbers.join(", ")
}

fn skipped(lines: &[usize]) -> String {
    match lines {
        [] => String::new(),
        [line] => format!("; line {line} is not a name, a space and 64 hexadecimal digits"),
        lines => format!("; lines {} are not a name, a space and 64 hexadecimal digits", listed(lines)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::{NewToken, Principal};
    use super::*;

    fn name_of(file: &TokenFile, token: &NewToken) -> Option<String> {
        file.tokens().principal_of(&token.token).map(|principal: &Principal| principal.name().to_owned())
    }

    #[tokio::test]
    async fn tokens_come_and_go_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let [ann, ben] = ["ann", "ben"].map(|name| Tokens::generate(name).unwrap());
        std::fs::write(&path, &ann.line).unwrap();
        let file = TokenFile::open(&path).await.unwrap();
        assert!(!file.reload().await.unwrap());
        std::fs::write(&path, format!("{}\nnonsense", ben.line)).unwrap();
        assert!(file.reload().await.unwrap());
        assert_eq!((name_of(&file, &ann), name_of(&file, &ben).as_deref()), (None, Some("ben")));
        std::fs::remove_file(&path).unwrap();
        assert!(file.reload().await.is_err());
        assert_eq!(name_of(&file, &ben).as_deref(), Some("ben"), "what cannot be read changes nothing");
        std::fs::write(&path, "").unwrap();
        assert!(file.reload().await.unwrap());
        assert!(file.tokens().is_empty());
    }

    #[tokio::test]
    async fn a_server_does_not_start_without_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        for (text, hint) in
            [("", "sagittal token NAME"), ("# x\n\nann", "line 3 is not"), ("a\nb\n", "lines 1, 2 are not")]
        {
            std::fs::write(&path, text).unwrap();
            let error = TokenFile::open(&path).await.unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
        let many: Vec<usize> = (1..=23).collect();
        assert!(listed(&many).ends_with("19, 20, and 3 more"), "{}", listed(&many));
    }

    #[test]
    fn a_file_that_is_being_written_is_not_adopted_half_way() {
        let [none, one, two] = ["", "a", "ab"].map(|names| {
            let lines: Vec<_> = names.chars().map(|name| format!("{name} {}", name.to_string().repeat(64))).collect();
            Tokens::parse(lines.join("\n").as_bytes())
        });
        let mut change = Change::default();
        for (read, adopted) in [(&one, None), (&none, None), (&two, None), (&two, Some(&two))] {
            assert_eq!(change.settled(&one, read.clone()).as_ref(), adopted);
        }
        assert!(!change.is_pending());
        // Back to what it was before anybody adopted the change.
        for read in [&one, &two, &one, &two] {
            assert_eq!(change.settled(&two, read.clone()), None);
        }
        assert!(!change.is_pending());
    }
}
