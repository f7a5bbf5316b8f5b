//! The tables: `/v1/scans`, `/v1/slices`, `/v1/discs`, `/v1/gradings`, `/v1/patients`, as pages of JSON and as whole files.

mod file;
mod format;
mod item;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use super::listing;
use super::listing::{CURSOR, LIMIT, Listing};
use crate::http::responses::caching;
use crate::http::responses::problem::Problem;
use crate::http::state::{ApiRequest, App};
use crate::params::Parameter;
use crate::query::{Listing as Query, Shown, Table};

pub(in crate::http) use file::file_parameters;
pub(in crate::http) use format::Format;
pub(in crate::http) use item::{Item, item_schema};

/// The parameters of a page.
pub(in crate::http) fn page_parameters(table: Table) -> Vec<Parameter> {
    let mut parameters = table.listing_parameters();
    parameters.extend([LIMIT, CURSOR]);
    parameters
}

/// `GET /v1/{table}`: a page of JSON, or what `Accept` requests.
pub(in crate::http) fn list(table: Table) -> MethodRouter<App> {
    get(async move |request: ApiRequest| {
        let format = format::accepted(&request.headers);
        let answer = match format {
            Format::Json => page(table, request).await,
            format => file::answer(table, format, request).await,
        };
        caching::vary(answer.into_response(), header::ACCEPT)
    })
}

/// `GET /v1/{table}.{format}`
pub(in crate::http) fn file(table: Table, format: Format) -> MethodRouter<App> {
    get(async move |request: ApiRequest| file::answer(table, format, request).await)
}

async fn page(table: Table, request: ApiRequest) -> Result<Response, Problem> {
    let page = async {
        let valid = page_parameters(table);
        let pairs = request.parameters(&valid)?;
        let mut query = Query::parse(table, Shown::InItems, &pairs)?;
        let limit = listing::limit(&pairs)?;
        query.after = listing::cursor(&pairs, &query)?;
        let with_links = pairs.text("fields").is_none();
        let snapshot = request.snapshot().await?;
        let page = snapshot.index.page(&query, limit).await?;
        let total = snapshot.index.total(&query.filter).await?;
        let items: Vec<_> = page.rows.into_iter().map(|row| Item::new(&query, row, with_links)).collect();
        let next = page.next.map(|cursor| cursor.to_text(&query.sort()));
        Ok(Listing::page(&snapshot, items, total, &request.uri, next.as_deref()))
    };
    request.answer(page).await
}
