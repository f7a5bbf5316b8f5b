mod file_identity;
mod query_results;
mod recovery;
mod statistics;
mod transaction;
mod whole;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use super::convert::Columns;
use super::{IndexError, path_in, schema};
use crate::spider::fields_digest;
use file_identity::FileIdentity;

pub use query_results::Page;
pub use statistics::{FieldSummary, Group, Histogram, Summary};
pub use transaction::ReadTransaction;

/// How long a query waits for an import's commit.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a query waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a query of tables may take, when nothing else is said.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Of a private copy of the index, to be read without copying. The index of a data folder is never mapped: someone may cut it
/// short, and reading a mapped page beyond the end of its file kills the process.
const MAPPED_BYTES: &str = "8589934592";

/// Pages that each connection keeps of an index that is not mapped, in KiB (negative is SQLite's way to say that).
const PAGE_CACHE: &str = "-8192";

/// Transactions that may be open at once.
const CONNECTIONS: u32 = 8;

/// How often an index is opened that is replaced again and again while its connections are made.
const OPEN_ATTEMPTS: usize = 5;

/// Reads one index file; cannot change anything. Clones share its connections.
///
/// All connections are opened at once and kept, so that every one of them reads the same file, whatever its path names later.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: SqlitePool,
    /// One connection for readiness alone, which queries of tables cannot keep waiting.
    probe: SqlitePool,
    path: Arc<Path>,
    /// Which file it is; `None` for a copy that has no name any more.
    file: Option<FileIdentity>,
    /// What a query of tables may take.
    time_limit: Duration,
}

/// Connections of which each begins without the deadline that a query left behind whose client went away.
fn connections(most: u32) -> SqlitePoolOptions {
    let options = SqlitePoolOptions::new().max_connections(most).idle_timeout(None).max_lifetime(None);
    options.acquire_timeout(ACQUIRE_TIMEOUT).before_acquire(|connection, _| {
        Box::pin(async {
            connection.lock_handle().await?.remove_progress_handler();
            Ok(true)
        })
    })
}

impl Reader {
    /// Opens the index of a data folder.
    ///
    /// # Errors
    /// [`IndexError::Missing`] when there is none, [`IndexError::Forbidden`] or [`IndexError::Open`] when it cannot be opened,
    /// [`IndexError::Interrupted`] as of [`Reader::undo_interrupted_change`], and whatever else keeps it from being served.
    pub async fn open(data: &Path) -> Result<Self, IndexError> {
        Self::open_file(&path_in(data)).await
    }

    async fn open_file(path: &Path) -> Result<Self, IndexError> {
        // That there is none is a better answer than why it cannot be mended.
        FileIdentity::of(path).await?;
        recovery::undo_interrupted_change(path).await?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .pragma("cache_size", PAGE_CACHE)
            .journal_mode(SqliteJournalMode::Delete)
            .busy_timeout(BUSY_TIMEOUT);
        for _ in 0..OPEN_ATTEMPTS {
            let file = FileIdentity::of(path).await?;
            let reader = Self::connect(options.clone(), path, Some(file)).await?;
            if FileIdentity::of(path).await? == file {
                return Ok(reader);
            }
        }
        let source = sqlx::Error::Io(std::io::Error::other("the file is replaced again and again"));
        Err(IndexError::Open { path: path.to_owned(), source })
    }

    /// Opens a copy of an index that nobody changes. The file may be removed as soon as this returns: its contents stay until
    /// the last connection is closed.
    ///
    /// # Errors
    /// [`IndexError`] when the file is no index of this version.
    pub async fn open_copy(path: &Path) -> Result<Self, IndexError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .immutable(true)
            .pragma("mmap_size", MAPPED_BYTES);
        Self::connect(options, path, None).await
    }

    async fn connect(
        options: SqliteConnectOptions,
        path: &Path,
        file: Option<FileIdentity>,
    ) -> Result<Self, IndexError> {
        let open = |source| {
            IndexError::of_damage(path, source)
                .unwrap_or_else(|source| IndexError::Open { path: path.to_owned(), source })
        };
        let pool = connections(CONNECTIONS).connect_with(options.clone()).await.map_err(open)?;
        let all = futures_util::future::try_join_all((0..CONNECTIONS).map(|_| pool.acquire())).await.map_err(open)?;
        drop(all);
        let probe = connections(1).connect_with(options).await.map_err(open)?;
        let reader = Self { pool, probe, path: path.into(), file, time_limit: TIME_LIMIT };
        reader.check_schema(path.to_owned()).await?;
        Ok(reader)
    }

    /// Another reader, if the path of this one names another file by now, or if this one has lost connections; `None` while this
    /// one is good, and always for a copy.
    ///
    /// # Errors
    /// [`IndexError`] when there is no index any more, or one that cannot be opened.
    pub async fn reopened_if_replaced(&self) -> Result<Option<Self>, IndexError> {
        if !self.is_outdated().await? {
            return Ok(None);
        }
        let reader = Self::open_file(&self.path).await?;
        tracing::info!(path = %self.path.display(), "the index file was replaced");
        Ok(Some(reader.within(self.time_limit)))
    }

    /// Whether connections were lost. The ones that would take their place might read another file.
    #[must_use]
    pub fn has_lost_connections(&self) -> bool {
        self.pool.size() < CONNECTIONS
    }

    /// Whether both read through the same connections.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.path, &other.path)
    }

    /// The same reader with another limit for queries of tables.
    #[must_use]
    pub fn within(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// What a query of tables may take.
    #[must_use]
    pub fn time_limit(&self) -> Duration {
        self.time_limit
    }

    /// Begins to read the index as it is at this moment.
    ///
    /// # Errors
    /// [`IndexError::Busy`] or [`IndexError::Unreadable`].
    pub async fn begin(&self) -> Result<ReadTransaction, IndexError> {
        ReadTransaction::begin(&self.pool, &self.path, self.time_limit).await
    }

    /// The revision of the index at this moment, however many other queries are under way; `None` when the index has to be opened
    /// again, see [`Reader::reopened_if_replaced`].
    ///
    /// # Errors
    /// As of [`Reader::begin`], and [`IndexError::Missing`] when there is no index any more.
    pub async fn probe(&self) -> Result<Option<u64>, IndexError> {
        if self.is_outdated().await? {
            return Ok(None);
        }
        Ok(Some(ReadTransaction::begin(&self.probe, &self.path, self.time_limit).await?.revision()))
    }

    /// Whether the path names another file by now, or connections were lost; never for a copy.
    async fn is_outdated(&self) -> Result<bool, IndexError> {
        let Some(file) = self.file else { return Ok(false) };
        Ok(FileIdentity::of(&self.path).await? != file || self.has_lost_connections())
    }

    async fn check_schema(&self, path: PathBuf) -> Result<(), IndexError> {
        let newest = sqlx::query("SELECT coalesce(max(version), 0) AS version FROM _sqlx_migrations");
        let index = self.begin().await?;
        let rows = index.all("the schema", newest).await?;
        let found: i64 = rows.first().map_or(Ok(0), |row| Columns(row).get("version"))?;
        let wanted = schema();
        match found.cmp(&wanted) {
            std::cmp::Ordering::Less => return Err(IndexError::Schema { path, found, wanted }),
            std::cmp::Ordering::Greater => return Err(IndexError::Newer { path, found, wanted }),
            std::cmp::Ordering::Equal => {}
        }
        let rows = index.all("the fields", sqlx::query("SELECT fields FROM state")).await?;
        let fields: Option<String> = rows.first().map_or(Ok(None), |row| Columns(row).get("fields"))?;
        if fields.is_none_or(|fields| fields == fields_digest()) { Ok(()) } else { Err(IndexError::Fields { path }) }
    }
}
