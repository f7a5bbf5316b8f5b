//! `GET /v1/scans/{id}/slices/{k}/pair.npz`: an image and its mask in one file.

use axum::http::Method;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::batch::{MOST_BYTES, archived};
use crate::formats::{npy, zip};
use crate::http::extract::{ScanPath, SlicePath};
use crate::http::responses::caching::Validator;
use crate::http::responses::entity_tag::EntityTag;
use crate::http::responses::files::{StreamedFile, decided};
use crate::http::responses::problem::{Code, Problem};
use crate::http::responses::provenance::named;
use crate::http::state::{ApiRequest, App};
use crate::imaging::PairQuery;
use crate::params::Pairs;
use crate::renderer::{Catalogue, Keep, Part, RenderRequest, Renderer, RendererError, SliceName, assembled};
use crate::spider::ScanId;
use crate::volume::ElementType;
use crate::worker_pool::Flow;

/// The orders of a pair: its image, its mask, and the slices that are the channels of the image.
pub(super) struct Pair {
    pub(super) image: RenderRequest,
    pub(super) mask: RenderRequest,
    channels: Vec<usize>,
}

impl Pair {
    /// Bytes that one takes, roughly.
    pub(super) const BYTES: u64 = 1200;

    /// Checks a pair. Costs no I/O.
    pub(super) fn render_request(
        renderer: &Renderer,
        catalogue: &Catalogue,
        scan: ScanId,
        slice: &SliceName,
        query: &PairQuery,
    ) -> Result<Self, RendererError> {
        let image = renderer.render_request(catalogue, scan, slice, &query.image)?;
        let mask = renderer.render_request(catalogue, scan, slice, &query.mask)?;
        let channels = query.channels(image.slice(), image.slices_of_view()).collect();
        Ok(Self { image, mask, channels })
    }

    /// The channels of the image; one, unless there is context.
    pub(super) fn channels(&self) -> impl ExactSizeIterator<Item = RenderRequest> {
        self.channels.iter().map(|&slice| self.image.at(slice))
    }

    /// Bytes of the image's elements.
    pub(super) fn image_len(&self) -> u64 {
        self.channels.len() as u64 * self.image.elements_len()
    }

    /// (rows, columns), or with context (channels, rows, columns).
    pub(super) fn image_shape(&self) -> Vec<usize> {
        let canvas = self.image.canvas();
        if self.channels.len() > 1 { [&[self.channels.len()], &canvas[..]].concat() } else { canvas.to_vec() }
    }

    /// A text that changes whenever the bytes of the pair do.
    pub(super) fn validator(&self) -> String {
        let channels: Vec<_> = self.channels().map(|channel| channel.validator()).collect();
        format!("{} {} {}", channels.len(), channels.join(" "), self.mask.validator())
    }
}

/// `GET /v1/scans/{id}/slices/{k}/pair.npz`
pub(in crate::http) fn pair() -> MethodRouter<App> {
    get(async move |ScanPath(scan): ScanPath, SlicePath(slice): SlicePath, request: ApiRequest| {
        Pairs::new(request.raw_pairs(), &PairQuery::parameters())?;
        let query = PairQuery::parse(request.raw_pairs())?;
        let slice = SliceName::parse(&slice)?;
        let render_request =
            |catalogue: &Catalogue| Pair::render_request(request.app.renderer(), catalogue, scan, &slice, &query);
        request.retried(|catalogue| answer(&request, catalogue.revision, render_request(&catalogue))).await
    })
}

async fn answer(request: &ApiRequest, revision: u64, pair: Result<Pair, RendererError>) -> Result<Response, Problem> {
    let pair = request.found(pair).await?;
    let tag = EntityTag::of(&["pair", &pair.validator()]);
    let validator = Validator::of_revision(tag, revision);
    if let Some(response) = decided(&validator, &request.headers) {
        return Ok(response);
    }
    let image = pair.image.clone();
    let contents = contents(&request.app, pair);
    let len = zip::len(&contents.iter().map(|(member, _)| member.clone()).collect::<Vec<_>>());
    if len > MOST_BYTES {
        let detail = format!(
            "the pair would have {len} bytes; at most {MOST_BYTES} are sent: ask for less context or a smaller size"
        );
        return Err(Problem::new(Code::OutputTooLarge, detail));
    }
    let ahead = request.app.renderer().read_ahead();
    let contents = contents.into_iter().map(|(member, parts)| (member, assembled(ahead, parts.into_iter()).boxed()));
    let mut chunks = archived(contents.collect()).boxed();
    if request.method != Method::HEAD && len <= MADE_BEFORE_BYTES {
        // What goes wrong while it is made can still be said.
        let made: Vec<Bytes> = chunks.try_collect().await?;
        chunks = stream::iter(made.into_iter().map(Ok)).boxed();
    }
    let file = StreamedFile { len: Some(len), validator, media_type: NPZ };
    Ok(named(file.answer_in_order(&request.headers, chunks), &image, image.slice()..=image.slice()))
}

/// Pairs of at most so many bytes are made before their answer begins.
const MADE_BEFORE_BYTES: u64 = 8 << 20;

pub(super) const NPZ: &str = "application/octet-stream";

/// `image`, `mask`, `spacing` (from slice to slice, row to row, column to column, millimetres) and `affine`: (slices from
/// this one, row, column, 1) → millimetres, LPS. This slice is 0, whatever its number.
fn contents(app: &App, pair: Pair) -> Vec<(zip::Member, Vec<Part>)> {
    let flow = Flow::interactive();
    let affine = pair.image.affine_lps();
    let spacing = [0, 1, 2].map(|axis: usize| affine.iter().map(|row| row[axis] * row[axis]).sum::<f64>().sqrt());
    let image_header = npy::header(pair.image.element(), &pair.image_shape());
    let mask_header = npy::header(ElementType::Uint8, &pair.mask.canvas());
    let member = |name: &str, parts: Vec<Part>| {
        let len = parts.iter().filter_map(Part::len).sum();
        (zip::Member { name: name.to_owned(), len }, parts)
    };
    let array = |name, header: Vec<u8>, render_requests: Vec<RenderRequest>| {
        let elements = render_requests
            .into_iter()
            .flat_map(|render_request| Part::elements(app.renderer(), render_request, Keep::Yes, flow));
        member(name, std::iter::once(Part::ready(header)).chain(elements).collect())
    };
    vec![
        array("image.npy", image_header, pair.channels().collect()),
        array("mask.npy", mask_header, vec![pair.mask]),
        member("spacing.npy", vec![Part::ready(numbers(&[3], &spacing))]),
        member("affine.npy", vec![Part::ready(numbers(&[4, 4], affine.as_flattened()))]),
    ]
}

fn numbers(shape: &[usize], values: &[f64]) -> Bytes {
    let mut file = npy::header(ElementType::Float64, shape);
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    file.into()
}
