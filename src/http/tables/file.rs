//! Tables as whole files. CSV and NDJSON are streamed, so that memory does not grow with them; a Parquet file ends with what
//! its readers read first, so it is made whole, kept, and served in parts.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use moka::sync::Cache;
use tokio::sync::Mutex;

use super::file_parameters;
use super::format::Format;
use crate::formats::rows::{ParquetTable, csv_header, csv_rows, ndjson_rows};
use crate::http::app::{App, Question};
use crate::http::caching::{CachePolicy, Caching, Validator};
use crate::http::freshness::EntityTag;
use crate::http::problem::{Code, Problem};
use crate::http::ranges::{File, decided};
use crate::index::IndexError;
use crate::parameters::plain;
use crate::query::{Listing, Row, Shown, Table};

/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 10_000;

/// Memory for recent Parquet files, in bytes.
const KEPT_BYTES: u64 = 128 << 20;
/// The largest Parquet file, in bytes.
const LARGEST: usize = 64 << 20;

/// Recent Parquet files.
#[derive(Debug)]
pub(in crate::http) struct Files {
    kept: Cache<String, (u64, Bytes)>,
    /// One is made at a time: whoever waits finds it kept, if it was the same.
    making: Mutex<()>,
}

impl Files {
    pub(in crate::http) fn new() -> Self {
        let weight =
            |uri: &String, (_, bytes): &(u64, Bytes)| u32::try_from(uri.len() + bytes.len()).unwrap_or(u32::MAX);
        Self { kept: Cache::builder().max_capacity(KEPT_BYTES).weigher(weight).build(), making: Mutex::new(()) }
    }
}

pub(super) async fn answer(table: Table, format: Format, question: Question) -> Result<Response, Problem> {
    let valid = file_parameters(table);
    let pairs = question.parameters(&valid)?;
    let mut query = Listing::parse(table, Shown::InTables, &pairs)?;
    query.limit = pairs.value("limit", |text| plain(text).filter(|&limit: &u32| limit > 0))?;
    let caching = |revision: u64| {
        let tag = EntityTag::of(&[question.address(), format.suffix(), &revision.to_string()]);
        Validator::of_revision(tag, revision)
    };
    if let Some(response) = decided(&caching(question.catalogue.revision), &question.headers) {
        return Ok(response);
    }
    let revision = question.snapshot().await?.catalogue.revision;
    let validator = caching(revision);
    if format == Format::Parquet {
        let bytes = parquet(&question, revision, query).await?;
        return Ok(File { bytes, media_type: format.media_type(), validator }.answer(&question.headers));
    }
    let body = streamed(&question.app, revision, query, format).await?;
    let mut response = Caching::new(CachePolicy::Revalidate, validator).attach(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    Ok(response)
}

/// Why there are no more rows of a table.
#[derive(Debug, thiserror::Error)]
enum RowsError {
    /// The rows that follow are not those of the table that was begun.
    #[error("the index has changed since the table was begun")]
    Changed,
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl From<RowsError> for Problem {
    fn from(error: RowsError) -> Self {
        match error {
            RowsError::Changed => Self::retry(),
            RowsError::Index(error) => error.into(),
        }
    }
}

/// The rows of a listing at a revision, some at a time, from its first to its last. Each part is read for itself, so that a client
/// who reads slowly does not keep an import waiting.
fn batches(app: App, revision: u64, query: Listing) -> impl Stream<Item = Result<(Listing, Vec<Row>), RowsError>> {
    stream::try_unfold(Some(query), move |state| {
        let app = app.clone();
        async move {
            let Some(mut query) = state else { return Ok(None) };
            let wanted = query.limit.map_or(ROWS_AT_ONCE, |left| left.min(ROWS_AT_ONCE));
            let snapshot = app.pictures().snapshot().await?;
            if snapshot.catalogue.revision != revision {
                return Err(RowsError::Changed);
            }
            let page = snapshot.index.page(&query, wanted).await?;
            let shown = query.clone();
            query.limit = query.limit.map(|left| left - wanted);
            query.after = page.next;
            let goes_on = query.after.is_some() && query.limit != Some(0);
            Ok(Some(((shown, page.rows), goes_on.then_some(query))))
        }
    })
}

async fn streamed(app: &App, revision: u64, query: Listing, format: Format) -> Result<Body, Problem> {
    let header = if format == Format::Csv { csv_header(&query.columns) } else { Vec::new() };
    let mut batches = Box::pin(batches(app.clone(), revision, query));
    // The first rows before the status: what can go wrong mostly goes wrong there.
    let first = batches.next().await.transpose()?;
    let lines = move |(query, rows): (Listing, Vec<Row>)| {
        let cells = rows.iter().map(|row| row.cells.as_slice());
        Bytes::from(if format == Format::Csv { csv_rows(cells) } else { ndjson_rows(&query.columns, cells) })
    };
    let first = stream::iter(first.map(Ok));
    let body = first.chain(batches).map(move |batch| {
        batch
            .map(&lines)
            .inspect_err(|error| tracing::error!(error = error as &dyn std::error::Error, "a table broke off"))
    });
    Ok(Body::from_stream(stream::once(async { Ok(Bytes::from(header)) }).chain(body)))
}

async fn parquet(question: &Question, revision: u64, query: Listing) -> Result<Bytes, Problem> {
    let files = question.app.files();
    let kept = || files.kept.get(question.address()).filter(|(of, _)| *of == revision).map(|(_, bytes)| bytes);
    if let Some(bytes) = kept() {
        return Ok(bytes);
    }
    let _making = files.making.lock().await;
    if let Some(bytes) = kept() {
        return Ok(bytes);
    }
    let mut table = ParquetTable::new(&query.columns).map_err(|error| Problem::internal(&error))?;
    let mut batches = Box::pin(batches(question.app.clone(), revision, query));
    while let Some(batch) = batches.next().await {
        let (_, rows) = batch?;
        table = off_thread(move || table.add(&rows).map(|()| table)).await?;
        if table.bytes_so_far() > LARGEST {
            let detail = format!(
                "a Parquet file of this table would have more than {} MiB; choose fewer rows or fields, or take .csv or .ndjson, which are streamed",
                LARGEST >> 20
            );
            return Err(Problem::new(Code::TableTooLarge, detail));
        }
    }
    let bytes = Bytes::from(off_thread(move || table.finish()).await?);
    files.kept.insert(question.address().to_owned(), (revision, bytes.clone()));
    Ok(bytes)
}

/// Encoding takes a core for a while, and the async threads have other clients.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, crate::formats::parquet::EncodeError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))?;
    done.map_err(|error| Problem::internal(&error))
}
