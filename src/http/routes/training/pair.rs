//! `GET /v1/scans/{id}/slices/{k}/pair.npz`: an image and its mask in one file.

use axum::http::Method;
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use crate::bundles::Pair;
use crate::http::extract::{ScanPath, SlicePath};
use crate::http::responses::files::{decided, sendable, validator};
use crate::http::responses::problem::Problem;
use crate::http::responses::provenance::named;
use crate::http::state::{ApiRequest, App};
use crate::imaging::PairQuery;
use crate::params::Pairs;
use crate::renderer::{Catalogue, RendererError, SliceName};

/// Pairs of at most so many bytes are made before their answer begins.
const MADE_BEFORE_BYTES: u64 = 8 << 20;

/// `GET /v1/scans/{id}/slices/{k}/pair.npz`
pub(in crate::http) fn pair() -> MethodRouter<App> {
    get(async move |ScanPath(scan): ScanPath, SlicePath(slice): SlicePath, request: ApiRequest| {
        Pairs::new(request.raw_pairs(), &PairQuery::parameters())?;
        let query = PairQuery::parse(request.raw_pairs())?;
        let slice = SliceName::parse(&slice)?;
        let pair = |catalogue: &Catalogue| Pair::new(request.app.renderer(), catalogue, scan, &slice, &query);
        request.retried(|catalogue| answer(&request, catalogue.revision, pair(&catalogue))).await
    })
}

async fn answer(request: &ApiRequest, revision: u64, pair: Result<Pair, RendererError>) -> Result<Response, Problem> {
    let pair = request.found(pair).await?;
    let image = pair.image().clone();
    let (bundle, len) =
        sendable(pair.bundle(request.app.renderer()), "the pair", "ask for less context or a smaller size")?;
    let is_made_before = request.method != Method::HEAD && len <= MADE_BEFORE_BYTES;
    let bundle = if is_made_before && decided(&validator(&bundle, revision), &request.headers).is_none() {
        // What goes wrong while it is made can still be said.
        let bytes = bundle.made().await?;
        bundle.with_bytes(bytes)
    } else {
        bundle
    };
    Ok(named(request.send(&bundle, revision).await?, &image, image.slice()..=image.slice()))
}
