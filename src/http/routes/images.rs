//! Images: one handler for all kinds of slice images, one for the montage.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::bundles::{Bundle, Chunks};
use crate::http::extract::{ScanPath, SlicePath};
use crate::http::responses::caching::{CachePolicy, Caching};
use crate::http::responses::entity_tag::EntityTag;
use crate::http::responses::files::streamed;
use crate::http::responses::headers::numbers;
use crate::http::responses::problem::Problem;
use crate::http::responses::provenance::named;
use crate::http::responses::validator::Validator;
use crate::http::state::image_responses::CachedImage;
use crate::http::state::{ApiRequest, App};
use crate::imaging::{ImageKind, ImageQuery};
use crate::renderer::{CacheStatus, Catalogue, RenderRequest, RenderedImage, RendererError, SliceName};

/// An image changes only when its scan is imported anew from other files. Clients may keep it for a while and ask again
/// with its tag, which costs nothing.
const POLICY: CachePolicy = CachePolicy::Fresh(300);

const SLOPE: HeaderName = HeaderName::from_static("x-sagittal-slope");
const INTERCEPT: HeaderName = HeaderName::from_static("x-sagittal-intercept");
const SPACING: HeaderName = HeaderName::from_static("x-sagittal-spacing-mm");
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// `GET /v1/scans/{id}/slices/{k}/…`
pub(in crate::http) fn slice(kind: ImageKind) -> MethodRouter<App> {
    get(async move |ScanPath(scan): ScanPath, SlicePath(slice): SlicePath, request: ApiRequest| {
        let query = ImageQuery::parse(kind, request.raw_pairs())?;
        let slice = SliceName::parse(&slice)?;
        let render_request =
            |catalogue: &Catalogue| request.app.renderer().render_request(catalogue, scan, &slice, &query);
        request.retried(|catalogue| answer_named(&request, catalogue.revision, render_request(&catalogue))).await
    })
}

/// The image of an order, with headers that name what it shows.
async fn answer_named(
    request: &ApiRequest,
    revision: u64,
    render_request: Result<RenderRequest, RendererError>,
) -> Result<Response, Problem> {
    let render_request = request.found(render_request).await?;
    let response = answer(request, revision, Ok(render_request.clone())).await?;
    Ok(named(response, &render_request, render_request.slice()..=render_request.slice()))
}

/// `GET /v1/scans/{id}/montage.png`
pub(in crate::http) fn montage() -> MethodRouter<App> {
    get(async move |ScanPath(scan): ScanPath, request: ApiRequest| {
        let query = ImageQuery::parse(ImageKind::MontagePng, request.raw_pairs())?;
        let render_request = |catalogue: &Catalogue| request.app.renderer().montage_request(catalogue, scan, &query);
        request.retried(|catalogue| answer(&request, catalogue.revision, render_request(&catalogue))).await
    })
}

/// The image of an order from the catalogue of this revision.
pub(in crate::http) async fn answer(
    request: &ApiRequest,
    revision: u64,
    render_request: Result<RenderRequest, RendererError>,
) -> Result<Response, Problem> {
    let render_request = request.found(render_request).await?;
    let tag = EntityTag::of(&[&render_request.validator()]);
    let caching = Caching::new(POLICY, Validator::of_revision(tag, revision));
    if let Some(response) = caching.decided(&request.headers) {
        return Ok(response);
    }
    if request.method == Method::HEAD || render_request.is_large() {
        return unrendered(request, &render_request, &caching).await;
    }
    let key = render_request.key().clone();
    let (rendered, status) = request.app.renderer().render(render_request).await?;
    let mut response = caching.attach(response(&rendered, status));
    if status == CacheStatus::Hit {
        response.extensions_mut().insert(CachedImage { key, revision });
    }
    Ok(response)
}

/// What can be said before anything is rendered; and, of a large array, parts that are rendered while it is sent. HEAD gets
/// the length of a PNG only if it was rendered before.
async fn unrendered(
    request: &ApiRequest,
    render_request: &RenderRequest,
    caching: &Caching,
) -> Result<Response, Problem> {
    let renderer = request.app.renderer();
    let len = renderer.file_len(render_request).await;
    let value_mapping = renderer.value_mapping(render_request).await?;
    // Not an empty body, whose length would be stated.
    let chunks = match request.method {
        Method::HEAD => stream::empty().boxed(),
        _ => Bundle::image(renderer, render_request.clone()).chunks(),
    };
    let mut response = caching.attach(Response::new(begun(chunks).await?));
    let headers = response.headers_mut();
    headers.extend(len.map(|len| (header::CONTENT_LENGTH, HeaderValue::from(len))));
    describe(headers, render_request.file().0, value_mapping, render_request.pixel_mm());
    Ok(response)
}

/// A body whose beginning is rendered: what fails before that is a problem, and not an aborted response.
async fn begun(mut chunks: Chunks) -> Result<Body, RendererError> {
    let mut first = Vec::new();
    // The header of the file, and the first band.
    while first.len() < 2
        && let Some(chunk) = chunks.try_next().await?
    {
        first.push(Ok(chunk));
    }
    Ok(streamed(stream::iter(first).chain(chunks).boxed()))
}

fn describe(headers: &mut HeaderMap, media_type: &'static str, (slope, intercept): (f64, f64), pixel_mm: [f64; 2]) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    for (name, value) in [(SLOPE, numbers([slope])), (INTERCEPT, numbers([intercept])), (SPACING, numbers(pixel_mm))] {
        headers.extend(value.map(|value| (name, value)));
    }
}

fn response(rendered: &Arc<RenderedImage>, status: CacheStatus) -> Response {
    let mut response = rendered.bytes.clone().into_response();
    let headers = response.headers_mut();
    describe(headers, rendered.media_type, (rendered.slope, rendered.intercept), rendered.pixel_mm);
    headers.insert(CACHE_STATUS, HeaderValue::from_static(cache_status(status)));
    if let Ok(value) = HeaderValue::try_from(server_timing(rendered, status)) {
        headers.insert(SERVER_TIMING, value);
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
fn server_timing(rendered: &RenderedImage, status: CacheStatus) -> String {
    let ms = |part: std::time::Duration| part.as_secs_f64() * 1e3;
    match status {
        CacheStatus::Hit => "cache;desc=hit".to_owned(),
        CacheStatus::Miss { .. } | CacheStatus::Collapsed => {
            format!("read;dur={:.3}, render;dur={:.3}", ms(rendered.timing.read), ms(rendered.timing.render))
        }
    }
}
