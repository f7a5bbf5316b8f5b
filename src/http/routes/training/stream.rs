//! `GET /v1/stream.tar`: samples for WebDataset, in the order of [`SampleOrder`].

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use serde_json::json;

use super::order;
use super::order::SampleOrder;
use super::pair::Pair;
use super::sample::JSON_BYTES;
use crate::formats::{npy, tar};
use crate::http::responses::caching::Validator;
use crate::http::responses::entity_tag::EntityTag;
use crate::http::responses::files::StreamedFile;
use crate::http::responses::problem::Problem;
use crate::http::state::{ApiRequest, App};
use crate::imaging::{ImageKind, ImageQuery, PairQuery};
use crate::params::{Form, Pairs, Parameter, ParameterError};
use crate::query::{Filter, Table};
use crate::renderer::{Catalogue, Keep, Part, RenderRequest, Renderer, RendererError, SliceName, Snapshot};
use crate::spider::ScanId;
use crate::volume::ElementType;
use crate::worker_pool::Flow;

/// How many samples the stream has: those of this reader, from `start` on.
pub(in crate::http) const SAMPLES: HeaderName = HeaderName::from_static("x-sagittal-samples");

/// Streams of more samples are sent without their length being counted first.
const COUNTED: usize = 200_000;

const IMAGE: Parameter = Parameter {
    name: "image",
    allowed: "npy, png",
    form: Form::Choice(&["npy", "png"]),
    description: "How images and masks are written; the length of a stream of npy is known before it is made.",
    example: "npy",
};

/// The parameters of a stream: those that choose slices, those of pairs, and the order.
pub(in crate::http) fn stream_parameters() -> Vec<Parameter> {
    [vec![IMAGE], order::PARAMETERS.to_vec(), PairQuery::parameters(), Table::Slices.filter_parameters()].concat()
}

/// How samples are written.
#[derive(Debug, Clone)]
struct Format {
    flow: Flow,
    pair: PairQuery,
    /// Image and mask as PNG instead.
    png: Option<(ImageQuery, ImageQuery)>,
}

/// What a stream is made of, to its end: the data as they were when it began.
#[derive(Clone)]
struct Source {
    app: App,
    catalogue: Arc<Catalogue>,
}

impl Source {
    fn renderer(&self) -> &Arc<Renderer> {
        self.app.renderer()
    }

    /// The image of the slice that shows a canonical one.
    fn order(&self, scan: ScanId, slice: usize, query: &ImageQuery) -> Result<RenderRequest, RendererError> {
        self.renderer().render_request(&self.catalogue, scan, &SliceName::Number(0), query)?.showing(slice)
    }
}

/// `GET /v1/stream.tar`
pub(in crate::http) fn stream() -> MethodRouter<App> {
    get(async move |request: ApiRequest| {
        let valid = stream_parameters();
        let pairs = request.parameters(&valid)?;
        let (order, format) = (SampleOrder::read(&pairs)?, Format::read(&request, &pairs)?);
        let filter = Filter::parse(Table::Slices, &pairs)?;
        let Snapshot { catalogue, index } = request.snapshot().await?;
        let samples = order.of(index.slices_chosen(&filter).await?);
        drop(index);
        let tag = EntityTag::of(&["stream", request.address(), &catalogue.revision.to_string()]);
        let validator = Validator::of_revision(tag, catalogue.revision);
        let source = Source { app: request.app.clone(), catalogue };
        let len = if samples.len() <= COUNTED { format.len(&source, &samples)? } else { None };
        let count = samples.len();
        // What is reserved for the list lasts as long as the list.
        let held = (samples.len() * size_of::<(ScanId, usize)>()) as u64;
        let held = source.renderer().pool().budget().reserve(Flow::interactive(), held).await;
        let samples = Arc::new((samples, held.map_err(RendererError::Memory)?));
        let parts = move || {
            let (source, format, samples) = (source.clone(), format.clone(), Arc::clone(&samples));
            let of_samples = (0..samples.0.len()).flat_map(move |n| match samples.0.get(n) {
                Some(&(scan, slice)) => format.parts(&source, scan, slice),
                None => Vec::new(),
            });
            of_samples.chain(std::iter::once(Part::ready(&tar::END[..])))
        };
        let file = StreamedFile { len, validator, media_type: "application/x-tar" };
        let mut response = file.answer(&request.app, &request.headers, parts).await?;
        response.headers_mut().insert(SAMPLES, HeaderValue::from(count));
        Ok::<_, Problem>(response)
    })
}

impl Format {
    fn read(request: &ApiRequest, pairs: &Pairs<'_>) -> Result<Self, ParameterError> {
        let is_png = pairs.value("image", |text| match text {
            "npy" => Some(false),
            "png" => Some(true),
            _ => None,
        })?;
        let (flow, pair) = (Flow::bulk(), PairQuery::parse(request.raw_pairs())?);
        if !is_png.unwrap_or(false) {
            return Ok(Self { flow, pair, png: None });
        }
        if pair.context > 0 {
            return Err(ParameterError::conflict(
                "context",
                "context makes channels, which PNG has no room for; use image=npy",
            ));
        }
        let of = |kind: ImageKind| {
            let known = kind.parameters();
            let own = request.raw_pairs().iter().filter(|(name, _)| known.iter().any(|p| p.name == name));
            let own: Vec<_> = own.filter(|(name, _)| !(kind.is_mask() && name == "filter")).cloned().collect();
            ImageQuery::parse(kind, &own)
        };
        Ok(Self { flow, pair, png: Some((of(ImageKind::ImagePng)?, of(ImageKind::MaskPng)?)) })
    }

    /// Bytes of the whole archive, if they are known.
    fn len(&self, source: &Source, samples: &[(ScanId, usize)]) -> Result<Option<u64>, RendererError> {
        if self.png.is_some() {
            return Ok(None);
        }
        let mut len = tar::END.len() as u64;
        for &(scan, slice) in samples {
            let pair = self.pair(source, scan, slice)?;
            let image = npy_len(pair.image_shape().len(), pair.image_len());
            let mask = npy_len(2, pair.mask.elements_len());
            len += tar::member_len(image) + tar::member_len(mask) + tar::member_len(JSON_BYTES as u64);
        }
        Ok(Some(len))
    }

    /// `slice` is canonical.
    fn pair(&self, source: &Source, scan: ScanId, slice: usize) -> Result<Pair, RendererError> {
        let shown = source.order(scan, slice, &self.pair.image)?;
        let name = SliceName::Number(shown.slice());
        Pair::render_request(source.renderer(), &source.catalogue, scan, &name, &self.pair)
    }

    /// The members of one sample: image, mask, JSON. What cannot be had any more breaks the stream off.
    fn parts(&self, source: &Source, scan: ScanId, slice: usize) -> Vec<Part> {
        let made = match &self.png {
            None => self.arrays(source, scan, slice),
            Some((image, mask)) => pngs(source, self.flow, scan, slice, image, mask),
        };
        made.unwrap_or_else(|error| vec![Part::later(None, async { Err(error) })])
    }

    fn arrays(&self, source: &Source, scan: ScanId, slice: usize) -> Result<Vec<Part>, RendererError> {
        let pair = self.pair(source, scan, slice)?;
        let name = name(scan, slice);
        let json = json_part(source, scan, slice, &pair.image);
        let image_header = npy::header(pair.image.element(), &pair.image_shape());
        let channels = pair.channels().collect();
        let member =
            |name: &str, header: &[u8], orders| array_member(source.renderer(), self.flow, name, header, orders);
        let mut parts = member(&format!("{name}.image.npy"), &image_header, channels);
        let mask_header = npy::header(ElementType::Uint8, &pair.mask.canvas());
        parts.extend(member(&format!("{name}.mask.npy"), &mask_header, vec![pair.mask]));
        parts.extend(json);
        Ok(parts)
    }
}

/// The part of a name before its first point is the same for the members of a sample.
fn name(scan: ScanId, slice: usize) -> String {
    format!("{scan}-{slice:04}")
}

/// Bytes of a `.npy` file with these elements. Its header is as long for every shape of so many axes that there is.
fn npy_len(axes: usize, elements: u64) -> u64 {
    npy::header(ElementType::Uint16, &vec![1; axes]).len() as u64 + elements
}

fn array_member(
    renderer: &Arc<Renderer>,
    flow: Flow,
    name: &str,
    header: &[u8],
    orders: Vec<RenderRequest>,
) -> Vec<Part> {
    let len = header.len() as u64 + orders.iter().map(RenderRequest::elements_len).sum::<u64>();
    let mut parts = vec![Part::ready([&tar::header(name, len)[..], header].concat())];
    parts.extend(orders.into_iter().flat_map(|order| Part::elements(renderer, order, Keep::Yes, flow)));
    parts.push(Part::ready(vec![0; tar::padding(len)]));
    parts
}

/// The JSON of a sample, with what its image is.
fn json_part(source: &Source, scan: ScanId, slice: usize, image: &RenderRequest) -> [Part; 2] {
    let shown = json!({ "affine_lps": image.affine_lps(), "shown_slice": image.slice() });
    let Source { app, catalogue } = source.clone();
    let header = tar::header(&format!("{}.json", name(scan, slice)), JSON_BYTES as u64);
    let text = async move { app.samples().json(app.renderer(), &catalogue, scan, slice, shown).await.map(Bytes::from) };
    [Part::ready(header.to_vec()), Part::later(Some(JSON_BYTES as u64), text)]
}

fn pngs(
    source: &Source,
    flow: Flow,
    scan: ScanId,
    slice: usize,
    image: &ImageQuery,
    mask: &ImageQuery,
) -> Result<Vec<Part>, RendererError> {
    let (image, mask) = (source.order(scan, slice, image)?, source.order(scan, slice, mask)?);
    let json = json_part(source, scan, slice, &image);
    let member = |order: RenderRequest, suffix: &str| {
        let (name, renderer) = (format!("{}.{suffix}", name(scan, slice)), Arc::clone(source.renderer()));
        Part::later(None, async move {
            let rendered = renderer.render_for_file(order, Keep::Yes, flow).await?;
            let len = rendered.bytes.len() as u64;
            Ok([&tar::header(&name, len)[..], &rendered.bytes, &vec![0; tar::padding(len)]].concat().into())
        })
    };
    let mut parts = vec![member(image, "image.png"), member(mask, "mask.png")];
    parts.extend(json);
    Ok(parts)
}
