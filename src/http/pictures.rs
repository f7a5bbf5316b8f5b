//! Pictures: one handler for all kinds of slice pictures, one for the montage.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use futures_util::TryStreamExt;

use super::app::{App, Question};
use super::caching::{CachePolicy, Caching, Validator};
use super::extract::{ScanPath, SlicePath};
use super::freshness::EntityTag;
use super::problem::Problem;
use super::provenance::named;
use super::ranges::broken_off;
use crate::pictures::{CacheStatus, Catalogue, Drawn, Order, PictureError, SliceName, assembled};
use crate::render::{PictureKind, PictureQuery};

/// A picture changes only when its scan is imported anew from other files. Clients may keep it for a while and ask again
/// with its tag, which costs nothing.
const POLICY: CachePolicy = CachePolicy::Fresh(300);

/// `GET /v1/scans/{id}/slices/{k}/…`
pub(super) fn slice(kind: PictureKind) -> MethodRouter<App> {
    get(async move |ScanPath(scan): ScanPath, SlicePath(slice): SlicePath, question: Question| {
        let query = PictureQuery::parse(kind, question.raw_pairs())?;
        let slice = SliceName::parse(&slice)?;
        let order = |catalogue: &Catalogue| question.app.pictures().order(catalogue, scan, &slice, &query);
        question.retried(|catalogue| answer_named(&question, catalogue.revision, order(&catalogue))).await
    })
}

/// The picture of an order, with headers that name what it shows.
async fn answer_named(
    question: &Question,
    revision: u64,
    order: Result<Order, PictureError>,
) -> Result<Response, Problem> {
    let order = question.found(order).await?;
    let response = answer(question, revision, Ok(order.clone())).await?;
    Ok(named(response, &order, order.slice()..=order.slice()))
}

/// `GET /v1/scans/{id}/montage.png`
pub(super) fn montage() -> MethodRouter<App> {
    get(async move |ScanPath(scan): ScanPath, question: Question| {
        let query = PictureQuery::parse(PictureKind::MontagePng, question.raw_pairs())?;
        let order = |catalogue: &Catalogue| question.app.pictures().order_montage(catalogue, scan, &query);
        question.retried(|catalogue| answer(&question, catalogue.revision, order(&catalogue))).await
    })
}

/// The picture of an order from the catalogue of this revision.
pub(super) async fn answer(
    question: &Question,
    revision: u64,
    order: Result<Order, PictureError>,
) -> Result<Response, Problem> {
    let order = question.found(order).await?;
    let tag = EntityTag::of(&[&order.validator()]);
    let caching = Caching::new(POLICY, Validator::of_revision(tag, revision));
    if let Some(response) = caching.decided(&question.headers) {
        return Ok(response);
    }
    if question.method == Method::HEAD || order.is_large() {
        return unrendered(question, &order, &caching).await;
    }
    let (drawn, status) = question.app.pictures().draw(order).await?;
    Ok(caching.attach(response(&drawn, status)))
}

/// What can be said before anything is rendered; and, of a large array, parts that are rendered while it is sent. HEAD gets
/// the length of a PNG only if it was rendered before.
async fn unrendered(question: &Question, order: &Order, caching: &Caching) -> Result<Response, Problem> {
    let pictures = question.app.pictures();
    let len = pictures.file_len(order).await;
    let value_mapping = pictures.value_mapping(order).await?;
    let parts = if question.method == Method::HEAD { Vec::new() } else { pictures.parts(order) };
    let body = Body::from_stream(assembled(parts.into_iter()).inspect_err(broken_off));
    let mut response = caching.attach(Response::new(body));
    let headers = response.headers_mut();
    headers.extend(len.map(|len| (header::CONTENT_LENGTH, HeaderValue::from(len))));
    describe(headers, order.file().0, value_mapping, order.pixel_mm());
    Ok(response)
}

fn describe(
    headers: &mut HeaderMap,
    media_type: &'static str,
    (slope, intercept): (f64, f64),
    [row_mm, column_mm]: [f64; 2],
) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    for (name, value) in [
        ("x-sagittal-slope", slope.to_string()),
        ("x-sagittal-intercept", intercept.to_string()),
        ("x-sagittal-spacing-mm", format!("{row_mm},{column_mm}")),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

fn response(drawn: &Arc<Drawn>, status: CacheStatus) -> Response {
    let mut response = drawn.bytes.clone().into_response();
    let headers = response.headers_mut();
    describe(headers, drawn.media_type, (drawn.slope, drawn.intercept), drawn.pixel_mm);
    headers.insert("cache-status", HeaderValue::from_static(cache_status(status)));
    if let Ok(value) = HeaderValue::try_from(server_timing(drawn, status)) {
        headers.insert("server-timing", value);
    }
    response
}

/// RFC 9211.
fn cache_status(status: CacheStatus) -> &'static str {
    match status {
        CacheStatus::Hit => "sagittal; hit",
        CacheStatus::Miss { kept: true } => "sagittal; fwd=miss; stored",
        CacheStatus::Miss { kept: false } => "sagittal; fwd=miss",
        CacheStatus::Collapsed => "sagittal; fwd=miss; collapsed",
    }
}

/// What was done for this request, in milliseconds.
fn server_timing(drawn: &Drawn, status: CacheStatus) -> String {
    let ms = |part: std::time::Duration| part.as_secs_f64() * 1e3;
    match status {
        CacheStatus::Hit => "cache;desc=hit".to_owned(),
        CacheStatus::Miss { .. } | CacheStatus::Collapsed => {
            format!("read;dur={:.3}, draw;dur={:.3}", ms(drawn.timing.read), ms(drawn.timing.draw))
        }
    }
}
