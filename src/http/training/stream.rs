//! `GET /v1/stream.tar`: samples for WebDataset, in an order that is a pure function of the question, the seed and the epoch.

use std::sync::Arc;

use axum::response::Response;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::pair::Pair;
use super::sample::JSON_BYTES;
use crate::formats::{npy, tar};
use crate::http::app::{App, Question};
use crate::http::caching::Validator;
use crate::http::freshness::EntityTag;
use crate::http::problem::Problem;
use crate::http::ranges::SentFile;
use crate::parameters::{Form, Pairs, Parameter, ParameterError, plain};
use crate::pictures::{Catalogue, Keep, Order, Part, PictureError, Pictures, SliceName, Snapshot};
use crate::query::{Filter, Table};
use crate::render::{PairQuery, PictureKind, PictureQuery};
use crate::spider::ScanId;
use crate::volume::ElementType;

/// Streams of more samples are sent without their length being counted first.
const COUNTED: usize = 200_000;

const IMAGE: Parameter = Parameter {
    name: "image",
    allowed: "npy, png",
    form: Form::Choice(&["npy", "png"]),
    description: "How images and masks are written; the length of a stream of npy is known before it is made.",
    example: "npy",
};
const SEED: Parameter = Parameter {
    name: "seed",
    allowed: "a whole number; without it samples come in their natural order",
    form: Form::Integer { min: 0, max: 4_294_967_295 },
    description: "Shuffles the samples.",
    example: "7",
};
const EPOCH: Parameter = Parameter {
    name: "epoch",
    allowed: "0, a whole number; goes with seed",
    description: "Shuffles them otherwise in every epoch.",
    ..SEED
};
const WORLD: Parameter = Parameter {
    name: "world",
    allowed: "1, a whole number up to 65536",
    form: Form::Integer { min: 1, max: 65_536 },
    description: "So many readers share the samples.",
    example: "2",
};
const RANK: Parameter = Parameter {
    name: "rank",
    allowed: "0, a whole number below world",
    form: Form::Integer { min: 0, max: 65_535 },
    description: "Which of the readers this is.",
    example: "0",
};
const START: Parameter = Parameter {
    name: "start",
    allowed: "0, a whole number",
    form: Form::Integer { min: 0, max: 1_000_000_000 },
    description: "Leaves out so many of this reader's samples: where a reader was cut off.",
    example: "3",
};

/// The parameters of a stream: those that choose slices, those of pairs, and the order.
pub(in crate::http) fn stream_parameters() -> Vec<Parameter> {
    let order = vec![IMAGE, SEED, EPOCH, RANK, WORLD, START];
    [order, PairQuery::parameters(), Table::Slices.filter_parameters()].concat()
}

/// How samples are written.
#[derive(Debug, Clone)]
struct Format {
    pair: PairQuery,
    /// Image and mask as PNG instead.
    png: Option<(PictureQuery, PictureQuery)>,
}

/// Which samples, in which order.
struct Plan {
    shuffle: Option<(u32, u32)>,
    rank: usize,
    world: usize,
    start: usize,
}

/// What a stream is made of, to its end: the data as they were when it began.
#[derive(Clone)]
struct Source {
    app: App,
    catalogue: Arc<Catalogue>,
}

impl Source {
    fn pictures(&self) -> &Arc<Pictures> {
        self.app.pictures()
    }

    /// The picture of the slice that shows a canonical one.
    fn order(&self, scan: ScanId, slice: usize, query: &PictureQuery) -> Result<Order, PictureError> {
        self.pictures().order(&self.catalogue, scan, &SliceName::Number(0), query)?.showing(slice)
    }
}

/// `GET /v1/stream.tar`
pub(in crate::http) fn stream() -> MethodRouter<App> {
    get(async move |question: Question| {
        let valid = stream_parameters();
        let pairs = question.parameters(&valid)?;
        let (plan, format) = (Plan::read(&pairs)?, Format::read(&question, &pairs)?);
        let filter = Filter::parse(Table::Slices, &pairs)?;
        let Snapshot { catalogue, index } = question.snapshot().await?;
        let samples = plan.samples(index.slices_chosen(&filter).await?);
        drop(index);
        let tag = EntityTag::of(&["stream", question.address(), &catalogue.revision.to_string()]);
        let validator = Validator::of_revision(tag, catalogue.revision);
        let source = Source { app: question.app.clone(), catalogue };
        let len = if samples.len() <= COUNTED { format.len(&source, &samples)? } else { None };
        let samples = Arc::new(samples);
        let parts = move || {
            let (source, format, samples) = (source.clone(), format.clone(), Arc::clone(&samples));
            let of_samples = (0..samples.len()).flat_map(move |n| match samples.get(n) {
                Some(&(scan, slice)) => format.parts(&source, scan, slice),
                None => Vec::new(),
            });
            of_samples.chain(std::iter::once(Part::ready(&tar::END[..])))
        };
        let file = SentFile { len, validator, media_type: "application/x-tar" };
        let answer: Result<Response, Problem> = file.answer(&question.app, &question.headers, parts).await;
        answer
    })
}

impl Plan {
    fn read(pairs: &Pairs<'_>) -> Result<Self, ParameterError> {
        let seed = pairs.value("seed", plain::<u32>)?;
        let epoch = pairs.value("epoch", plain::<u32>)?;
        if let (None, Some(_)) = (seed, epoch) {
            return Err(ParameterError::conflict("epoch", "epoch goes with seed; without one the order never changes"));
        }
        let world =
            pairs.value("world", |text| plain(text).filter(|&n: &usize| (1..=65_536).contains(&n)))?.unwrap_or(1);
        let rank = pairs.value("rank", |text| plain(text).filter(|&n: &usize| n < world))?.unwrap_or(0);
        let start = pairs.value("start", plain::<usize>)?.unwrap_or(0);
        Ok(Self { shuffle: seed.map(|seed| (seed, epoch.unwrap_or(0))), rank, world, start })
    }

    /// This reader's samples. Every sample has a place of its own that depends on nothing but itself, the seed and the
    /// epoch, so that a sample more or less leaves the others in their order.
    fn samples(&self, mut samples: Vec<(ScanId, usize)>) -> Vec<(ScanId, usize)> {
        if let Some((seed, epoch)) = self.shuffle {
            samples.sort_by_cached_key(|(scan, slice)| {
                let digest = Sha256::digest(format!("{seed} {epoch} {scan} {slice}"));
                digest.first_chunk::<16>().copied()
            });
        }
        samples.into_iter().skip(self.rank).step_by(self.world).skip(self.start).collect()
    }
}

impl Format {
    fn read(question: &Question, pairs: &Pairs<'_>) -> Result<Self, ParameterError> {
        let is_png = pairs.value("image", |text| match text {
            "npy" => Some(false),
            "png" => Some(true),
            _ => None,
        })?;
        let pair = PairQuery::parse(question.raw_pairs())?;
        if !is_png.unwrap_or(false) {
            return Ok(Self { pair, png: None });
        }
        if pair.context > 0 {
            return Err(ParameterError::conflict(
                "context",
                "context makes channels, which PNG has no room for; use image=npy",
            ));
        }
        let of = |kind: PictureKind| {
            let known = kind.parameters();
            let own = question.raw_pairs().iter().filter(|(name, _)| known.iter().any(|p| p.name == name));
            let own: Vec<_> = own.filter(|(name, _)| !(kind.is_mask() && name == "filter")).cloned().collect();
            PictureQuery::parse(kind, &own)
        };
        Ok(Self { pair, png: Some((of(PictureKind::ImagePng)?, of(PictureKind::MaskPng)?)) })
    }

    /// Bytes of the whole archive, if they are known.
    fn len(&self, source: &Source, samples: &[(ScanId, usize)]) -> Result<Option<u64>, PictureError> {
        if self.png.is_some() {
            return Ok(None);
        }
        let mut len = tar::END.len() as u64;
        for &(scan, slice) in samples {
            let pair = self.pair(source, scan, slice)?;
            let (image, mask) = (npy_len(pair.image_shape().len(), &pair.channels), npy_len(2, [&pair.mask]));
            len += tar::member_len(image) + tar::member_len(mask) + tar::member_len(JSON_BYTES as u64);
        }
        Ok(Some(len))
    }

    /// `slice` is canonical.
    fn pair(&self, source: &Source, scan: ScanId, slice: usize) -> Result<Pair, PictureError> {
        let shown = source.order(scan, slice, &self.pair.image)?;
        let name = SliceName::Number(shown.slice());
        Pair::order(source.pictures(), &source.catalogue, scan, &name, &self.pair)
    }

    /// The members of one sample: image, mask, JSON. What cannot be had any more breaks the stream off.
    fn parts(&self, source: &Source, scan: ScanId, slice: usize) -> Vec<Part> {
        let made = match &self.png {
            None => self.arrays(source, scan, slice),
            Some((image, mask)) => pngs(source, scan, slice, image, mask),
        };
        made.unwrap_or_else(|error| vec![Part::later(None, async { Err(error) })])
    }

    fn arrays(&self, source: &Source, scan: ScanId, slice: usize) -> Result<Vec<Part>, PictureError> {
        let pair = self.pair(source, scan, slice)?;
        let name = name(scan, slice);
        let json = json_part(source, scan, slice, pair.image());
        let image_header = npy::header(pair.image().element(), &pair.image_shape());
        let mut parts = array_member(source.pictures(), &format!("{name}.image.npy"), &image_header, pair.channels);
        let mask_header = npy::header(ElementType::Uint8, &pair.mask.canvas());
        parts.extend(array_member(source.pictures(), &format!("{name}.mask.npy"), &mask_header, vec![pair.mask]));
        parts.extend(json);
        Ok(parts)
    }
}

/// The part of a name before its first point is the same for the members of a sample.
fn name(scan: ScanId, slice: usize) -> String {
    format!("{scan}-{slice:04}")
}

/// Bytes of a `.npy` file with these elements. Its header is as long for every shape of so many axes that there is.
fn npy_len<'a>(axes: usize, orders: impl IntoIterator<Item = &'a Order>) -> u64 {
    let elements: u64 = orders.into_iter().map(Order::elements_len).sum();
    npy::header(ElementType::Uint16, &vec![1; axes]).len() as u64 + elements
}

fn array_member(pictures: &Arc<Pictures>, name: &str, header: &[u8], orders: Vec<Order>) -> Vec<Part> {
    let len = header.len() as u64 + orders.iter().map(Order::elements_len).sum::<u64>();
    let mut parts = vec![Part::ready([&tar::header(name, len)[..], header].concat())];
    parts.extend(orders.into_iter().map(|order| Part::elements(pictures, order, Keep::Yes)));
    parts.push(Part::ready(vec![0; tar::padding(len)]));
    parts
}

/// The JSON of a sample, with what its picture is.
fn json_part(source: &Source, scan: ScanId, slice: usize, image: &Order) -> [Part; 2] {
    let shown = json!({ "affine_lps": image.affine_lps(), "shown_slice": image.slice() });
    let Source { app, catalogue } = source.clone();
    let header = tar::header(&format!("{}.json", name(scan, slice)), JSON_BYTES as u64);
    let text = async move { app.samples().json(app.pictures(), &catalogue, scan, slice, shown).await.map(Bytes::from) };
    [Part::ready(header.to_vec()), Part::later(Some(JSON_BYTES as u64), text)]
}

fn pngs(
    source: &Source,
    scan: ScanId,
    slice: usize,
    image: &PictureQuery,
    mask: &PictureQuery,
) -> Result<Vec<Part>, PictureError> {
    let (image, mask) = (source.order(scan, slice, image)?, source.order(scan, slice, mask)?);
    let json = json_part(source, scan, slice, &image);
    let member = |order: Order, suffix: &str| {
        let (name, pictures) = (format!("{}.{suffix}", name(scan, slice)), Arc::clone(source.pictures()));
        Part::later(None, async move {
            let drawn = pictures.draw_patiently(order, Keep::Yes).await?;
            let len = drawn.bytes.len() as u64;
            Ok([&tar::header(&name, len)[..], &drawn.bytes, &vec![0; tar::padding(len)]].concat().into())
        })
    };
    let mut parts = vec![member(image, "image.png"), member(mask, "mask.png")];
    parts.extend(json);
    Ok(parts)
}
