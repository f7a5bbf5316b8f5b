//! Discs cut out of their slices.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use super::app::App;
use super::extract::{DiscPath, RawPairs, ScanPath};
use super::freshness::EntityTag;
use super::pictures::answer;
use super::problem::{Code, Problem};
use super::ranges::File;
use crate::formats::npy;
use crate::parameters::{ParameterError, plain};
use crate::pictures::{Order, SliceName};
use crate::render::PatchQuery;
use crate::spider::{Label, LabelClass, ScanId};
use crate::volume::VolumeLabel;

/// `GET /v1/scans/{id}/discs/{label}/patch.png|npy`
pub(super) fn show(is_npy: bool) -> MethodRouter<App> {
    get(
        async move |State(app): State<App>,
                    ScanPath(scan): ScanPath,
                    DiscPath(label): DiscPath,
                    RawPairs(pairs): RawPairs,
                    headers: HeaderMap| {
            let query = PatchQuery::parse(is_npy, &pairs)?;
            let disc = disc(&app, scan, &label).await?;
            if query.is_volume {
                volume(&app, scan, &disc, &query, &headers).await
            } else {
                slice(&app, scan, &disc, &query, &headers).await
            }
        },
    )
}

/// The disc in the scan's mask.
async fn disc(app: &App, scan: ScanId, text: &str) -> Result<VolumeLabel, Problem> {
    app.volume(scan).await?;
    let labels = app.index().labels(scan).await?;
    let discs: Vec<_> = labels.into_iter().filter(|found| found.label.class() == LabelClass::Disc).collect();
    let asked = plain(text).map(Label);
    let found = discs.iter().find(|found| Some(found.label) == asked);
    found.copied().ok_or_else(|| {
        let there: Vec<_> = discs.iter().map(|found| found.label.0.to_string()).collect();
        Problem::new(Code::UnknownDisc, format!("{scan} has no disc {text}; its discs are {}", there.join(", ")))
    })
}

async fn slice(
    app: &App,
    scan: ScanId,
    disc: &VolumeLabel,
    query: &PatchQuery,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let spacing = app.pictures().spacing_mm(scan)?;
    let order = app.pictures().order(scan, &SliceName::Number(disc.best_slice), &query.around(disc, spacing));
    let response = answer(app, order, headers).await?;
    Ok(with_slices(response, disc.best_slice, disc.best_slice))
}

/// All slices of the patch, one after the other, under one header.
async fn volume(
    app: &App,
    scan: ScanId,
    disc: &VolumeLabel,
    query: &PatchQuery,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let spacing = app.pictures().spacing_mm(scan)?;
    let slices = query.slices(disc, app.pictures().slices(scan)?, spacing[0]);
    let picture = query.around(disc, spacing);
    let orders = slices.clone().map(|slice| app.pictures().order(scan, &SliceName::Number(slice), &picture));
    let orders: Vec<Order> = orders.collect::<Result<_, _>>()?;
    let Some(first) = orders.first() else { return Err(Problem::retry()) };
    let [height, width] = first.canvas();
    let pixels = (orders.len() * height * width) as u64;
    if pixels > app.pictures().max_pixels() {
        let message = format!(
            "{} slices of {width} × {height} pixels are too large; at most {} pixels are drawn",
            orders.len(),
            app.pictures().max_pixels()
        );
        return Err(ParameterError::other("output_too_large", "spacing", message).into());
    }
    let validators: Vec<_> = orders.iter().map(Order::validator).collect();
    let tag = EntityTag::of(&validators.iter().map(String::as_str).collect::<Vec<_>>());
    let mut file = npy::header(first.element(), &[orders.len(), height, width]);
    for order in orders {
        let (drawn, _) = app.pictures().draw(order).await?;
        file.extend_from_slice(drawn.bytes.get(npy::array_start(&drawn.bytes).unwrap_or(0)..).unwrap_or(&[]));
    }
    let response = File { bytes: file.into(), media_type: "application/octet-stream", tag }.answer(headers);
    Ok(with_slices(response, *slices.start(), *slices.end()))
}

/// Says which slices of the scan are shown.
fn with_slices(mut response: Response, first: usize, last: usize) -> Response {
    if let Ok(value) = HeaderValue::try_from(format!("{first}-{last}")) {
        response.headers_mut().insert("x-sagittal-slices", value);
    }
    response
}
