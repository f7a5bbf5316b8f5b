//! The tables: `/v1/scans`, `/v1/slices`, `/v1/discs`, `/v1/gradings`, `/v1/patients`, as pages of JSON and as whole files.

mod file;
mod format;
mod item;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use super::app::{App, Question};
use super::caching;
use super::listing::{self, CURSOR, LIMIT, Listing};
use super::problem::Problem;
use crate::parameters::{Form, Parameter};
use crate::query::{Listing as Query, Shown, Table};

pub(super) use file::Files;
pub(super) use format::Format;
pub(super) use item::{Item, item_schema};

/// The parameters of a page.
pub(super) fn page_parameters(table: Table) -> Vec<Parameter> {
    let mut parameters = table.listing_parameters();
    parameters.extend([LIMIT, CURSOR]);
    parameters
}

/// The parameters of a whole file.
pub(super) fn file_parameters(table: Table) -> Vec<Parameter> {
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

/// `GET /v1/{table}`: a page of JSON, or what `Accept` asks for.
pub(super) fn list(table: Table) -> MethodRouter<App> {
    get(async move |question: Question| {
        let format = format::accepted(&question.headers);
        let answer = match format {
            Format::Json => page(table, question).await,
            format => file::answer(table, format, question).await,
        };
        caching::vary(answer.into_response(), header::ACCEPT)
    })
}

/// `GET /v1/{table}.{format}`
pub(super) fn file(table: Table, format: Format) -> MethodRouter<App> {
    get(async move |question: Question| match format {
        Format::Json => page(table, question).await,
        format => file::answer(table, format, question).await,
    })
}

async fn page(table: Table, question: Question) -> Result<Response, Problem> {
    let page = async {
        let valid = page_parameters(table);
        let pairs = question.parameters(&valid)?;
        let mut query = Query::parse(table, Shown::InItems, &pairs)?;
        let limit = listing::limit(&pairs)?;
        query.after = listing::cursor(&pairs, &query)?;
        let with_links = pairs.text("fields").is_none();
        let snapshot = question.snapshot().await?;
        let page = snapshot.index.page(&query, limit).await?;
        let total = snapshot.index.total(&query.filter).await?;
        let items: Vec<_> = page.rows.into_iter().map(|row| Item::new(&query, row, with_links)).collect();
        let next = page.next.map(|cursor| cursor.to_text(&query.sort()));
        Ok(Listing::page(&snapshot, items, total, &question.uri, next.as_deref()))
    };
    question.answer(page).await
}
