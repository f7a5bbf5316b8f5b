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
use crate::render::{Layout, SliceView};
use crate::spider::ScanId;
use crate::volume::{Geometry, Orientation, SliceLabel};

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
        question.pairs.only(&["layout"])?;
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
        question.pairs.only(&["layout"])?;
        let (mut slices, best) = slices(&question, scan).await?;
        let wanted = SliceName::parse(&name)?.among(slices.len(), Some(best))?;
        Ok(slices.swap_remove(wanted))
    };
    question.answer(body).await
}

/// The slices of a scan in the asked layout, and the index of the best one.
async fn slices(question: &Question, scan: ScanId) -> Result<(Vec<SliceBody>, usize), Problem> {
    let layout = question.pairs.value("layout", "canonical or stored")?.unwrap_or(Layout::Canonical);
    let volume = question.app.volume(scan).await?;
    let geometry = canonical(&volume);
    let view = SliceView::new(geometry.shape(), Orientation::to_canonical(&volume.source_geometry), layout);
    let Some(best) = view.showing(volume.best_slice) else {
        let detail = format!("layout=stored has no labels for {scan}: the slices of its file are not sagittal");
        return Err(Problem::parameter("layout_unavailable", "layout", detail, Vec::new()));
    };
    let rows = question.app.index().slices(scan).await?;
    let mut slices: Vec<_> = rows.iter().filter_map(|row| slice_body(scan, row, &geometry, &view, layout)).collect();
    slices.sort_by_key(|slice| slice.slice);
    Ok((slices, best))
}

fn slice_body(
    scan: ScanId,
    row: &SliceRow,
    geometry: &Geometry,
    view: &SliceView,
    layout: Layout,
) -> Option<SliceBody> {
    let slice = view.showing(row.slice)?;
    let query = if layout == Layout::Stored { "?layout=stored" } else { "" };
    Some(SliceBody {
        scan_id: scan,
        slice,
        labelled_pixels: row.labelled_pixels,
        labels: row.labels.iter().map(|found| label_body(found, geometry, view)).collect(),
        links: slice_links(scan, &slice.to_string(), query).collect(),
    })
}

fn label_body(found: &SliceLabel, geometry: &Geometry, view: &SliceView) -> Json {
    let [row, column] = found.centroid;
    let corner = |rows: usize, columns: usize| view.point([rows as f64, columns as f64]);
    let (one, other) = (corner(found.rows.0, found.columns.0), corner(found.rows.1, found.columns.1));
    // A flipped axis puts the last pixel first.
    let [rows, columns] = [0, 1].map(|n: usize| (one[n].min(other[n]) as u64, one[n].max(other[n]) as u64));
    json!({
        "label": found.label,
        "class": found.label.class(),
        "name": found.label.name(),
        "pixels": found.pixels,
        "rows": rows,
        "columns": columns,
        "centroid": view.point(found.centroid),
        "centroid_mm_lps": geometry.world([found.slice as f64, row, column]),
    })
}
