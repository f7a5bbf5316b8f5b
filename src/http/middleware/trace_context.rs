//! `traceparent` and `tracestate` (W3C Trace Context): the span of a request belongs to the trace of its sender.

use axum::http::{HeaderMap, HeaderName};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Puts the span into the trace that the request names, if it names one.
pub(in crate::http) fn join(span: &Span, request: &HeaderMap) {
    if !request.contains_key("traceparent") {
        return;
    }
    let sender = TraceContextPropagator::new().extract(&Sent(request));
    // Fails where spans go to no collector: then there is nothing to join.
    let _ = span.set_parent(sender);
}

struct Sent<'a>(&'a HeaderMap);

impl Extractor for Sent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
