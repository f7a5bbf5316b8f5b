//! The table of routes, and one module per resource with its handlers.

pub(super) mod audit;
pub(super) mod bodies;
pub(super) mod croissant;
pub(super) mod dataset;
pub(super) mod evaluation;
pub(super) mod exports;
pub(super) mod health;
pub(super) mod hub;
pub(super) mod images;
pub(super) mod labels;
pub(super) mod links;
pub(super) mod listing;
pub(super) mod metrics;
pub(super) mod pages;
pub(super) mod patches;
pub(super) mod patients;
pub(super) mod python;
pub(super) mod route;
pub(super) mod scans;
pub(super) mod signable;
pub(super) mod slices;
pub(super) mod splits;
pub(super) mod stats;
pub(super) mod tables;
pub(super) mod training;
pub(super) mod volumes;
pub(super) mod zarr;

use axum::routing::get;

use super::middleware::auth;
use super::openapi::AnyObject;
use super::responses::headers::{FILE_NAME, PAGE, PLACE, SAMPLES};
use super::responses::problem::Code;
use super::viewer;
use crate::bundles::StreamQuery;
use crate::imaging::{ImageKind, PairQuery};
use crate::query::Table;
use audit::AuditBody;
use auth::SignedBody;
use bodies::{LabelBody, ScanDetail};
use dataset::DatasetBody;
use evaluation::EvaluationBody;
use exports::ExportBody;
use health::{AliveBody, ReadyBody};
use listing::Listing;
use patients::PatientDetail;
use route::{OF_RENDERING, Route, SERVICE};
use slices::SliceBody;
use splits::SplitsBody;
use stats::StatsBody;
use training::Batch;

const DATA: &str = "dataset";
const EVALUATION: &str = "evaluation";
const TRAINING: &str = "training";

/// Every route of the service, in the order of the documentation.
pub(super) fn table() -> Vec<Route> {
    let mut routes = vec![
        Route::json::<DatasetBody, _>(
            "/v1/dataset",
            dataset::show,
            (DATA, "get_dataset", "Describe the dataset and what of it is imported"),
        ),
        Route::json::<Listing<LabelBody>, _>(
            "/v1/labels",
            labels::list,
            (DATA, "list_labels", "List the labels of the masks"),
        ),
        Route::json::<SplitsBody, _>(
            "/v1/splits",
            splits::show,
            (DATA, "get_splits", "List the split of every patient"),
        )
        .taking(&splits::PARAMETERS),
        Route::json::<StatsBody, _>(
            "/v1/stats",
            stats::show,
            (DATA, "get_stats", "Count, cross-tabulate and summarise"),
        )
        .taking(&stats::all_parameters())
        .failing(&[Code::QueryTooSlow]),
        Route::json::<AuditBody, _>("/v1/audit", audit::list, (DATA, "list_audit", "List findings on data quality"))
            .taking(&audit::PARAMETERS),
        Route::json::<PatientDetail, _>(
            "/v1/patients/{id}",
            patients::show,
            (DATA, "get_patient", "Get a patient with scans and gradings"),
        ),
        Route::json::<ScanDetail, _>(
            "/v1/scans/{id}",
            scans::show,
            (DATA, "get_scan", "Get everything about one scan"),
        ),
        Route::json::<AnyObject, _>(
            "/v1/scans/{id}/metadata",
            scans::metadata,
            (DATA, "get_metadata", "Get a scan's row of the overview"),
        )
        .taking(&scans::FORMAT),
        Route::json::<AnyObject, _>(
            "/v1/scans/{id}/gradings",
            scans::gradings,
            (DATA, "get_scan_gradings", "Get the gradings of a scan's patient"),
        )
        .taking(&scans::FORMAT),
        Route::json::<Listing<SliceBody>, _>(
            "/v1/scans/{id}/slices",
            slices::list,
            (DATA, "list_scan_slices", "List a scan's slices with the labels in them"),
        )
        .taking(&slices::PARAMETERS)
        .failing(&[Code::NoVolume, Code::LayoutUnavailable]),
        Route::json::<SliceBody, _>(
            "/v1/scans/{id}/slices/{k}",
            slices::show,
            (DATA, "get_slice", "Get one slice with the labels in it"),
        )
        .taking(&slices::PARAMETERS)
        .failing(&[Code::NoVolume, Code::LayoutUnavailable]),
    ];
    routes.extend(Route::table(Table::Scans, "List scans"));
    routes.extend(Route::table(Table::Slices, "List slices across scans"));
    routes.extend(Route::table(Table::Discs, "List discs across scans, with their gradings"));
    routes.extend(Route::table(Table::Gradings, "List gradings, one row per patient and disc"));
    routes.extend(Route::table(Table::Patients, "List patients"));
    routes.extend([
        Route::image(ImageKind::ImagePng, "Render a slice as PNG"),
        Route::image(ImageKind::ImageNpy, "Render a slice as NumPy array"),
        Route::image(ImageKind::MaskPng, "Render a slice's mask as PNG"),
        Route::image(ImageKind::MaskNpy, "Render a slice's mask as NumPy array"),
        Route::image(ImageKind::OverlayPng, "Render a slice with its labels in colour"),
        Route::image(ImageKind::MontagePng, "Render three slices of a scan, plain and with labels"),
    ]);
    routes.extend(
        [
            Route::volumes(ImageKind::ImageNpy, "Get a whole scan"),
            Route::volumes(ImageKind::MaskNpy, "Get a whole mask"),
        ]
        .into_iter()
        .flatten(),
    );
    routes.extend([
        Route::bytes(
            "/v1/scans/{id}/slices/{k}/pair.npz",
            training::pair(),
            (TRAINING, "get_pair", "Get an image and its mask, with spacing and affine, in one file"),
            "application/octet-stream",
        )
        .taking(&PairQuery::parameters())
        .with_ranges()
        .sending(&[&PLACE[..], &FILE_NAME].concat())
        .failing(&OF_RENDERING)
        .failing(&[Code::NoVolume]),
        Route::bytes(
            "/v1/batch",
            training::batch(),
            (TRAINING, "post_batch", "Get many slices, in the requested order, in one file"),
            "application/octet-stream",
        )
        .taking(&training::batch_parameters())
        .sending(&FILE_NAME)
        .failing(&OF_RENDERING)
        .failing(&[Code::UnknownScan, Code::NoVolume, Code::UnknownSlice])
        .posting::<Batch>(),
        Route::bytes(
            "/v1/stream.tar",
            training::stream(),
            (TRAINING, "get_stream", "Stream samples for WebDataset: shuffled, shared, resumable"),
            "application/x-tar",
        )
        .taking(&StreamQuery::parameters())
        .with_ranges()
        .sending(&[&SAMPLES[..], &FILE_NAME].concat())
        .failing(&OF_RENDERING)
        .failing(&[Code::QueryTooSlow]),
        Route::json_of_file::<EvaluationBody, _>(
            "/v1/scans/{id}/evaluation",
            evaluation::score,
            (EVALUATION, "post_evaluation", "Score a predicted mask"),
        )
        .taking(&evaluation::PARAMETERS)
        .failing(&[
            Code::NoVolume,
            Code::GridMismatch,
            Code::OutputTooLarge,
            Code::Overloaded,
            Code::ScanReplaced,
            Code::StorageUnreachable,
        ]),
        Route::json::<Listing<ExportBody>, _>(
            "/v1/exports",
            exports::list,
            (TRAINING, "list_exports", "List the files exported for other loaders"),
        )
        .apart_from_data(),
        Route::patch(false, "Render a disc cut out of its slice, as PNG"),
        Route::patch(true, "Render a disc cut out of its slice, or of all its slices, as NumPy array"),
        Route::json::<SignedBody, _>(
            "/v1/signed",
            auth::sign,
            (SERVICE, "get_signed_url", "Create a time-limited signed URL"),
        )
        .taking(&auth::PARAMETERS)
        .requiring("url")
        .apart_from_data(),
        Route::json::<AliveBody, _>("/healthz", health::alive, (SERVICE, "get_health", "Liveness probe"))
            .apart_from_data(),
        Route::json::<ReadyBody, _>("/readyz", health::ready, (SERVICE, "get_readiness", "Readiness probe"))
            .failing(&[Code::NotReady])
            .apart_from_data(),
        Route::bytes("/", get(viewer::page), (SERVICE, "get_viewer", "Open the viewer"), "text/html")
            .with_ranges()
            .sending(&PAGE)
            .apart_from_data(),
        Route::bytes("/docs", get(pages::docs), (SERVICE, "get_docs", "Open the API documentation"), "text/html")
            .sending(&PAGE)
            .apart_from_data(),
        Route::bytes(
            "/metrics",
            get(metrics::show),
            (SERVICE, "get_metrics", "Get metrics for Prometheus"),
            "application/openmetrics-text",
        )
        .failing(&[Code::IndexUnavailable])
        .apart_from_data(),
        Route::bytes(
            "/problems",
            get(pages::problems),
            (SERVICE, "list_problems", "List the kinds of problem"),
            "text/html",
        )
        .sending(&PAGE)
        .apart_from_data(),
        Route::bytes(
            "/problems/{code}",
            get(pages::problem),
            (SERVICE, "get_problem", "Describe one kind of problem"),
            "text/html",
        )
        .sending(&PAGE)
        .apart_from_data(),
    ]);
    routes
}
