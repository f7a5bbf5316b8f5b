//! What the process tells of its work: lines on standard error and, on request, spans to an OpenTelemetry collector.

use std::io::IsTerminal;

use clap::{ArgAction, Args};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::Failure;
use super::settings::boolean;

const LOG_JSON: &str = "SAGITTAL_LOG_JSON";

/// What to tell, and to whom.
#[derive(Debug, Args)]
pub(super) struct LogSettings {
    /// How much to log to standard error: error, warn, info, debug, or a filter such as `sagittal=debug`.
    #[arg(long, global = true, env = "SAGITTAL_LOG", default_value = "info")]
    log: String,
    /// Log one JSON object per line.
    #[arg(long, global = true, env = LOG_JSON, value_parser = boolean(LOG_JSON), action = ArgAction::SetTrue)]
    log_json: bool,
    /// Collector that takes a span for every request (OTLP over HTTP), such as `http://127.0.0.1:4318`.
    #[arg(long, global = true, env = "SAGITTAL_OTLP", value_name = "URL")]
    otlp: Option<String>,
}

/// Sends the last spans off when it goes.
#[derive(Debug)]
pub(super) struct Traces(Option<SdkTracerProvider>);

impl Drop for Traces {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.as_ref().map(SdkTracerProvider::shutdown) {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

/// Begins to log. Spans are sent as long as the value lives.
pub(super) fn start(settings: &LogSettings) -> Result<Traces, Failure> {
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines = if settings.log_json { lines.json().boxed() } else { lines.with_target(false).boxed() };
    let provider = settings.otlp.as_deref().map(provider).transpose()?;
    let spans = provider.as_ref().map(|provider| {
        let tracer: SdkTracer = provider.tracer("sagittal");
        // Requests, whatever is logged; what the sending itself does is not traced, or it would go on for ever.
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(filter_fn(|of| {
            of.target().starts_with("sagittal") && (of.is_span() || *of.level() <= tracing::Level::INFO)
        }))
    });
    tracing_subscriber::registry().with(lines.with_filter(filter(&settings.log)?)).with(spans).init();
    Ok(Traces(provider))
}

fn filter(text: &str) -> Result<Targets, Failure> {
    text.parse().map_err(|error| format!("--log {text:?} is not a log filter: {error}").into())
}

fn provider(collector: &str) -> Result<SdkTracerProvider, Failure> {
    crate::tls::select_provider();
    let endpoint = format!("{}/v1/traces", collector.trim_end_matches('/'));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| format!("--otlp {collector:?} cannot be used: {error}"))?;
    let resource = Resource::builder().with_service_name("sagittal").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn log_filters_are_a_level_or_levels_of_modules() {
        let info = filter("info").unwrap();
        assert!(info.would_enable("hyper", &Level::INFO) && !info.would_enable("sagittal::http", &Level::DEBUG));
        let ours = filter("warn,sagittal=debug").unwrap();
        assert!(ours.would_enable("sagittal::http", &Level::DEBUG) && !ours.would_enable("hyper", &Level::INFO));
        let refused = filter("sagittal=loud").unwrap_err().to_string();
        assert!(refused.starts_with("--log \"sagittal=loud\" is not a log filter"), "{refused}");
    }
}
