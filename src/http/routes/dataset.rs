use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::bodies::Links;
use crate::http::responses::documents::Answer;
use crate::http::responses::problem::Problem;
use crate::http::state::ApiRequest;
use crate::index::DatasetCount;
use crate::query::Table;
use crate::spider::{ScanType, Split, dataset};

/// What the data set is, and how much of it is here.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct DatasetBody {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    licence: LicenceBody,
    doi: &'static str,
    citation: &'static str,
    bibtex: &'static str,
    /// Grows with every change of what is served.
    revision: u64,
    /// Scans in the overview.
    scans: u64,
    /// Scans whose voxels are imported.
    volumes: u64,
    /// Slices of those.
    slices: u64,
    counts: Vec<CountBody>,
    /// The data set elsewhere.
    elsewhere: Vec<ElsewhereBody>,
    links: Links,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LicenceBody {
    id: &'static str,
    url: &'static str,
}

/// How many scans there are of one kind.
#[derive(Debug, Serialize, JsonSchema)]
struct CountBody {
    /// Null for scans without a row in the overview.
    split: Option<Split>,
    scan_type: ScanType,
    scans: u64,
    volumes: u64,
    slices: u64,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct ElsewhereBody {
    name: &'static str,
    url: &'static str,
}

/// `GET /v1/dataset`
pub(in crate::http) async fn show(request: ApiRequest) -> Result<Response, Problem> {
    let body = async {
        request.parameters(&[])?;
        let snapshot = request.snapshot().await?;
        let counts = snapshot.index.counts().await?;
        let sum = |of: fn(&DatasetCount) -> u64| counts.iter().map(of).sum::<u64>();
        let body = DatasetBody {
            name: dataset::NAME,
            title: dataset::TITLE,
            description: dataset::DESCRIPTION,
            licence: LicenceBody { id: dataset::LICENCE, url: dataset::LICENCE_URL },
            doi: dataset::DOI,
            citation: dataset::CITATION,
            bibtex: dataset::BIBTEX,
            revision: snapshot.catalogue.revision,
            scans: sum(|c| c.scans),
            volumes: sum(|c| c.volumes),
            slices: sum(|c| c.slices),
            counts: counts.iter().map(CountBody::new).collect(),
            elsewhere: dataset::LINKS.map(|(name, url)| ElsewhereBody { name, url }).to_vec(),
            links: links(),
        };
        Ok(Answer::of(&snapshot, body))
    };
    request.answer(body).await
}

impl CountBody {
    fn new(count: &DatasetCount) -> Self {
        let DatasetCount { split, scan_type, scans, volumes, slices } = *count;
        Self { split, scan_type, scans, volumes, slices }
    }
}

fn links() -> Links {
    let tables = Table::ALL.map(Table::name);
    let others = ["dataset", "labels", "splits", "stats", "audit", "exports"];
    let mut links: Links =
        tables.iter().chain(&others).map(|name| ((*name).to_owned(), json!(format!("/v1/{name}")))).collect();
    for (name, path) in [
        ("viewer", "/"),
        ("docs", "/docs"),
        ("croissant", "/croissant.json"),
        ("openapi", "/openapi.json"),
        ("problems", "/problems"),
    ] {
        links.insert(name.to_owned(), json!(path));
    }
    links
}
