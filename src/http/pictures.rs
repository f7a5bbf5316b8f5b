//! Pictures: one handler for all kinds of slice pictures, one for the montage.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use super::app::App;
use super::extract::{RawPairs, ScanPath, SlicePath};
use super::freshness::EntityTag;
use super::problem::Problem;
use crate::pictures::{CacheStatus, Drawn, Order, PictureError, SliceName};
use crate::render::{PictureKind, PictureQuery};

/// A picture changes only when its scan is imported anew from other files. Clients may keep it for a while and ask again
/// with its tag, which costs nothing.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// `GET /v1/scans/{id}/slices/{k}/…`
pub(super) fn slice(kind: PictureKind) -> MethodRouter<App> {
    get(
        move |State(app): State<App>,
              ScanPath(scan): ScanPath,
              SlicePath(slice): SlicePath,
              RawPairs(pairs): RawPairs,
              headers: HeaderMap| async move {
            let query = PictureQuery::parse(kind, &pairs)?;
            let order = app.pictures().order(scan, &SliceName::parse(&slice)?, &query);
            answer(&app, order, &headers).await
        },
    )
}

/// `GET /v1/scans/{id}/montage.png`
pub(super) fn montage() -> MethodRouter<App> {
    get(|State(app): State<App>, ScanPath(scan): ScanPath, RawPairs(pairs): RawPairs, headers: HeaderMap| async move {
        let query = PictureQuery::parse(PictureKind::MontagePng, &pairs)?;
        let order = app.pictures().order_montage(scan, &query);
        answer(&app, order, &headers).await
    })
}

pub(super) async fn answer(
    app: &App,
    order: Result<Order, PictureError>,
    request: &HeaderMap,
) -> Result<Response, Problem> {
    let order = match order {
        // The catalogue has scans with a volume only; the index tells a scan without one from no scan at all.
        Err(PictureError::UnknownScan(scan)) => {
            return Err(app.volume(scan).await.err().unwrap_or_else(Problem::retry));
        }
        order => order?,
    };
    let tag = EntityTag::of(&[&order.validator()]);
    if tag.is_known_to(request) {
        let headers = [(header::ETAG, tag.header()), (header::CACHE_CONTROL, CACHE_CONTROL)];
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let (drawn, status) = app.pictures().draw(order).await?;
    Ok(response(&drawn, status, &tag))
}

fn response(drawn: &Arc<Drawn>, status: CacheStatus, tag: &EntityTag) -> Response {
    let mut response = drawn.bytes.clone().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(drawn.media_type));
    headers.insert(header::ETAG, tag.header());
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    headers.insert("cache-status", HeaderValue::from_static(cache_status(status)));
    let [row_mm, column_mm] = drawn.pixel_mm;
    for (name, value) in [
        ("x-sagittal-slope", drawn.slope.to_string()),
        ("x-sagittal-intercept", drawn.intercept.to_string()),
        ("x-sagittal-spacing-mm", format!("{row_mm},{column_mm}")),
        ("server-timing", server_timing(drawn, status)),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
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
