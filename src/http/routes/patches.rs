//! Discs cut out of their slices.

use std::sync::Arc;

use axum::response::Response;
use axum::routing::{MethodRouter, get};

use super::images::answer;
use crate::bundles::{Bundle, Stack};
use crate::http::extract::{DiscPath, ScanPath};
use crate::http::responses::problem::{Code, Problem};
use crate::http::responses::provenance::named;
use crate::http::state::image_responses::CachedImage;
use crate::http::state::{ApiRequest, App, known_volume};
use crate::imaging::PatchQuery;
use crate::params::{ParameterError, ParameterErrorKind, plain};
use crate::renderer::{Catalogue, Keep, RenderRequest, SliceName, Snapshot};
use crate::spider::{Label, LabelClass, ScanId};
use crate::volume::VolumeLabel;
use crate::worker_pool::Flow;

/// `GET /v1/scans/{id}/discs/{label}/patch.png|npy`
pub(in crate::http) fn show(is_npy: bool) -> MethodRouter<App> {
    get(async move |ScanPath(scan): ScanPath, DiscPath(label): DiscPath, request: ApiRequest| {
        let query = PatchQuery::parse(is_npy, request.raw_pairs())?;
        // Where the disc lies is in the index only: the catalogue that goes with it is the snapshot's.
        request.retried(|_| patch(&request, scan, &label, &query)).await
    })
}

async fn patch(request: &ApiRequest, scan: ScanId, label: &str, query: &PatchQuery) -> Result<Response, Problem> {
    let (catalogue, disc) = {
        let snapshot = request.snapshot().await?;
        let disc = disc(&snapshot, scan, label).await?;
        (snapshot.catalogue, disc)
    };
    if query.is_volume {
        volume(request, &catalogue, scan, &disc, query).await
    } else {
        slice(request, &catalogue, scan, &disc, query).await
    }
}

/// The disc in the scan's mask.
async fn disc(snapshot: &Snapshot, scan: ScanId, text: &str) -> Result<VolumeLabel, Problem> {
    if snapshot.catalogue.group(scan).is_none() {
        known_volume(snapshot, scan).await?;
    }
    let labels = snapshot.index.labels(scan).await?;
    let discs: Vec<_> = labels.into_iter().filter(|found| found.label.class() == LabelClass::Disc).collect();
    let asked = plain(text).map(Label);
    let found = discs.iter().find(|found| Some(found.label) == asked);
    found.copied().ok_or_else(|| {
        let there: Vec<_> = discs.iter().map(|found| found.label.0.to_string()).collect();
        Problem::new(Code::UnknownDisc, format!("{scan} has no disc {text}; its discs are {}", there.join(", ")))
    })
}

async fn slice(
    request: &ApiRequest,
    catalogue: &Arc<Catalogue>,
    scan: ScanId,
    disc: &VolumeLabel,
    query: &PatchQuery,
) -> Result<Response, Problem> {
    let spacing_mm = catalogue.grid(scan)?.canonical.spacing_mm();
    let (name, image_request) = (SliceName::Number(disc.best_slice), query.around(disc, spacing_mm));
    let render_request = request.app.renderer().render_request(catalogue, scan, &name, &image_request)?;
    let mut response = answer(request, catalogue.revision, Ok(render_request.clone())).await?;
    // Where the disc lies is read from the index each time.
    response.extensions_mut().remove::<CachedImage>();
    Ok(named(response, &render_request, disc.best_slice..=disc.best_slice))
}

/// All slices of the patch, one after the other, under one header.
async fn volume(
    request: &ApiRequest,
    catalogue: &Arc<Catalogue>,
    scan: ScanId,
    disc: &VolumeLabel,
    query: &PatchQuery,
) -> Result<Response, Problem> {
    let renderer = request.app.renderer();
    let grid = catalogue.grid(scan)?.canonical;
    let ([slices, ..], spacing_mm) = (grid.shape(), grid.spacing_mm());
    let slices = query.slices(disc, slices, spacing_mm[0]);
    let image_request = query.around(disc, spacing_mm);
    let render_requests =
        slices.clone().map(|slice| renderer.render_request(catalogue, scan, &SliceName::Number(slice), &image_request));
    let render_requests: Vec<RenderRequest> = render_requests.collect::<Result<_, _>>()?;
    let Some(first) = render_requests.first().cloned() else { return Err(Problem::retry()) };
    let [height, width] = first.canvas();
    let pixels = (render_requests.len() * height * width) as u64;
    if pixels > renderer.max_pixels() {
        let message = format!(
            "{} slices of {width} × {height} pixels are too large; at most {} pixels are rendered",
            render_requests.len(),
            renderer.max_pixels()
        );
        return Err(ParameterError::other(ParameterErrorKind::OutputTooLarge, "spacing", message).into());
    }
    let version = render_requests.iter().map(RenderRequest::validator).collect();
    let count = render_requests.len();
    let stack = Stack {
        renderer: Arc::clone(renderer),
        flow: Flow::interactive(),
        keep: Keep::Yes,
        first: first.clone(),
        count,
        image: Box::new(move |n| render_requests[n].clone()),
    };
    let bundle = Bundle::plain(renderer, "application/octet-stream", version, stack.npy(&[count]));
    Ok(named(request.send(&bundle, catalogue.revision).await?, &first, slices))
}
