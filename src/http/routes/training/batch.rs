//! `POST /v1/batch`: many slices, in the requested order, as one file.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use schemars::JsonSchema;
use serde::Deserialize;

use super::pair::{NPZ, Pair};
use crate::formats::{npy, zip};
use crate::http::extract::{body_bytes, require_json};
use crate::http::responses::caching::Caching;
use crate::http::responses::disposition;
use crate::http::responses::files::stream_error;
use crate::http::responses::problem::{Code, Problem};
use crate::http::state::{ApiRequest, App};
use crate::imaging::PairQuery;
use crate::params::{Form, Parameter};
use crate::renderer::{Keep, Part, RenderRequest, RendererError, SliceName, assembled};
use crate::spider::ScanId;
use crate::volume::ElementType;
use crate::worker_pool::{Flow, Reservation};

/// Bytes of a batch at most: below what a ZIP file without extensions can say.
pub(super) const MOST_BYTES: u64 = 3 << 30;

/// What is wanted, in this order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "items": [{ "scan_id": "1_t1", "slice": "mid" }, { "scan_id": "1_t1", "slice": 0 }] }))]
pub(in crate::http) struct Batch {
    /// At least one, at most 4096 unless configured otherwise.
    #[schemars(length(min = 1, max = 4096))]
    items: Vec<Item>,
}

/// One slice.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Item {
    /// Name of the scan, such as `1_t2`.
    scan_id: String,
    /// Index of the slice, or `mid`, or `best`.
    slice: SliceOf,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "slice is a whole number from 0, \"mid\" or \"best\"")]
enum SliceOf {
    Number(u32),
    Name(String),
}

/// The parameters of a batch: those of its pairs.
pub(in crate::http) fn batch_parameters() -> Vec<Parameter> {
    let format = Parameter {
        name: "format",
        allowed: "npz (image and mask), npy (images alone)",
        form: Form::Choice(&["npz", "npy"]),
        description: "The file: arrays stacked along a new first axis.",
        example: "npy",
    };
    [vec![format], PairQuery::parameters()].concat()
}

/// `POST /v1/batch`
pub(in crate::http) fn batch() -> MethodRouter<App> {
    post(async move |request: ApiRequest, body: Body| {
        let (app, valid) = (&request.app, batch_parameters());
        let only_images = request.parameters(&valid)?.value("format", |text| match text {
            "npz" => Some(false),
            "npy" => Some(true),
            _ => None,
        })?;
        require_json(&request.headers)?;
        let body = body_bytes(body, app, app.limits().body_bytes).await?;
        let batch = read(&body, app.limits().batch_slices)?;
        drop(body);
        let held = app.renderer().pool().budget().reserve(Flow::interactive(), batch.items.len() as u64 * Pair::BYTES);
        let held = held.await.map_err(RendererError::Memory)?;
        let ordered = render_requests(&request, &batch, &PairQuery::parse(request.raw_pairs())?).await?;
        send(app, ordered, held, only_images.unwrap_or(false))
    })
}

fn read(body: &Bytes, most: usize) -> Result<Batch, Problem> {
    let invalid = |why: String| {
        let shape = r#"send {"items": [{"scan_id": "1_t2", "slice": 4}, …]} as application/json"#;
        Problem::new(Code::InvalidBody, format!("{why}; {shape}"))
    };
    let batch: Batch =
        serde_json::from_slice(body).map_err(|error| invalid(format!("the body cannot be read: {error}")))?;
    if (1..=most).contains(&batch.items.len()) {
        Ok(batch)
    } else {
        Err(invalid(format!("a batch has 1 to {most} items, this one has {}", batch.items.len())))
    }
}

/// Every item checked, before the first one is rendered; all of one shape and type.
async fn render_requests(request: &ApiRequest, batch: &Batch, query: &PairQuery) -> Result<Vec<Pair>, Problem> {
    let mut pairs: Vec<Pair> = Vec::with_capacity(batch.items.len());
    for (n, item) in batch.items.iter().enumerate() {
        let pair = render_request(request, item, query).await.map_err(|problem| problem.at(&format!("items[{n}]")))?;
        if let Some(first) = pairs.first() {
            let (one, other) = (&first.image, &pair.image);
            if (one.canvas(), one.element()) != (other.canvas(), other.element()) {
                let detail = format!(
                    "items[{n}] is {:?} {} and items[0] is {:?} {}; a batch has one shape and one type: give size and dtype",
                    other.canvas(),
                    other.element(),
                    one.canvas(),
                    one.element()
                );
                return Err(Problem::parameter(Code::ConflictingParameters, &format!("items[{n}]"), detail));
            }
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

async fn render_request(request: &ApiRequest, item: &Item, query: &PairQuery) -> Result<Pair, Problem> {
    let scan: ScanId = item.scan_id.parse().map_err(|error| Problem::new(Code::UnknownScan, format!("{error}")))?;
    let slice = match &item.slice {
        SliceOf::Number(number) => SliceName::Number(*number as usize),
        SliceOf::Name(name) => SliceName::parse(name)?,
    };
    request.found(Pair::render_request(request.app.renderer(), &request.catalogue, scan, &slice, query)).await
}

fn send(app: &App, pairs: Vec<Pair>, held: Reservation, only_images: bool) -> Result<Response, Problem> {
    let Some(first) = pairs.first() else { return Err(Problem::retry()) };
    let count = pairs.len();
    let image_header = npy::header(first.image.element(), &[&[count], &first.image_shape()[..]].concat());
    let mask_header = npy::header(ElementType::Uint8, &[&[count], &first.mask.canvas()[..]].concat());
    let image_len = image_header.len() as u64 + pairs.iter().map(Pair::image_len).sum::<u64>();
    let mask_len = mask_header.len() as u64 + pairs.iter().map(|pair| pair.mask.elements_len()).sum::<u64>();
    let facts = facts(&pairs);
    let member = |name: &str, len| zip::Member { name: name.to_owned(), len };
    let mut members = vec![member("image.npy", image_len), member("mask.npy", mask_len)];
    members.extend(facts.iter().map(|(name, bytes)| member(name, bytes.len() as u64)));
    let len = if only_images { image_len } else { zip::len(&members) };
    if len > MOST_BYTES {
        let detail =
            format!("the batch would have {len} bytes; at most {MOST_BYTES} are sent: ask for fewer or smaller slices");
        return Err(Problem::new(Code::OutputTooLarge, detail));
    }
    let (renderer, flow) = (Arc::clone(app.renderer()), Flow::bulk());
    // What is reserved for the list lasts as long as the list.
    let pairs = Arc::new((pairs, held));
    let ahead = renderer.read_ahead();
    let elements = move |header: Vec<u8>, of: fn(&Pair) -> Vec<RenderRequest>| {
        let (renderer, pairs) = (Arc::clone(&renderer), Arc::clone(&pairs));
        let render_requests = (0..count).flat_map(move |n| pairs.0.get(n).map(of).unwrap_or_default());
        let parts =
            render_requests.flat_map(move |render_request| Part::elements(&renderer, render_request, Keep::Yes, flow));
        assembled(ahead, std::iter::once(Part::ready(header)).chain(parts))
    };
    let images = elements.clone()(image_header, |pair| pair.channels().collect());
    let body = if only_images {
        Body::from_stream(images.inspect_err(stream_error))
    } else {
        let facts = facts.into_iter().map(|(_, bytes)| stream::once(async { Ok(bytes) }).boxed());
        let masks = elements(mask_header, |pair| vec![pair.mask.clone()]);
        let contents = [images.boxed(), masks.boxed()].into_iter().chain(facts);
        Body::from_stream(archived(members.into_iter().zip(contents).collect()).inspect_err(stream_error))
    };
    let mut response = Caching::NO_STORE.attach(Response::new(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(NPZ));
    let name = if only_images { "batch.npy" } else { "batch.npz" };
    headers.extend(disposition::of_file(name).map(|value| (header::CONTENT_DISPOSITION, value)));
    Ok(response)
}

/// Arrays that name each of the slices and place it: `scan_id`, `slice`, and `affine` as a pair has it.
fn facts(pairs: &[Pair]) -> [(&'static str, Bytes); 3] {
    let count = pairs.len();
    let scans: Vec<_> = pairs.iter().map(|pair| pair.image.scan().to_string()).collect();
    let slices = pairs.iter().flat_map(|pair| (pair.image.slice() as i64).to_le_bytes());
    let affines = pairs.iter().flat_map(|pair| pair.image.affine_lps().into_iter().flatten());
    let slices: Vec<_> = npy::header(ElementType::Int64, &[count]).into_iter().chain(slices).collect();
    let affine_header = npy::header(ElementType::Float64, &[count, 4, 4]);
    let affines: Vec<_> = affine_header.into_iter().chain(affines.flat_map(f64::to_le_bytes)).collect();
    [("scan_id.npy", npy::texts(&scans).into()), ("slice.npy", slices.into()), ("affine.npy", affines.into())]
}

pub(super) type Chunks = stream::BoxStream<'static, Result<Bytes, RendererError>>;

/// An archive of these members, sent while they are made.
pub(super) fn archived(
    members: Vec<(zip::Member, Chunks)>,
) -> impl stream::Stream<Item = Result<Bytes, RendererError>> {
    let state = (zip::Archive::default(), members.into_iter(), None::<Chunks>, false);
    stream::try_unfold(state, async |(mut archive, mut members, mut current, ended)| {
        if ended {
            return Ok(None);
        }
        if let Some(chunks) = &mut current {
            let bytes = match chunks.next().await.transpose()? {
                Some(chunk) => {
                    archive.update(&chunk);
                    chunk
                }
                None => {
                    current = None;
                    archive.finish_member().into()
                }
            };
            return Ok(Some((bytes, (archive, members, current, false))));
        }
        match members.next() {
            Some((member, chunks)) => {
                let header = archive.begin(member);
                Ok(Some((header.into(), (archive, members, Some(chunks), false))))
            }
            None => {
                let end = std::mem::take(&mut archive).finish();
                Ok(Some((end.into(), (archive, members, None, true))))
            }
        }
    })
}
