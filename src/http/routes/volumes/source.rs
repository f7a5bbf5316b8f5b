//! `.mha?layout=stored`: the voxels, element type and grid of the file that a scan was imported from.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use super::VolumeFormat;
use crate::formats::metaimage;
use crate::http::responses::caching::Validator;
use crate::http::responses::entity_tag::EntityTag;
use crate::http::responses::files::StreamedFile;
use crate::http::responses::problem::Problem;
use crate::http::responses::provenance;
use crate::http::state::{ApiRequest, known_volume};
use crate::imaging::ImageKind;
use crate::renderer::{Part, SourceVolume};
use crate::spider::ScanId;
use crate::store::Array;
use crate::worker_pool::Flow;

/// SHA-256 of the file that the scan was imported from. The response has its voxels, and other bytes.
pub(in crate::http) const SOURCE_SHA256: HeaderName = HeaderName::from_static("x-sagittal-source-sha256");

pub(super) async fn send(request: &ApiRequest, scan: ScanId, kind: ImageKind) -> Result<Response, Problem> {
    let snapshot = request.snapshot().await?;
    let facts = known_volume(&snapshot, scan).await?;
    let catalogue = snapshot.catalogue;
    drop(snapshot.index);
    let (array, element, sha256) = if kind.is_mask() {
        (Array::Mask, facts.mask_element, &facts.mask_sha256)
    } else {
        (Array::Image, facts.element, &facts.image_sha256)
    };
    let volume = SourceVolume::new(&catalogue, scan, array, element)?;
    let geometry = facts.source_geometry;
    let header = metaimage::raw_header(element, &geometry);
    let len = header.len() + geometry.voxels() * element.size();
    let tag = EntityTag::of(&["source volume", &scan.to_string(), &facts.revision, kind.file_name()]);
    let validator = Validator::of_revision(tag, catalogue.revision);
    let renderer = Arc::clone(request.app.renderer());
    let parts =
        move || std::iter::once(Part::ready(header.clone())).chain(renderer.source_parts(&volume, Flow::bulk()));
    let media_type = VolumeFormat::MetaImage.media_type();
    let file = StreamedFile { len: Some(len as u64), validator, media_type };
    let mut response = file.answer(&request.app, &request.headers, parts).await?;
    if response.status().is_success() {
        let named = [(provenance::SCAN, scan.to_string()), (SOURCE_SHA256, sha256.clone())];
        for (name, value) in named {
            response.headers_mut().extend(HeaderValue::try_from(value).map(|value| (name, value)));
        }
    }
    Ok(response)
}
