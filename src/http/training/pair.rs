//! `GET /v1/scans/{id}/slices/{k}/pair.npz`: an image and its mask in one file.

use axum::response::Response;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;

use crate::formats::{npy, zip};
use crate::http::app::{App, Question};
use crate::http::caching::Validator;
use crate::http::extract::{ScanPath, SlicePath};
use crate::http::freshness::EntityTag;
use crate::http::problem::Problem;
use crate::http::provenance::named;
use crate::http::ranges::{File, decided};
use crate::parameters::Pairs;
use crate::pictures::{Catalogue, Order, PictureError, Pictures, SliceName};
use crate::render::PairQuery;
use crate::spider::ScanId;
use crate::volume::ElementType;

/// The orders of a pair: the channels of its image, and its mask.
pub(super) struct Pair {
    pub(super) channels: Vec<Order>,
    pub(super) mask: Order,
}

impl Pair {
    /// Checks a pair. Costs no I/O.
    pub(super) fn order(
        pictures: &Pictures,
        catalogue: &Catalogue,
        scan: ScanId,
        slice: &SliceName,
        query: &PairQuery,
    ) -> Result<Self, PictureError> {
        let image = pictures.order(catalogue, scan, slice, &query.image)?;
        let mask = pictures.order(catalogue, scan, slice, &query.mask)?;
        let channels = query.channels(image.slice(), image.slices_of_view()).map(|k| image.at(k)).collect();
        Ok(Self { channels, mask })
    }

    /// The slice's own image.
    pub(super) fn image(&self) -> &Order {
        // The channels are an odd number, and the slice is in their middle.
        self.channels.get(self.channels.len() / 2).unwrap_or(&self.mask)
    }

    /// (rows, columns), or with context (channels, rows, columns).
    pub(super) fn image_shape(&self) -> Vec<usize> {
        let canvas = self.image().canvas();
        if self.channels.len() > 1 { [&[self.channels.len()], &canvas[..]].concat() } else { canvas.to_vec() }
    }

    /// A text that changes whenever the bytes of the pair do.
    pub(super) fn validator(&self) -> String {
        let Self { channels, mask } = self;
        let channels: Vec<_> = channels.iter().map(Order::validator).collect();
        format!("{} {} {}", channels.len(), channels.join(" "), mask.validator())
    }
}

/// `GET /v1/scans/{id}/slices/{k}/pair.npz`
pub(in crate::http) fn pair() -> MethodRouter<App> {
    get(async move |ScanPath(scan): ScanPath, SlicePath(slice): SlicePath, question: Question| {
        Pairs::new(question.raw_pairs(), &PairQuery::parameters())?;
        let query = PairQuery::parse(question.raw_pairs())?;
        let slice = SliceName::parse(&slice)?;
        let order = |catalogue: &Catalogue| Pair::order(question.app.pictures(), catalogue, scan, &slice, &query);
        question.retried(|catalogue| answer(&question, catalogue.revision, order(&catalogue))).await
    })
}

async fn answer(question: &Question, revision: u64, pair: Result<Pair, PictureError>) -> Result<Response, Problem> {
    let pair = question.found(pair).await?;
    let tag = EntityTag::of(&["pair", &pair.validator()]);
    let validator = Validator::of_revision(tag, revision);
    if let Some(response) = decided(&validator, &question.headers) {
        return Ok(response);
    }
    let image = pair.image().clone();
    let bytes = archive(&question.app, pair).await?.into();
    let response = File { bytes, media_type: NPZ, validator }.answer(&question.headers);
    Ok(named(response, &image, image.slice()..=image.slice()))
}

pub(super) const NPZ: &str = "application/octet-stream";

/// `image`, `mask`, `spacing` (from slice to slice, row to row, column to column, millimetres) and `affine`: (slices from
/// this one, row, column, 1) → millimetres, LPS. This slice is 0, whatever its number.
async fn archive(app: &App, pair: Pair) -> Result<Vec<u8>, PictureError> {
    let affine = pair.image().affine_lps();
    let spacing = [0, 1, 2].map(|axis: usize| affine.iter().map(|row| row[axis] * row[axis]).sum::<f64>().sqrt());
    let image_header = npy::header(pair.image().element(), &pair.image_shape());
    let mask_header = npy::header(ElementType::Uint8, &pair.mask.canvas());
    let mut members = vec![("image.npy", vec![image_header.into()])];
    for order in pair.channels {
        members[0].1.push(elements(app, order).await?);
    }
    members.push(("mask.npy", vec![mask_header.into(), elements(app, pair.mask).await?]));
    members.push(("spacing.npy", vec![numbers(&[3], &spacing)]));
    members.push(("affine.npy", vec![numbers(&[4, 4], affine.as_flattened())]));
    let len = |parts: &[Bytes]| parts.iter().map(|part| part.len() as u64).sum();
    let member = |(name, parts): &(&str, Vec<Bytes>)| zip::Member { name: (*name).to_owned(), len: len(parts) };
    let mut file = Vec::with_capacity(zip::len(&members.iter().map(member).collect::<Vec<_>>()) as usize);
    let mut archive = zip::Archive::default();
    for content in &members {
        file.extend(archive.begin(member(content)));
        for part in &content.1 {
            archive.update(part);
            file.extend_from_slice(part);
        }
        file.extend(archive.finish_member());
    }
    file.extend(archive.finish());
    Ok(file)
}

async fn elements(app: &App, order: Order) -> Result<Bytes, PictureError> {
    let (drawn, _) = app.pictures().draw(order).await?;
    Ok(drawn.bytes.slice(npy::array_start(&drawn.bytes).unwrap_or(0)..))
}

fn numbers(shape: &[usize], values: &[f64]) -> Bytes {
    let mut file = npy::header(ElementType::Float64, shape);
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    file.into()
}
