//! Samples of slices as a tar archive for WebDataset, in the order of [`SampleOrder`].

use std::sync::Arc;

use bytes::Bytes;

use super::assembly::Part;
use super::bundle::Bundle;
use super::pair::Pair;
use super::sample::{JSON_BYTES, SampleCache, Shown};
use super::sample_order;
use super::sample_order::{Sample, SampleOrder};
use super::section::{Section, Stack};
use crate::formats::tar;
use crate::imaging::{ImageQuery, PairQuery};
use crate::index::{IndexError, ReadTransaction};
use crate::params::{Form, Pairs, Parameter, ParameterError};
use crate::query::{Filter, Table};
use crate::renderer::{Catalogue, Keep, RenderRequest, Renderer, RendererError, SliceName};
use crate::spider::ScanId;
use crate::worker_pool::Flow;

/// Streams of more samples are sent without their length being counted first.
const COUNTED: usize = 200_000;

const IMAGE: Parameter = Parameter {
    name: "image",
    allowed: "npy, png",
    form: Form::Choice(&["npy", "png"]),
    description: "How images and masks are written; the length of a stream of npy is known before it is made.",
    example: "npy",
};

/// A request for a stream, as typed: which samples, in which order, and how they are written.
#[derive(Debug, Clone)]
pub struct StreamQuery {
    order: SampleOrder,
    filter: Filter,
    format: Format,
}

/// How samples are written.
#[derive(Debug, Clone)]
struct Format {
    pair: PairQuery,
    /// Image and mask as PNG instead.
    png: Option<(ImageQuery, ImageQuery)>,
}

/// What a stream is made of, to its end: the data as they were when it began.
#[derive(Debug, Clone)]
pub struct StreamSource {
    /// Renders the slices.
    pub renderer: Arc<Renderer>,
    /// The scans.
    pub catalogue: Arc<Catalogue>,
    /// What samples say of their scans.
    pub samples: Arc<SampleCache>,
}

impl StreamQuery {
    /// Every parameter of a stream: those that choose slices, those of pairs, and the order.
    #[must_use]
    pub fn parameters() -> Vec<Parameter> {
        let of_order = sample_order::PARAMETERS.to_vec();
        [vec![IMAGE], of_order, PairQuery::parameters(), Table::Slices.filter_parameters()].concat()
    }

    /// Reads the parameters, already percent-decoded.
    ///
    /// # Errors
    /// Names the parameter that does not exist, cannot be read, or does not go with another.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, ParameterError> {
        let valid = Self::parameters();
        let typed = Pairs::new(pairs, &valid)?;
        let (order, format) = (SampleOrder::read(&typed)?, Format::parse(pairs, &typed)?);
        Ok(Self { order, format, filter: Filter::parse(Table::Slices, &typed)? })
    }

    /// The samples, in their order.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn samples(&self, index: &ReadTransaction) -> Result<Vec<Sample>, IndexError> {
        Ok(self.order.of(index.slices_chosen(&self.filter).await?))
    }
}

/// The stream of these samples of a query.
///
/// # Errors
/// [`RendererError`] when a sample cannot be rendered as the query says.
pub async fn stream(
    source: StreamSource,
    query: StreamQuery,
    samples: Vec<Sample>,
    version: Vec<String>,
) -> Result<Bundle, RendererError> {
    let (renderer, format) = (Arc::clone(&source.renderer), query.format);
    let len = if samples.len() <= COUNTED { format.len(&source, &samples)? } else { None };
    // What is reserved for the list lasts as long as the list.
    let held = (samples.len() * size_of::<Sample>()) as u64;
    let held = renderer.pool().budget().reserve(Flow::interactive(), held).await?;
    let samples = Arc::new((samples, held));
    let section = Section::new(len, move || {
        let (source, format, samples) = (source.clone(), format.clone(), Arc::clone(&samples));
        let of_samples = (0..samples.0.len()).flat_map(move |n| match samples.0.get(n) {
            Some(&(scan, slice)) => format.parts(&source, scan, slice),
            None => Vec::new(),
        });
        of_samples.chain(std::iter::once(Part::ready(&tar::END[..])))
    });
    Ok(Bundle::plain(&renderer, "application/x-tar", version, section))
}

impl StreamSource {
    /// The image of the slice that shows a canonical one.
    fn request(&self, scan: ScanId, slice: usize, query: &ImageQuery) -> Result<RenderRequest, RendererError> {
        self.renderer.render_request(&self.catalogue, scan, &SliceName::Number(0), query)?.showing(slice)
    }
}

impl Format {
    fn parse(pairs: &[(String, String)], typed: &Pairs<'_>) -> Result<Self, ParameterError> {
        let pair = PairQuery::parse(pairs)?;
        if typed.text("image") != Some("png") {
            return Ok(Self { pair, png: None });
        }
        if pair.context > 0 {
            return Err(ParameterError::conflict(
                "context",
                "context makes channels, which PNG has no room for; use image=npy",
            ));
        }
        Ok(Self { pair, png: Some(ImageQuery::parse_pngs(pairs)?) })
    }

    /// Bytes of the whole archive, if they are known.
    fn len(&self, source: &StreamSource, samples: &[Sample]) -> Result<Option<u64>, RendererError> {
        if self.png.is_some() {
            return Ok(None);
        }
        let mut len = tar::END.len() as u64;
        for &(scan, slice) in samples {
            let [image, mask] = self.pair(source, scan, slice)?.npy_lens();
            len += tar::member_len(image) + tar::member_len(mask) + tar::member_len(JSON_BYTES as u64);
        }
        Ok(Some(len))
    }

    /// `slice` is canonical.
    fn pair(&self, source: &StreamSource, scan: ScanId, slice: usize) -> Result<Pair, RendererError> {
        let shown = source.request(scan, slice, &self.pair.image)?;
        let name = SliceName::Number(shown.slice());
        Pair::new(&source.renderer, &source.catalogue, scan, &name, &self.pair)
    }

    /// The members of one sample: image, mask, JSON. What cannot be had any more breaks the stream off.
    fn parts(&self, source: &StreamSource, scan: ScanId, slice: usize) -> Vec<Part> {
        let made = match &self.png {
            None => self.arrays(source, scan, slice),
            Some((image, mask)) => pngs(source, scan, slice, image, mask),
        };
        made.unwrap_or_else(|error| vec![Part::later(None, async { Err(error) })])
    }

    fn arrays(&self, source: &StreamSource, scan: ScanId, slice: usize) -> Result<Vec<Part>, RendererError> {
        let (pair, name) = (self.pair(source, scan, slice)?, name(scan, slice));
        let json = json_part(source, scan, slice, pair.image());
        let arrays = ["image", "mask"].into_iter().zip(pair.arrays(&source.renderer, Flow::bulk()));
        let members =
            arrays.flat_map(|(of, (header, stack))| array_member(&format!("{name}.{of}.npy"), &header, stack));
        Ok(members.chain(json).collect())
    }
}

/// The part of a name before its first point is the same for the members of a sample.
fn name(scan: ScanId, slice: usize) -> String {
    format!("{scan}-{slice:04}")
}

/// A member of the archive with this header and these elements.
fn array_member(name: &str, header: &[u8], stack: Stack) -> impl Iterator<Item = Part> + use<> {
    let len = header.len() as u64 + stack.elements_len();
    let section = stack.section([&tar::header(name, len)[..], header].concat());
    section.parts().chain(std::iter::once(Part::ready(vec![0; tar::padding(len)])))
}

/// The JSON of a sample, with what its image is.
fn json_part(source: &StreamSource, scan: ScanId, slice: usize, image: &RenderRequest) -> [Part; 2] {
    let shown = Shown { affine_lps: image.affine_lps(), shown_slice: image.slice() };
    let StreamSource { renderer, catalogue, samples } = source.clone();
    let header = tar::header(&format!("{}.json", name(scan, slice)), JSON_BYTES as u64);
    let text = async move { samples.json(&renderer, &catalogue, scan, slice, shown).await.map(Bytes::from) };
    [Part::ready(header.to_vec()), Part::later(Some(JSON_BYTES as u64), text)]
}

fn pngs(
    source: &StreamSource,
    scan: ScanId,
    slice: usize,
    image: &ImageQuery,
    mask: &ImageQuery,
) -> Result<Vec<Part>, RendererError> {
    let (image, mask) = (source.request(scan, slice, image)?, source.request(scan, slice, mask)?);
    let json = json_part(source, scan, slice, &image);
    let member = |render_request: RenderRequest, suffix: &str| {
        let (name, renderer) = (format!("{}.{suffix}", name(scan, slice)), Arc::clone(&source.renderer));
        Part::later(None, async move {
            let rendered = renderer.render_for_file(render_request, Keep::Yes, Flow::bulk()).await?;
            let len = rendered.bytes.len() as u64;
            Ok([&tar::header(&name, len)[..], &rendered.bytes, &vec![0; tar::padding(len)]].concat().into())
        })
    };
    let mut parts = vec![member(image, "image.png"), member(mask, "mask.png")];
    parts.extend(json);
    Ok(parts)
}
