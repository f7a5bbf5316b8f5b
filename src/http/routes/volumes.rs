//! Whole volumes as files.

use std::sync::Arc;

use axum::http::{HeaderValue, Method};
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use crate::bundles;
use crate::bundles::{Bundle, VolumeFormat};
use crate::http::extract::ScanPath;
use crate::http::responses::files::{decided, validator};
use crate::http::responses::problem::{Code, Problem};
use crate::http::responses::provenance;
use crate::http::responses::provenance::named;
use crate::http::state::{ApiRequest, App, known_volume};
use crate::imaging::{ImageKind, ImageQuery, Layout};
use crate::params::{Pairs, ParameterError};
use crate::renderer::{Catalogue, SliceName};
use crate::spider::ScanId;

/// `GET /v1/scans/{id}/image.npy` and the like; `kind` is that of its slices as arrays.
pub(in crate::http) fn volume(kind: ImageKind, format: VolumeFormat) -> MethodRouter<App> {
    get(async move |ScanPath(scan): ScanPath, request: ApiRequest| {
        let valid = format.parameters(kind);
        let pairs = Pairs::new(request.raw_pairs(), &valid)?;
        if format == VolumeFormat::MetaImage && pairs.parsed("layout")? == Some(Layout::Stored) {
            if let Some((other, _)) = request.raw_pairs().iter().find(|(name, _)| name != "layout") {
                let message = format!("layout=stored is the file's own voxels; leave {other} or layout out");
                return Err(ParameterError::conflict(other, message).into());
            }
            return request.retried(|_| send_source(&request, scan, kind)).await;
        }
        let query = ImageQuery::parse_volume(kind, request.raw_pairs())?;
        request.retried(|catalogue| send(&request, catalogue, scan, format, &query)).await
    })
}

async fn send(
    request: &ApiRequest,
    catalogue: Arc<Catalogue>,
    scan: ScanId,
    format: VolumeFormat,
    query: &ImageQuery,
) -> Result<Response, Problem> {
    let (renderer, revision) = (request.app.renderer(), catalogue.revision);
    let first = request.found(renderer.render_request(&catalogue, scan, &SliceName::Number(0), query)).await?;
    let volume = bundles::volume(renderer, &first, format).map_err(|error| {
        Problem::new(Code::OutputTooLarge, format!("{error}; take .npy or .mha, which have no such limit"))
    })?;
    if format == VolumeFormat::NiftiGz {
        return request.send(&with_length(request, volume, revision).await?, revision).await;
    }
    let response = request.send(&volume, revision).await?;
    Ok(named(response, &first, 0..=first.slices_of_view().saturating_sub(1)))
}

/// The zipped volume as a file whose length is known, if it is sent and not too large for that. HEAD makes none.
async fn with_length(request: &ApiRequest, volume: Bundle, revision: u64) -> Result<Bundle, Problem> {
    let (zipped, validator) = (request.app.zipped_volumes(), validator(&volume, revision));
    let is_unwanted = request.method == Method::HEAD && !zipped.has(&validator.tag);
    if is_unwanted || decided(&validator, &request.headers).is_some() {
        return Ok(volume);
    }
    Ok(zipped.whole(request.app.renderer().pool().budget(), &validator.tag, volume).await?)
}

/// `.mha?layout=stored`: the voxels, element type and grid of the file that the scan was imported from.
async fn send_source(request: &ApiRequest, scan: ScanId, kind: ImageKind) -> Result<Response, Problem> {
    let snapshot = request.snapshot().await?;
    let facts = known_volume(&snapshot, scan).await?;
    let catalogue = snapshot.catalogue;
    drop(snapshot.index);
    let volume = bundles::source_volume(request.app.renderer(), &catalogue, scan, &facts, kind)?;
    let mut response = request.send(&volume, catalogue.revision).await?;
    if response.status().is_success() {
        let sha256 = if kind.is_mask() { facts.mask_sha256 } else { facts.image_sha256 };
        for (name, value) in [(provenance::SCAN, scan.to_string()), (provenance::SOURCE_SHA256, sha256)] {
            response.headers_mut().extend(HeaderValue::try_from(value).map(|value| (name, value)));
        }
    }
    Ok(response)
}
