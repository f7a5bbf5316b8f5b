//! `POST /v1/scans/{id}/evaluation`: scores of a predicted mask. The mask is read, matched and measured in pieces on the worker
//! pool, as bulk work; nothing of it is stored.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use crate::evaluation::{
    Decoding, Evaluation, EvaluationError, EvaluationOptions, MaskFile, MaskLayout, PredictionMap, Rule, Scoring,
};
use crate::http::extract::{ScanPath, body_bytes, refuse_compressed};
use crate::http::responses::caching::Caching;
use crate::http::responses::problem::Problem;
use crate::http::state::{ApiRequest, App};
use crate::params::{Form, Parameter};
use crate::renderer::{Catalogue, RendererError};
use crate::spider::ScanId;
use crate::store::{StoreError, StoredSlice};
use crate::worker_pool::{Flow, Pool};

/// What reading the header of a file takes, roughly.
const OPENING_NANOSECONDS: u64 = 100_000;
/// What turning a mask or decoding a true one takes for a voxel, roughly.
const COPYING_NANOSECONDS: u64 = 2;

pub(in crate::http) const PARAMETERS: [Parameter; 4] = [
    Parameter {
        name: "rule",
        allowed: "corrected, spider",
        form: Form::Choice(Rule::NAMES),
        description: "corrected matches structures one to one and measures in millimetres; spider gives the numbers of the \
                      challenge's own script",
        example: "corrected",
    },
    Parameter {
        name: "map",
        allowed: "native, semantic (1 vertebra, 2 canal, 3 disc), semantic_vdc (1 vertebra, 2 disc, 3 canal)",
        form: Form::Choice(PredictionMap::NAMES),
        description: "What the values of the mask mean: native takes each for one structure, the others for classes",
        example: "native",
    },
    Parameter {
        name: "layout",
        allowed: "canonical, stored, file (k, j, i, as SimpleITK's GetArrayFromImage)",
        form: Form::Choice(MaskLayout::NAMES),
        description: "The axes of a .npy mask; other files say themselves where their voxels are",
        example: "canonical",
    },
    Parameter {
        name: "resample",
        allowed: "none, nearest",
        form: Form::Choice(&["none", "nearest"]),
        description: "nearest takes the nearest voxels of a mask on another grid, which is refused otherwise",
        example: "nearest",
    },
];

/// The scores of a prediction for a scan.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct EvaluationBody {
    #[schemars(with = "String")]
    scan_id: ScanId,
    #[serde(flatten)]
    evaluation: Evaluation,
}

/// `POST /v1/scans/{id}/evaluation`
pub(in crate::http) async fn score(
    ScanPath(scan): ScanPath,
    request: ApiRequest,
    body: Body,
) -> Result<Response, Problem> {
    let options = options(&request)?;
    refuse_compressed(&request.headers)?;
    // A scan that is not there is said before anything is sent.
    request.found(request.catalogue.grid(scan)).await?;
    let app = &request.app;
    let most = app.limits().mask_bytes as u64;
    let most = usize::try_from(most.min(app.renderer().pool().budget().largest())).unwrap_or(usize::MAX);
    let file = body_bytes(body, app, most).await?;
    request.retried(|catalogue| evaluate(app, catalogue, scan, file.clone(), options)).await
}

fn options(request: &ApiRequest) -> Result<EvaluationOptions, Problem> {
    let pairs = request.parameters(&PARAMETERS)?;
    Ok(EvaluationOptions {
        rule: pairs.parsed("rule")?.unwrap_or_default(),
        map: pairs.parsed("map")?.unwrap_or_default(),
        layout: pairs.parsed("layout")?,
        resample: pairs.text("resample") == Some("nearest"),
    })
}

async fn evaluate(
    app: &App,
    catalogue: Arc<Catalogue>,
    scan: ScanId,
    file: Bytes,
    options: EvaluationOptions,
) -> Result<Response, Problem> {
    let (renderer, flow) = (app.renderer(), Flow::bulk());
    let pool = renderer.pool();
    let grid = *catalogue.grid(scan)?;
    let open = move || Decoding::new(MaskFile::open(&file)?, grid, &options);
    let decoding = pool.run(flow, OPENING_NANOSECONDS, open).await.map_err(RendererError::Panicked)??;
    let reservation = pool.budget().reserve(flow, decoding.memory()).await.map_err(RendererError::Memory)?;
    let decoding = in_steps(pool, flow, decoding, Decoding::step_nanoseconds, Decoding::advance).await?;
    let cost = COPYING_NANOSECONDS * grid.canonical.voxels() as u64;
    let prediction = pool.run(flow, cost, move || decoding.finish()).await.map_err(RendererError::Panicked)??;
    let stored = renderer.stored_mask(&catalogue, scan).await?;
    let begin = move || {
        let truth = whole(&stored).map_err(|error| RendererError::Store(Arc::new(error)))?;
        Ok::<_, RendererError>(Scoring::new(truth, prediction, grid, options))
    };
    let scoring = pool.run(flow, cost, begin).await.map_err(RendererError::Panicked)???;
    let advance = |scoring: &mut Scoring| Ok(scoring.advance());
    let scoring = in_steps(pool, flow, scoring, Scoring::step_nanoseconds, advance).await?;
    let evaluation = scoring.finish();
    drop(reservation);
    Ok(Caching::NO_STORE.attach(Json(EvaluationBody { scan_id: scan, evaluation })))
}

/// Takes the steps of some work until `advance` says that it is done. Between two steps others have their turn, and if nobody
/// waits for the scores any more, work ends there.
async fn in_steps<T: Send + 'static>(
    pool: &Pool,
    flow: Flow,
    mut work: T,
    cost: fn(&T) -> u64,
    advance: fn(&mut T) -> Result<bool, EvaluationError>,
) -> Result<T, Problem> {
    loop {
        let step_cost = cost(&work);
        let step = move || advance(&mut work).map(|is_done| (work, is_done));
        let is_done;
        (work, is_done) = pool.run(flow, step_cost, step).await.map_err(RendererError::Panicked)??;
        if is_done {
            return Ok(work);
        }
    }
}

/// The labels of all slices.
fn whole(slices: &[StoredSlice]) -> Result<Vec<u8>, StoreError> {
    let mut labels = Vec::new();
    for slice in slices {
        let voxels = slice.voxels()?;
        if labels.is_empty() {
            labels.reserve_exact(voxels.len() * slices.len());
        }
        labels.extend_from_slice(&voxels);
    }
    Ok(labels)
}
