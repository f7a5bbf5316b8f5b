//! Tables as whole files. Readers of all three formats take a file's length first and then parts of it, so that files are
//! made whole, kept, and served in parts. CSV and NDJSON of more than 8 MiB are streamed instead, so that memory does not grow
//! with them.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};

use super::format::Format;
use crate::formats::rows::{ParquetTable, csv_header, csv_rows, ndjson_rows};
use crate::http::responses::entity_tag::EntityTag;
use crate::http::responses::files::{InMemoryFile, decided, unsized_file};
use crate::http::responses::problem::{Code, Problem};
use crate::http::responses::validator::Validator;
use crate::http::routes::listing::LIMIT;
use crate::http::state::single_flight::Lookup;
use crate::http::state::{ApiRequest, App};
use crate::index::IndexError;
use crate::params::{Form, Parameter};
use crate::query::{Listing, Row, Shown, Table};
use crate::renderer::RendererError;
use crate::worker_pool::{Flow, Reservation};

/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 10_000;

/// The largest Parquet file, in bytes.
const LARGEST: usize = 64 << 20;

/// The parameters of a whole file.
pub(in crate::http) fn file_parameters(table: Table) -> Vec<Parameter> {
    let most = Parameter {
        allowed: "all, a whole number from 1 to 1000000000",
        form: Form::Integer { min: 1, max: 1_000_000_000 },
        description: "rows at most",
        ..LIMIT
    };
    let mut parameters = table.listing_parameters();
    parameters.push(most);
    parameters
}

/// A table of text, whole or too large for that.
enum Text {
    Whole(Bytes),
    Stream(Body),
}

pub(super) async fn answer(table: Table, format: Format, request: ApiRequest) -> Result<Response, Problem> {
    let valid = file_parameters(table);
    let pairs = request.parameters(&valid)?;
    let mut query = Listing::parse(table, Shown::InTables, &pairs)?;
    query.limit = pairs.parsed("limit")?;
    let caching = |revision: u64| {
        let tag = EntityTag::of(&[request.address(), format.media_type(), &revision.to_string()]);
        Validator::of_revision(tag, revision)
    };
    if let Some(response) = decided(&caching(request.catalogue.revision), &request.headers) {
        return Ok(response);
    }
    let revision = request.snapshot().await?.catalogue.revision;
    let validator = caching(revision);
    if format == Format::Parquet {
        let bytes = parquet(&request, revision, query).await?;
        return Ok(InMemoryFile { bytes, media_type: format.media_type(), validator }.answer(&request.headers));
    }
    let body = match text(&request, revision, query, format).await? {
        Text::Whole(bytes) => {
            return Ok(InMemoryFile { bytes, media_type: format.media_type(), validator }.answer(&request.headers));
        }
        Text::Stream(body) => body,
    };
    Ok(unsized_file(&validator, format.media_type(), body))
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
            let snapshot = app.renderer().snapshot().await?;
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

/// The file of this request at a revision, or the turn to make it.
async fn kept_or_turn(
    request: &ApiRequest,
    revision: u64,
    format: Format,
) -> Lookup<'_, (String, &'static str, u64), Bytes> {
    let key = (request.address().to_owned(), format.media_type(), revision);
    request.app.table_files().look_up(key).await
}

/// The lines of a table. The first 8 MiB are made before the status is sent: what can go wrong mostly goes wrong there.
async fn text(request: &ApiRequest, revision: u64, query: Listing, format: Format) -> Result<Text, Problem> {
    let turn = match kept_or_turn(request, revision, format).await {
        Lookup::Kept(bytes) => return Ok(Text::Whole(bytes)),
        Lookup::Turn(turn) => turn,
    };
    // A buffer that grows holds up to twice what was written to it.
    let reservation = reserve(request, 2 * request.app.limits().whole_table_bytes as u64).await?;
    let mut text = if format == Format::Csv { csv_header(&query.columns) } else { Vec::new() };
    let lines = move |(query, rows): (Listing, Vec<Row>)| {
        let cells = rows.iter().map(|row| row.cells.as_slice());
        if format == Format::Csv { csv_rows(cells) } else { ndjson_rows(&query.columns, cells) }
    };
    let mut batches = Box::pin(batches(request.app.clone(), revision, query));
    while let Some(batch) = batches.next().await {
        text.extend(lines(batch?));
        if text.len() > request.app.limits().whole_table_bytes {
            drop(turn);
            let rest = batches.map(move |batch| {
                let lines = batch.map(|batch| Bytes::from(lines(batch)));
                lines.inspect_err(|error| tracing::error!(error = error as &dyn std::error::Error, "a table broke off"))
            });
            let first = reservation.hold(text.into());
            return Ok(Text::Stream(Body::from_stream(stream::once(async { Ok(first) }).chain(rest))));
        }
    }
    let bytes = Bytes::from(text);
    turn.keep(bytes.clone());
    Ok(Text::Whole(reservation.hold(bytes)))
}

async fn parquet(request: &ApiRequest, revision: u64, query: Listing) -> Result<Bytes, Problem> {
    let turn = match kept_or_turn(request, revision, Format::Parquet).await {
        Lookup::Kept(bytes) => return Ok(bytes),
        Lookup::Turn(turn) => turn,
    };
    let largest = request.app.renderer().pool().budget().largest().min(LARGEST as u64);
    let reservation = reserve(request, largest).await?;
    let mut table = ParquetTable::new(&query.columns).map_err(|error| Problem::internal(&error))?;
    let mut batches = Box::pin(batches(request.app.clone(), revision, query));
    while let Some(batch) = batches.next().await {
        let (_, rows) = batch?;
        table = off_thread(move || table.add(&rows).map(|()| table)).await?;
        if table.bytes_so_far() as u64 > largest {
            let detail = format!(
                "a Parquet file of this table would have more than {} MiB; choose fewer rows or fields, or take .csv or .ndjson, which are streamed",
                largest >> 20
            );
            return Err(Problem::new(Code::TableTooLarge, detail));
        }
    }
    let bytes = Bytes::from(off_thread(move || table.finish()).await?);
    turn.keep(bytes.clone());
    Ok(reservation.hold(bytes))
}

/// Memory for a file that is made: so many bytes, or all that one response may have.
async fn reserve(request: &ApiRequest, bytes: u64) -> Result<Reservation, Problem> {
    let budget = request.app.renderer().pool().budget();
    Ok(budget.reserve(Flow::interactive(), bytes.min(budget.largest())).await.map_err(RendererError::Memory)?)
}

/// Encoding takes a core for a while, and the async threads have other clients.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, crate::formats::parquet::EncodeError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))?;
    done.map_err(|error| Problem::internal(&error))
}
