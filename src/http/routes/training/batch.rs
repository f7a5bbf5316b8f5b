//! `POST /v1/batch`: many slices, in the requested order, as one file.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::bundles;
use crate::bundles::Pair;
use crate::http::extract::{body_bytes, require_json};
use crate::http::responses::caching::Caching;
use crate::http::responses::disposition;
use crate::http::responses::files::{sendable, streamed};
use crate::http::responses::problem::{Code, Problem};
use crate::http::state::{ApiRequest, App};
use crate::imaging::PairQuery;
use crate::params::{Form, Parameter};
use crate::renderer::{RendererError, SliceName};
use crate::spider::ScanId;
use crate::worker_pool::{Flow, Reservation};

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
        let only_images = request.parameters(&valid)?.text("format") == Some("npy");
        require_json(&request.headers)?;
        let body = body_bytes(body, app, app.limits().body_bytes).await?;
        let batch = read(&body, app.limits().batch_slices)?;
        drop(body);
        let held = app.renderer().pool().budget().reserve(Flow::interactive(), batch.items.len() as u64 * Pair::BYTES);
        let held = held.await.map_err(RendererError::Memory)?;
        let ordered = render_requests(&request, &batch, &PairQuery::parse(request.raw_pairs())?).await?;
        send(app, ordered, held, only_images)
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
            let (one, other) = (first.image(), pair.image());
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
    request.found(Pair::new(request.app.renderer(), &request.catalogue, scan, &slice, query)).await
}

fn send(app: &App, pairs: Vec<Pair>, held: Reservation, only_images: bool) -> Result<Response, Problem> {
    let bundle = bundles::batch(app.renderer(), pairs, held, only_images).ok_or_else(Problem::retry)?;
    let (bundle, len) = sendable(bundle, "the batch", "ask for fewer or smaller slices")?;
    let mut response = Caching::NO_STORE.attach(Response::new(streamed(bundle.chunks())));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(bundle.media_type()));
    let name = if only_images { "batch.npy" } else { "batch.npz" };
    headers.extend(disposition::of_file(name).map(|value| (header::CONTENT_DISPOSITION, value)));
    Ok(response)
}
