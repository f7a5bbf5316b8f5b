//! Whole volumes as files: `.npy` in any rendition; `.nii`, `.nii.gz` and `.mha` as acquired, in canonical layout, with their
//! true place in the patient. They are sent while they are read, a few slices at a time.

use std::io::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Method;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use moka::sync::Cache;

use super::app::{App, Question};
use super::caching::Validator;
use super::extract::ScanPath;
use super::freshness::EntityTag;
use super::locks::Locks;
use super::problem::{Code, Problem};
use super::provenance::named;
use super::ranges::{SentFile, broken_off, decided};
use crate::formats::{metaimage, nifti, npy};
use crate::parameters::{Pairs, Parameter};
use crate::pictures::{Catalogue, Keep, Part, PictureError, SliceName, assembled};
use crate::pool::Flow;
use crate::render::{PictureKind, PictureQuery, native_parameters, volume_parameters};
use crate::spider::ScanId;

/// What compressing takes, roughly.
const NANOSECONDS_PER_BYTE: u64 = 20;
/// Volumes of more bytes than this are zipped while they are sent, without a length.
const LARGEST_KEPT: u64 = 256 << 20;

/// Recent zipped volumes: how long one is, is known only when it is whole.
#[derive(Debug)]
pub(super) struct ZippedVolumes {
    kept: Cache<EntityTag, Bytes>,
    /// Each is made once: whoever waits for it finds it kept.
    making: Locks<EntityTag>,
}

impl ZippedVolumes {
    /// Keeps at most `budget` bytes.
    pub(super) fn new(budget: u64) -> Self {
        let weight = |_: &EntityTag, bytes: &Bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { kept: Cache::builder().max_capacity(budget).weigher(weight).build(), making: Locks::default() }
    }

    /// The volume with this tag, which `chunks` make from `len` bytes. Its bytes hold what is reserved for it.
    async fn whole(
        &self,
        app: &App,
        tag: &EntityTag,
        len: u64,
        chunks: BoxStream<'static, Result<Bytes, PictureError>>,
    ) -> Result<Bytes, PictureError> {
        let _alone = self.making.lock(tag.clone()).await;
        let kept = self.kept.get(tag);
        // Not of the memory that its slices take: it would wait for them while it holds what they wait for.
        let needed = kept.as_ref().map_or(len, |bytes| bytes.len() as u64);
        let reservation = app.pictures().pool().budget().reserve(Flow::interactive(), needed).await?;
        let bytes = match kept {
            Some(bytes) => bytes,
            None => {
                let chunks: Vec<Bytes> = chunks.try_collect().await?;
                let bytes = Bytes::from(chunks.concat());
                self.kept.insert(tag.clone(), bytes.clone());
                bytes
            }
        };
        Ok(reservation.hold(bytes))
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
    let slices = first.slices_of_view();
    let tag = EntityTag::of(&[format.suffix(), "volume", &first.validator()]);
    let validator = Validator::of_revision(tag, catalogue.revision);
    let ([rows, columns], element) = (first.canvas(), first.element());
    let geometry = catalogue.geometry(scan)?;
    let header = match format {
        VolumeFormat::Npy => npy::header(element, &[slices, rows, columns]),
        VolumeFormat::Nifti | VolumeFormat::NiftiGz => nifti::header(element, &geometry).map_err(|error| {
            Problem::new(Code::OutputTooLarge, format!("{error}; take .npy or .mha, which have no such limit"))
        })?,
        VolumeFormat::MetaImage => metaimage::raw_header(element, &geometry),
    };
    let len = header.len() as u64 + slices as u64 * first.elements_len();
    let (pictures, shown, flow) = (Arc::clone(app.pictures()), first.clone(), Flow::bulk());
    let parts = move || {
        let (pictures, first) = (Arc::clone(&pictures), shown.clone());
        let slices = (0..slices).flat_map(move |k| Part::elements(&pictures, first.at(k), Keep::No, flow));
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
    let zipped = app.zipped_volumes();
    let is_streamed = len > LARGEST_KEPT.min(app.pictures().pool().budget().largest());
    let is_unwanted = question.method == Method::HEAD && !zipped.kept.contains_key(&validator.tag);
    let chunks = squeezed_parts(app, flow, parts());
    if is_streamed || is_unwanted {
        let body = Body::from_stream(chunks.inspect_err(broken_off));
        return Ok(SentFile { len: None, validator, media_type }.unsized_answer(headers, body));
    }
    let bytes = zipped.whole(app, &validator.tag, len, chunks).await?;
    let file = SentFile { len: Some(bytes.len() as u64), validator, media_type };
    file.answer(app, headers, move || std::iter::once(Part::ready(bytes.clone()))).await
}

/// Gzip of these parts. Its length is not known before its end.
fn squeezed_parts(
    app: &App,
    flow: Flow,
    parts: impl Iterator<Item = Part> + Send + 'static,
) -> BoxStream<'static, Result<Bytes, PictureError>> {
    let pictures = Arc::clone(app.pictures());
    let input = assembled(parts).map_ok(Some).chain(stream::once(async { Ok(None) })).boxed();
    let encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    stream::try_unfold((input, encoder), move |(mut input, encoder)| {
        let pictures = Arc::clone(&pictures);
        async move {
            let (Some(encoder), Some(part)) = (encoder, input.try_next().await?) else { return Ok(None) };
            let cost = part.as_ref().map_or(0, |bytes| bytes.len() as u64 * NANOSECONDS_PER_BYTE);
            let (encoder, written) = pictures.pool().run(flow, cost, move || squeezed(encoder, part)).await?;
            Ok(Some((Bytes::from(written), (input, encoder))))
        }
    })
    .try_filter(|written| std::future::ready(!written.is_empty()))
    .boxed()
}

/// What the encoder gives for a part, or at the end.
fn squeezed(mut encoder: GzEncoder<Vec<u8>>, part: Option<Bytes>) -> (Option<GzEncoder<Vec<u8>>>, Vec<u8>) {
    // Writing to memory does not fail.
    let Some(part) = part else { return (None, encoder.finish().unwrap_or_default()) };
    let written = encoder.write_all(&part);
    debug_assert!(written.is_ok());
    let written = std::mem::take(encoder.get_mut());
    (Some(encoder), written)
}
