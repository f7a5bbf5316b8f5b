//! Whole volumes as files: `.npy` in any rendition; `.nii`, `.nii.gz` and `.mha` as acquired, in canonical layout, with their
//! true place in the patient. They are sent while they are read, a few slices at a time.

use std::io::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::app::App;
use super::extract::{RawPairs, ScanPath};
use super::freshness::EntityTag;
use super::problem::Problem;
use super::ranges::{SentFile, broken_off};
use crate::formats::{metaimage, nifti, npy};
use crate::parameters::{Pairs, Parameter};
use crate::pictures::{Keep, Order, Part, PictureError, SliceName, assembled};
use crate::render::{PictureKind, PictureQuery, native_parameters, volume_parameters};
use crate::spider::ScanId;

/// How a volume is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VolumeFormat {
    Npy,
    Nifti,
    NiftiGz,
    MetaImage,
}

impl VolumeFormat {
    pub(super) const ALL: [Self; 4] = [Self::Npy, Self::Nifti, Self::NiftiGz, Self::MetaImage];

    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Npy => "npy",
            Self::Nifti => "nii",
            Self::NiftiGz => "nii.gz",
            Self::MetaImage => "mha",
        }
    }

    pub(super) fn parameters(self, kind: PictureKind) -> Vec<Parameter> {
        match self {
            Self::Npy => volume_parameters(kind),
            _ => native_parameters(kind),
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        if self == Self::NiftiGz { "application/gzip" } else { "application/octet-stream" }
    }
}

/// `GET /v1/scans/{id}/image.npy` and the like; `kind` is that of its slices as arrays.
pub(super) fn volume(kind: PictureKind, format: VolumeFormat) -> MethodRouter<App> {
    get(async move |State(app): State<App>, ScanPath(scan): ScanPath, RawPairs(pairs): RawPairs, headers: HeaderMap| {
        Pairs::new(&pairs, &format.parameters(kind))?;
        let query = PictureQuery::parse_volume(kind, &pairs)?;
        let orders = slices(&app, scan, &query).await?;
        send(&app, scan, format, orders, &headers).await
    })
}

/// Every slice of the volume, in order.
async fn slices(app: &App, scan: ScanId, query: &PictureQuery) -> Result<Vec<Order>, Problem> {
    let first = match app.pictures().order(scan, &SliceName::Number(0), query) {
        // The catalogue has scans with a volume only; the index tells a scan without one from no scan at all.
        Err(PictureError::UnknownScan(scan)) => {
            return Err(app.volume(scan).await.err().unwrap_or_else(Problem::retry));
        }
        first => first?,
    };
    Ok((0..first.slices_of_view()).map(|slice| first.at(slice)).collect())
}

async fn send(
    app: &App,
    scan: ScanId,
    format: VolumeFormat,
    orders: Vec<Order>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let Some(first) = orders.first() else { return Err(Problem::retry()) };
    let tag = EntityTag::of(&[format.suffix(), "volume", &first.validator()]);
    let ([rows, columns], element) = (first.canvas(), first.element());
    let (geometry, _) = app.pictures().volume(scan)?;
    let header = match format {
        VolumeFormat::Npy => npy::header(element, &[orders.len(), rows, columns]),
        VolumeFormat::Nifti | VolumeFormat::NiftiGz => nifti::header(element, &geometry),
        VolumeFormat::MetaImage => metaimage::raw_header(element, &geometry),
    };
    let len = header.len() as u64 + orders.iter().map(Order::elements_len).sum::<u64>();
    let pictures = Arc::clone(app.pictures());
    let parts = move || {
        let elements = orders.clone().into_iter();
        let pictures = Arc::clone(&pictures);
        let slices = elements.map(move |order| Part::elements(&pictures, order, Keep::No));
        std::iter::once(Part::ready(header.clone())).chain(slices)
    };
    if format == VolumeFormat::NiftiGz {
        return Ok(zipped(parts(), &tag, headers));
    }
    SentFile { len: Some(len), tag, media_type: format.media_type() }.answer(app, headers, parts).await
}

/// Gzip of these parts. Its length is not known before its end.
fn zipped(parts: impl Iterator<Item = Part> + Send + 'static, tag: &EntityTag, headers: &HeaderMap) -> Response {
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let ended = stream::once(async { Ok(None) });
    let input = assembled(parts).map_ok(Some).chain(ended);
    let body = input.try_filter_map({
        let mut encoder = Some(encoder);
        move |part: Option<Bytes>| {
            let taken = encoder.take();
            let (kept, written) = taken.map_or((None, Vec::new()), |encoder| squeezed(encoder, part));
            encoder = kept;
            async move { Ok((!written.is_empty()).then(|| Bytes::from(written))) }
        }
    });
    SentFile { len: None, tag: tag.clone(), media_type: VolumeFormat::NiftiGz.media_type() }
        .unsized_answer(headers, Body::from_stream(body.inspect_err(broken_off)))
}

/// What the encoder gives for a part, or at the end.
fn squeezed(mut encoder: GzEncoder<Vec<u8>>, part: Option<Bytes>) -> (Option<GzEncoder<Vec<u8>>>, Vec<u8>) {
    // Writing to memory does not fail.
    match part {
        None => (None, encoder.finish().unwrap_or_default()),
        Some(part) => {
            let squeeze = || {
                let written = encoder.write_all(&part);
                debug_assert!(written.is_ok());
            };
            // Some ten milliseconds a slice: other tasks of this thread go to others meanwhile.
            tokio::task::block_in_place(squeeze);
            let written = std::mem::take(encoder.get_mut());
            (Some(encoder), written)
        }
    }
}
