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
    /// Who is not responsible for this service.
    disclaimer: &'static str,
    licence: LicenceBody,
    /// DOI of the article.
    doi: &'static str,
    /// DOI of the release on Zenodo.
    data_doi: &'static str,
    /// Number of the article's preprint.
    arxiv: &'static str,
    citation: &'static str,
    bibtex: &'static str,
    /// Who made the masks and the gradings, and how.
    annotation: &'static str,
    /// What is known of mask values outside the label scheme.
    mask_values: &'static str,
    /// Millimetres per voxel, as the challenge describes the series.
    resolutions: Vec<ResolutionBody>,
    studies: StudiesBody,
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

/// Millimetres per voxel: from slice to slice, row to row, column to column.
#[derive(Debug, Serialize, JsonSchema)]
struct ResolutionBody {
    scan_types: &'static [ScanType],
    finest_mm: [f64; 3],
    coarsest_mm: [f64; 3],
}

/// Studies, one per patient, that the authors collected.
#[derive(Debug, Serialize, JsonSchema)]
struct StudiesBody {
    total: u32,
    /// Those of the release.
    public: u32,
    /// The hidden test set of the challenge, which is not published and not served here.
    hidden: u32,
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
            disclaimer: dataset::DISCLAIMER,
            licence: LicenceBody { id: dataset::LICENCE, url: dataset::LICENCE_URL },
            doi: dataset::DOI,
            data_doi: dataset::DATA_DOI,
            arxiv: dataset::ARXIV,
            citation: dataset::CITATION,
            bibtex: dataset::BIBTEX,
            annotation: dataset::ANNOTATION,
            mask_values: dataset::MASK_VALUES,
            resolutions: dataset::RESOLUTIONS.iter().map(ResolutionBody::new).collect(),
            studies: StudiesBody {
                total: dataset::STUDIES,
                public: dataset::STUDIES - dataset::HIDDEN_STUDIES,
                hidden: dataset::HIDDEN_STUDIES,
            },
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

impl ResolutionBody {
    fn new(resolution: &dataset::Resolution) -> Self {
        let dataset::Resolution { scan_types, finest, coarsest } = *resolution;
        Self { scan_types, finest_mm: finest, coarsest_mm: coarsest }
    }
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
