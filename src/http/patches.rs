//! Discs cut out of their slices.

use std::sync::Arc;

use axum::response::Response;
use axum::routing::{MethodRouter, get};

use super::app::{App, Question, known_volume};
use super::caching::Validator;
use super::extract::{DiscPath, ScanPath};
use super::freshness::EntityTag;
use super::pictures::answer;
use super::problem::{Code, Problem};
use super::provenance::named;
use super::ranges::{SentFile, decided};
use crate::formats::npy;
use crate::parameters::{ParameterError, plain};
use crate::pictures::{Catalogue, Keep, Order, Part, SliceName, Snapshot};
use crate::pool::Flow;
use crate::render::PatchQuery;
use crate::spider::{Label, LabelClass, ScanId};
use crate::volume::VolumeLabel;

/// `GET /v1/scans/{id}/discs/{label}/patch.png|npy`
pub(super) fn show(is_npy: bool) -> MethodRouter<App> {
    get(async move |ScanPath(scan): ScanPath, DiscPath(label): DiscPath, question: Question| {
        let query = PatchQuery::parse(is_npy, question.raw_pairs())?;
        // Where the disc lies is in the index only: the catalogue that goes with it is the snapshot's.
        question.retried(|_| patch(&question, scan, &label, &query)).await
    })
}

async fn patch(question: &Question, scan: ScanId, label: &str, query: &PatchQuery) -> Result<Response, Problem> {
    let (catalogue, disc) = {
        let snapshot = question.snapshot().await?;
        let disc = disc(&snapshot, scan, label).await?;
        (snapshot.catalogue, disc)
    };
    if query.is_volume {
        volume(question, &catalogue, scan, &disc, query).await
    } else {
        slice(question, &catalogue, scan, &disc, query).await
    }
}

/// The disc in the scan's mask.
async fn disc(snapshot: &Snapshot, scan: ScanId, text: &str) -> Result<VolumeLabel, Problem> {
    if snapshot.catalogue.group(scan).is_none() {
        known_volume(snapshot, scan).await?;
    }
    let labels = snapshot.index.labels(scan).await?;
    let discs: Vec<_> = labels.into_iter().filter(|found| found.label.class() == LabelClass::Disc).collect();
    let asked = plain(text).map(Label);
    let found = discs.iter().find(|found| Some(found.label) == asked);
    found.copied().ok_or_else(|| {
        let there: Vec<_> = discs.iter().map(|found| found.label.0.to_string()).collect();
        Problem::new(Code::UnknownDisc, format!("{scan} has no disc {text}; its discs are {}", there.join(", ")))
    })
}

async fn slice(
    question: &Question,
    catalogue: &Arc<Catalogue>,
    scan: ScanId,
    disc: &VolumeLabel,
    query: &PatchQuery,
) -> Result<Response, Problem> {
    let (_, spacing) = catalogue.grid(scan)?;
    let (name, picture) = (SliceName::Number(disc.best_slice), query.around(disc, spacing));
    let order = question.app.pictures().order(catalogue, scan, &name, &picture)?;
    let response = answer(question, catalogue.revision, Ok(order.clone())).await?;
    Ok(named(response, &order, disc.best_slice..=disc.best_slice))
}

/// All slices of the patch, one after the other, under one header.
async fn volume(
    question: &Question,
    catalogue: &Arc<Catalogue>,
    scan: ScanId,
    disc: &VolumeLabel,
    query: &PatchQuery,
) -> Result<Response, Problem> {
    let pictures = question.app.pictures();
    let (count, spacing) = catalogue.grid(scan)?;
    let slices = query.slices(disc, count, spacing[0]);
    let picture = query.around(disc, spacing);
    let orders = slices.clone().map(|slice| pictures.order(catalogue, scan, &SliceName::Number(slice), &picture));
    let orders: Vec<Order> = orders.collect::<Result<_, _>>()?;
    let Some(first) = orders.first().cloned() else { return Err(Problem::retry()) };
    let [height, width] = first.canvas();
    let pixels = (orders.len() * height * width) as u64;
    if pixels > pictures.max_pixels() {
        let message = format!(
            "{} slices of {width} × {height} pixels are too large; at most {} pixels are drawn",
            orders.len(),
            pictures.max_pixels()
        );
        return Err(ParameterError::other("output_too_large", "spacing", message).into());
    }
    let validators: Vec<_> = orders.iter().map(Order::validator).collect();
    let tag = EntityTag::of(&validators.iter().map(String::as_str).collect::<Vec<_>>());
    let validator = Validator::of_revision(tag, catalogue.revision);
    if let Some(response) = decided(&validator, &question.headers) {
        return Ok(response);
    }
    let header = npy::header(first.element(), &[orders.len(), height, width]);
    let len = header.len() as u64 + orders.iter().map(Order::elements_len).sum::<u64>();
    let (pictures, flow) = (Arc::clone(pictures), Flow::interactive());
    let parts = move || {
        let (pictures, orders) = (Arc::clone(&pictures), orders.clone().into_iter());
        let elements = orders.flat_map(move |order| Part::elements(&pictures, order, Keep::Yes, flow));
        std::iter::once(Part::ready(header.clone())).chain(elements)
    };
    let file = SentFile { len: Some(len), validator, media_type: "application/octet-stream" };
    let response = file.answer(&question.app, &question.headers, parts).await?;
    Ok(named(response, &first, slices))
}
