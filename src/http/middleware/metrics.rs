//! What the service does, in numbers, as OpenMetrics 1.0 has it (what Prometheus reads).

use std::fmt;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::auth::TokenFile;
use crate::index::DatasetCount;
use crate::renderer::Renderer;

const PREFIX: &str = "sagittal";

/// Upper edges of the latency histogram, in seconds: from a cached image to a query about a whole table.
const SECONDS: [f64; 14] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The route that a request went to; none when there was none.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct Template(Option<MatchedPath>);

impl Template {
    /// Of the route that the router has chosen for this request.
    pub(in crate::http) fn of(request: &Request) -> Self {
        Self(request.extensions().get::<MatchedPath>().cloned())
    }

    /// The route as metrics name it. Addresses that nobody serves have no name of their own: strangers must not fill the memory
    /// with labels.
    pub(in crate::http) fn route(&self) -> &str {
        self.0.as_ref().map_or("none", MatchedPath::as_str)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

type Latency = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// Counters of this process.
#[derive(Debug)]
pub(in crate::http) struct Metrics {
    registry: Registry,
    answered: Family<Answered, Counter>,
    latency: Latency,
    in_flight: Gauge,
    connections: Gauge,
    refused_connections: Counter,
    revision: Gauge,
    scans: Gauge,
    imported: Gauge,
    slices: Gauge,
    tokens: Gauge,
    skipped_token_lines: Gauge,
    is_token_file_stale: Gauge,
}

/// Something that lasts for a while, counted as long as this lives.
#[derive(Debug)]
pub(in crate::http) struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(in crate::http) fn new(renderer: &Arc<Renderer>) -> Self {
        let metrics = Self {
            registry: Registry::with_prefix(PREFIX),
            answered: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            refused_connections: Counter::default(),
            revision: Gauge::default(),
            scans: Gauge::default(),
            imported: Gauge::default(),
            slices: Gauge::default(),
            tokens: Gauge::default(),
            skipped_token_lines: Gauge::default(),
            is_token_file_stale: Gauge::default(),
        };
        metrics.registered(renderer)
    }

    fn registered(mut self, renderer: &Arc<Renderer>) -> Self {
        let registry = &mut self.registry;
        registry.register("requests", "Requests answered", self.answered.clone());
        let told = "Time until an answer begins";
        registry.register_with_unit("request_duration", told, Unit::Seconds, self.latency.clone());
        registry.register("requests_in_flight", "Requests being answered", self.in_flight.clone());
        registry.register("connections", "Open connections", self.connections.clone());
        let told = "Connections refused because there were too many";
        registry.register("connections_refused", told, self.refused_connections.clone());
        registry.register("index_revision", "Grows with every change of what is served", self.revision.clone());
        registry.register("scans", "Scans in the overview", self.scans.clone());
        let told = "Scans whose voxels are imported; below sagittal_scans while an import goes on";
        registry.register("scans_imported", told, self.imported.clone());
        registry.register("slices", "Slices that can be requested", self.slices.clone());
        registry.register("tokens", "Accepted tokens; 0 without a token file", self.tokens.clone());
        let help = "Lines of the token file that are not a token and were skipped";
        registry.register("token_file_skipped_lines", help, self.skipped_token_lines.clone());
        let help = "1 while the token file cannot be read, so that the tokens are those from before";
        registry.register("token_file_stale", help, self.is_token_file_stale.clone());
        registry.register_collector(Box::new(RendererMetrics(Arc::clone(renderer))));
        self
    }

    /// A request, counted while it is answered.
    pub(in crate::http) fn in_flight(&self) -> Counted {
        self.in_flight.inc();
        Counted(self.in_flight.clone())
    }

    /// A connection, counted while it is open.
    pub(in crate::http) fn connection(&self) -> Counted {
        self.connections.inc();
        Counted(self.connections.clone())
    }

    pub(in crate::http) fn connection_refused(&self) {
        self.refused_connections.inc();
    }

    pub(in crate::http) fn answered(&self, template: &Template, method: &Method, status: StatusCode, seconds: f64) {
        let route = template.route().to_owned();
        let method = match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::OPTIONS => "OPTIONS",
            _ => "other",
        };
        self.latency.get_or_create(&RouteLabels { route: route.clone() }).observe(seconds);
        self.answered.get_or_create(&Answered { route, method, status: status.as_u16() }).inc();
    }

    /// Takes over what the index says.
    pub(in crate::http) fn set_data(&self, revision: u64, counts: &[DatasetCount]) {
        let sum = |of: fn(&DatasetCount) -> u64| counts.iter().map(of).sum::<u64>().cast_signed();
        self.scans.set(sum(|count| count.scans));
        self.imported.set(sum(|count| count.volumes));
        self.slices.set(sum(|count| count.slices));
        self.revision.set(revision.cast_signed());
    }

    /// Takes over what the token file says.
    pub(in crate::http) fn set_tokens(&self, file: &TokenFile) {
        let tokens = file.tokens();
        self.tokens.set(tokens.len() as i64);
        self.skipped_token_lines.set(tokens.skipped_lines().len() as i64);
        self.is_token_file_stale.set(file.is_stale().into());
    }

    /// Everything, as Prometheus reads it.
    pub(in crate::http) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// What the renderer counts itself.
#[derive(Debug)]
struct RendererMetrics(Arc<Renderer>);

impl Collector for RendererMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let load = self.0.load();
        let counters = [
            ("render_cache_hits", "Renderings found in the cache", load.hits),
            ("renders", "Renderings made", load.misses),
            ("renders_shared", "Renderings shared with a request that was already waiting for them", load.shared),
            ("render_cache_evictions", "Renderings evicted from the cache", load.evicted),
            ("renders_refused", "Renderings refused because the queue was full", load.refused),
        ];
        for (name, told, count) in counters {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, told, None, MetricType::Counter)?)?;
        }
        let gauges = [
            ("render_cache_entries", "Renderings kept", load.kept),
            ("render_cache_bytes", "Memory counted for renderings kept", load.kept_bytes),
            ("render_queue", "Renderings running or waiting", load.queue),
            ("render_queue_limit", "Limit of running and waiting renderings", load.places),
        ];
        for (name, told, value) in gauges {
            let gauge = ConstGauge::new(value.cast_signed());
            gauge.encode(encoder.encode_descriptor(name, told, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}
