//! Whole volumes as files: `.npy` in any rendition; `.nii`, `.nii.gz` and `.mha` as acquired, in canonical layout, with their
//! true place in the patient. They are sent while they are read, a few slices at a time.

use std::io::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use moka::sync::Cache;
use tokio::sync::Mutex;

use super::app::{App, Question};
use super::caching::Validator;
use super::extract::ScanPath;
use super::freshness::EntityTag;
use super::problem::{Code, Problem};
use super::provenance::named;
use super::ranges::{SentFile, broken_off, decided};
use crate::formats::{metaimage, nifti, npy};
use crate::parameters::{Pairs, Parameter};
use crate::pictures::{Catalogue, Keep, Order, Part, PictureError, SliceName, assembled};
use crate::render::{PictureKind, PictureQuery, native_parameters, volume_parameters};
use crate::spider::ScanId;

/// Memory for recent zipped volumes, in bytes.
const KEPT_BYTES: u64 = 128 << 20;
/// Volumes of more bytes than this are zipped while they are sent, without a length.
const LARGEST_KEPT: u64 = 256 << 20;

/// Recent zipped volumes: how long one is, is known only when it is whole.
#[derive(Debug)]
pub(super) struct ZippedVolumes {
    kept: Cache<EntityTag, Bytes>,
    /// One is made at a time: whoever waits finds it kept, if it was the same.
    making: Mutex<()>,
}

impl ZippedVolumes {
    pub(super) fn new() -> Self {
        let weight = |_: &EntityTag, bytes: &Bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { kept: Cache::builder().max_capacity(KEPT_BYTES).weigher(weight).build(), making: Mutex::new(()) }
    }

    /// The volume with this tag, which these parts make.
    async fn whole(
        &self,
        tag: &EntityTag,
        parts: impl Iterator<Item = Part> + Send + 'static,
    ) -> Result<Bytes, PictureError> {
        if let Some(bytes) = self.kept.get(tag) {
            return Ok(bytes);
        }
        let _alone = self.making.lock().await;
        if let Some(bytes) = self.kept.get(tag) {
            return Ok(bytes);
        }
        let chunks: Vec<Bytes> = squeezed_parts(parts).try_collect().await?;
        let bytes = Bytes::from(chunks.concat());
        self.kept.insert(tag.clone(), bytes.clone());
        Ok(bytes)
    }
}

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
    get(async move |ScanPath(scan): ScanPath, question: Question| {
        Pairs::new(question.raw_pairs(), &format.parameters(kind))?;
        let query = PictureQuery::parse_volume(kind, question.raw_pairs())?;
        question.retried(|catalogue| send(&question, catalogue, scan, format, &query)).await
    })
}

async fn send(
    question: &Question,
    catalogue: Arc<Catalogue>,
    scan: ScanId,
    format: VolumeFormat,
    query: &PictureQuery,
) -> Result<Response, Problem> {
    let (app, headers) = (&question.app, &question.headers);
    let first = question.found(app.pictures().order(&catalogue, scan, &SliceName::Number(0), query)).await?;
    let orders: Vec<Order> = (0..first.slices_of_view()).map(|slice| first.at(slice)).collect();
    let tag = EntityTag::of(&[format.suffix(), "volume", &first.validator()]);
    let validator = Validator::of_revision(tag, catalogue.revision);
    let ([rows, columns], element) = (first.canvas(), first.element());
    let geometry = catalogue.geometry(scan)?;
    let header = match format {
        VolumeFormat::Npy => npy::header(element, &[orders.len(), rows, columns]),
        VolumeFormat::Nifti | VolumeFormat::NiftiGz => nifti::header(element, &geometry).map_err(|error| {
            Problem::new(Code::OutputTooLarge, format!("{error}; take .npy or .mha, which have no such limit"))
        })?,
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
    let media_type = format.media_type();
    if format != VolumeFormat::NiftiGz {
        let file = SentFile { len: Some(len), validator, media_type };
        let response = file.answer(app, headers, parts).await?;
        return Ok(named(response, &first, 0..=first.slices_of_view().saturating_sub(1)));
    }
    if let Some(response) = decided(&validator, headers) {
        return Ok(response);
    }
    if len > LARGEST_KEPT {
        let body = Body::from_stream(squeezed_parts(parts()).inspect_err(broken_off));
        return Ok(SentFile { len: None, validator, media_type }.unsized_answer(headers, body));
    }
    let bytes = app.zipped_volumes().whole(&validator.tag, parts()).await?;
    let file = SentFile { len: Some(bytes.len() as u64), validator, media_type };
    file.answer(app, headers, move || std::iter::once(Part::ready(bytes.clone()))).await
}

/// Gzip of these parts. Its length is not known before its end.
fn squeezed_parts(
    parts: impl Iterator<Item = Part> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, PictureError>> + Send {
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let ended = stream::once(async { Ok(None) });
    let input = assembled(parts).map_ok(Some).chain(ended);
    input.try_filter_map({
        let mut encoder = Some(encoder);
        move |part: Option<Bytes>| {
            let taken = encoder.take();
            let (kept, written) = taken.map_or((None, Vec::new()), |encoder| squeezed(encoder, part));
            encoder = kept;
            async move { Ok((!written.is_empty()).then(|| Bytes::from(written))) }
        }
    })
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
