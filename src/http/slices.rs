use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::app::Question;
use super::bodies::{canonical, slice_links};
use super::extract::{ScanPath, SlicePath};
use super::listing::Listing;
use super::problem::Problem;
use crate::index::SliceRow;
use crate::pictures::SliceName;
use crate::spider::ScanId;
use crate::volume::{Geometry, SliceLabel};

/// One slice and the labels in it.
#[derive(Debug, Serialize)]
struct SliceBody {
    scan_id: ScanId,
    slice: usize,
    labelled_pixels: u64,
    labels: Vec<Json>,
    links: Map<String, Json>,
}

/// `GET /v1/scans/{id}/slices`
pub(super) async fn list(ScanPath(scan): ScanPath, question: Question) -> Result<Response, Problem> {
    let body = async {
        question.pairs.only(&[])?;
        let (slices, _) = slices(&question, scan).await?;
        Ok(Listing::whole(slices))
    };
    question.answer(body).await
}

/// `GET /v1/scans/{id}/slices/{k}`
pub(super) async fn show(
    ScanPath(scan): ScanPath,
    SlicePath(name): SlicePath,
    question: Question,
) -> Result<Response, Problem> {
    let body = async {
        question.pairs.only(&[])?;
        let (mut slices, best) = slices(&question, scan).await?;
        let wanted = SliceName::parse(&name)?.among(slices.len(), Some(best))?;
        Ok(slices.swap_remove(wanted))
    };
    question.answer(body).await
}

/// The slices of a scan and the index of the best one.
async fn slices(question: &Question, scan: ScanId) -> Result<(Vec<SliceBody>, usize), Problem> {
    let volume = question.app.volume(scan).await?;
    let geometry = canonical(&volume);
    let rows = question.app.index().slices(scan).await?;
    Ok((rows.iter().map(|row| slice_body(scan, row, &geometry)).collect(), volume.best_slice))
}

fn slice_body(scan: ScanId, row: &SliceRow, geometry: &Geometry) -> SliceBody {
    SliceBody {
        scan_id: scan,
        slice: row.slice,
        labelled_pixels: row.labelled_pixels,
        labels: row.labels.iter().map(|found| label_body(found, geometry)).collect(),
        links: slice_links(scan, &row.slice.to_string()).collect(),
    }
}

fn label_body(found: &SliceLabel, geometry: &Geometry) -> Json {
    let [row, column] = found.centroid;
    json!({
        "label": found.label,
        "class": found.label.class(),
        "name": found.label.name(),
        "pixels": found.pixels,
        "rows": found.rows,
        "columns": found.columns,
        "centroid": found.centroid,
        "centroid_mm_lps": geometry.world([found.slice as f64, row, column]),
    })
}
