//! An import that is killed in the middle of a commit leaves its rollback journal beside the index. Nobody can read the
//! index until someone who may write has put back what the journal holds.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};

use super::{BUSY_TIMEOUT, Reader};
use crate::index::IndexError;

impl Reader {
    /// Undoes the change in the middle of which an import was killed, if there is one; a running import's goes on.
    ///
    /// # Errors
    /// [`IndexError::Interrupted`] when it cannot be undone, because the folder may not be written.
    pub async fn undo_interrupted_change(&self) -> Result<(), IndexError> {
        undo_interrupted_change(&self.path).await
    }
}

pub(super) async fn undo_interrupted_change(path: &Path) -> Result<(), IndexError> {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    if !Path::new(&journal).exists() {
        return Ok(());
    }
    let options =
        SqliteConnectOptions::new().filename(path).journal_mode(SqliteJournalMode::Delete).busy_timeout(BUSY_TIMEOUT);
    let undone = async {
        // SQLite looks for a journal that nobody holds before it reads anything.
        let mut connection = options.connect().await?;
        sqlx::query("SELECT count(*) FROM sqlite_master").execute(&mut connection).await?;
        connection.close().await
    };
    undone.await.map_err(|source| {
        IndexError::of_damage(path, source)
            .unwrap_or_else(|source| IndexError::Interrupted { path: path.to_owned(), source })
    })
}
