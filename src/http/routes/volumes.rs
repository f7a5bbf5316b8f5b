//! Whole volumes as files: `.npy` in any rendition; `.nii`, `.nii.gz` and `.mha` as acquired, in canonical layout, with their
//! true place in the patient; `.mha` also as its file has it. They are sent while they are read, a few slices at a time.

mod source;

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

use crate::formats::{metaimage, nifti, npy};
use crate::http::extract::ScanPath;
use crate::http::responses::caching::Validator;
use crate::http::responses::entity_tag::EntityTag;
use crate::http::responses::files::{StreamedFile, decided, stream_error};
use crate::http::responses::problem::{Code, Problem};
use crate::http::responses::provenance::named;
use crate::http::state::locks::Locks;
use crate::http::state::{ApiRequest, App};
use crate::imaging::{ImageKind, ImageQuery, Layout, file_parameters, native_parameters, volume_parameters};
use crate::params::{Pairs, Parameter, ParameterError};
use crate::renderer::{Catalogue, Keep, Part, RendererError, SliceName, assembled};
use crate::spider::ScanId;
use crate::worker_pool::Flow;

pub(in crate::http) use source::SOURCE_SHA256;

/// What compressing takes, roughly.
const NANOSECONDS_PER_BYTE: u64 = 20;
/// Volumes of more bytes than this are zipped while they are sent, without a length.
const LARGEST_KEPT: u64 = 256 << 20;

/// Recent zipped volumes: how long one is, is known only when it is whole.
#[derive(Debug)]
pub(in crate::http) struct ZippedVolumes {
    kept: Cache<EntityTag, Bytes>,
    /// Each is made once: anyone who waits for it finds it kept.
    making: Locks<EntityTag>,
}

impl ZippedVolumes {
    /// Keeps at most `budget` bytes.
    pub(in crate::http) fn new(budget: u64) -> Self {
        let weight = |_: &EntityTag, bytes: &Bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { kept: Cache::builder().max_capacity(budget).weigher(weight).build(), making: Locks::default() }
    }

    /// The volume with this tag, which `chunks` make from `len` bytes. Its bytes hold what is reserved for it.
    async fn whole(
        &self,
        app: &App,
        tag: &EntityTag,
        len: u64,
        chunks: BoxStream<'static, Result<Bytes, RendererError>>,
    ) -> Result<Bytes, RendererError> {
        let _alone = self.making.lock(tag.clone()).await;
        let kept = self.kept.get(tag);
        // Not of the memory that its slices take: it would wait for them while it holds what they wait for.
        let needed = kept.as_ref().map_or(len, |bytes| bytes.len() as u64);
        let reservation = app.renderer().pool().budget().reserve(Flow::interactive(), needed).await?;
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
pub(in crate::http) enum VolumeFormat {
    Npy,
    Nifti,
    NiftiGz,
    MetaImage,
}

impl VolumeFormat {
    pub(in crate::http) const ALL: [Self; 4] = [Self::Npy, Self::Nifti, Self::NiftiGz, Self::MetaImage];

    pub(in crate::http) fn suffix(self) -> &'static str {
        match self {
            Self::Npy => "npy",
            Self::Nifti => "nii",
            Self::NiftiGz => "nii.gz",
            Self::MetaImage => "mha",
        }
    }

    pub(in crate::http) fn parameters(self, kind: ImageKind) -> Vec<Parameter> {
        match self {
            Self::Npy => volume_parameters(kind),
            Self::MetaImage => file_parameters(kind),
            _ => native_parameters(kind),
        }
    }

    pub(in crate::http) fn media_type(self) -> &'static str {
        if self == Self::NiftiGz { "application/gzip" } else { "application/octet-stream" }
    }
}

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
            return request.retried(|_| source::send(&request, scan, kind)).await;
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
    let (app, headers) = (&request.app, &request.headers);
    let first = request.found(app.renderer().render_request(&catalogue, scan, &SliceName::Number(0), query)).await?;
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
    let (renderer, shown, flow) = (Arc::clone(app.renderer()), first.clone(), Flow::bulk());
    let parts = move || {
        let (renderer, first) = (Arc::clone(&renderer), shown.clone());
        let slices = (0..slices).flat_map(move |k| Part::elements(&renderer, first.at(k), Keep::No, flow));
        std::iter::once(Part::ready(header.clone())).chain(slices)
    };
    let media_type = format.media_type();
    if format != VolumeFormat::NiftiGz {
        let file = StreamedFile { len: Some(len), validator, media_type };
        let response = file.answer(app, headers, parts).await?;
        return Ok(named(response, &first, 0..=first.slices_of_view().saturating_sub(1)));
    }
    if let Some(response) = decided(&validator, headers) {
        return Ok(response);
    }
    let zipped = app.zipped_volumes();
    let is_streamed = len > LARGEST_KEPT.min(app.renderer().pool().budget().largest());
    let is_unwanted = request.method == Method::HEAD && !zipped.kept.contains_key(&validator.tag);
    let chunks = gzip_parts(app, flow, parts());
    if is_streamed || is_unwanted {
        let body = Body::from_stream(chunks.inspect_err(stream_error));
        return Ok(StreamedFile { len: None, validator, media_type }.unsized_answer(headers, body));
    }
    let bytes = zipped.whole(app, &validator.tag, len, chunks).await?;
    let file = StreamedFile { len: Some(bytes.len() as u64), validator, media_type };
    file.answer(app, headers, move || std::iter::once(Part::ready(bytes.clone()))).await
}

/// Gzip of these parts. Its length is not known before its end.
fn gzip_parts(
    app: &App,
    flow: Flow,
    parts: impl Iterator<Item = Part> + Send + 'static,
) -> BoxStream<'static, Result<Bytes, RendererError>> {
    let renderer = Arc::clone(app.renderer());
    let input = assembled(renderer.read_ahead(), parts).map_ok(Some).chain(stream::once(async { Ok(None) })).boxed();
    let encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    stream::try_unfold((input, encoder), move |(mut input, encoder)| {
        let renderer = Arc::clone(&renderer);
        async move {
            let (Some(encoder), Some(part)) = (encoder, input.try_next().await?) else { return Ok(None) };
            let cost = part.as_ref().map_or(0, |bytes| bytes.len() as u64 * NANOSECONDS_PER_BYTE);
            let (encoder, written) = renderer.pool().run(flow, cost, move || gzip(encoder, part)).await?;
            Ok(Some((Bytes::from(written), (input, encoder))))
        }
    })
    .try_filter(|written| std::future::ready(!written.is_empty()))
    .boxed()
}

/// What the encoder gives for a part, or at the end.
fn gzip(mut encoder: GzEncoder<Vec<u8>>, part: Option<Bytes>) -> (Option<GzEncoder<Vec<u8>>>, Vec<u8>) {
    // Writing to memory does not fail.
    let Some(part) = part else { return (None, encoder.finish().unwrap_or_default()) };
    let written = encoder.write_all(&part);
    debug_assert!(written.is_ok());
    let written = std::mem::take(encoder.get_mut());
    (Some(encoder), written)
}
