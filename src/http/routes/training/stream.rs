//! `GET /v1/stream.tar`: samples for WebDataset.

use std::sync::Arc;

use axum::http::HeaderValue;
use axum::routing::{MethodRouter, get};

use crate::bundles;
use crate::bundles::{StreamQuery, StreamSource};
use crate::http::responses::problem::Problem;
use crate::http::responses::provenance::SAMPLES;
use crate::http::state::{ApiRequest, App};
use crate::renderer::Snapshot;

/// `GET /v1/stream.tar`
pub(in crate::http) fn stream() -> MethodRouter<App> {
    get(async move |request: ApiRequest| {
        let query = StreamQuery::parse(request.raw_pairs())?;
        let Snapshot { catalogue, index } = request.snapshot().await?;
        let samples = query.samples(&index).await?;
        drop(index);
        let (count, revision) = (samples.len(), catalogue.revision);
        let version = ["stream", request.address(), &revision.to_string()].map(str::to_owned);
        let (renderer, samples_of) = (Arc::clone(request.app.renderer()), Arc::clone(request.app.samples()));
        let source = StreamSource { renderer, catalogue, samples: samples_of };
        let stream = bundles::stream(source, query, samples, version.into()).await?;
        let mut response = request.send(&stream, revision).await?;
        response.headers_mut().insert(SAMPLES, HeaderValue::from(count));
        Ok::<_, Problem>(response)
    })
}
