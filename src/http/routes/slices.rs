use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::bodies::Links;
use super::links;
use super::listing::Listing;
use crate::http::extract::{ScanPath, SlicePath};
use crate::http::responses::documents::Answer;
use crate::http::responses::problem::{Code, Problem};
use crate::http::state::{ApiRequest, known_volume};
use crate::imaging::{Layout, SliceView};
use crate::index::SliceRow;
use crate::params::{Form, Parameter};
use crate::renderer::{SliceName, Snapshot};
use crate::spider::{Label, LabelClass, ScanId};
use crate::volume::{Geometry, Grid, Point, SliceLabel};

/// One slice and the labels in it.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct SliceBody {
    #[schemars(with = "String")]
    scan_id: ScanId,
    slice: usize,
    labelled_pixels: u64,
    labels: Vec<SliceLabelBody>,
    links: Links,
}

/// One label in one slice; boxes are inclusive.
#[derive(Debug, Serialize, JsonSchema)]
struct SliceLabelBody {
    label: Label,
    class: LabelClass,
    name: Option<String>,
    pixels: u64,
    rows: (u64, u64),
    columns: (u64, u64),
    /// Row, column.
    centroid: [f64; 2],
    centroid_mm_lps: Point,
}

pub(in crate::http) const PARAMETERS: [Parameter; 1] = [Parameter {
    name: "layout",
    allowed: "canonical, stored",
    form: Form::Choice(Layout::NAMES),
    description: "stored addresses and orients slices as the files and the Hugging Face edition do",
    example: "stored",
}];

/// `GET /v1/scans/{id}/slices`
pub(in crate::http) async fn list(ScanPath(scan): ScanPath, request: ApiRequest) -> Result<Response, Problem> {
    let body = async {
        let layout = layout(&request)?;
        let snapshot = request.snapshot().await?;
        let (slices, _) = slices(&snapshot, scan, layout).await?;
        Ok(Answer::of(&snapshot, Listing::whole(slices)))
    };
    request.answer(body).await
}

/// `GET /v1/scans/{id}/slices/{k}`
pub(in crate::http) async fn show(
    ScanPath(scan): ScanPath,
    SlicePath(name): SlicePath,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let body = async {
        let layout = layout(&request)?;
        let snapshot = request.snapshot().await?;
        let (mut slices, best) = slices(&snapshot, scan, layout).await?;
        let wanted = SliceName::parse(&name)?.among(slices.len(), Some(best))?;
        Ok(Answer::of(&snapshot, slices.swap_remove(wanted)))
    };
    request.answer(body).await
}

fn layout(request: &ApiRequest) -> Result<Layout, Problem> {
    Ok(request.parameters(&PARAMETERS)?.parsed("layout")?.unwrap_or(Layout::Canonical))
}

/// The slices of a scan in a layout, and the index of the best one.
async fn slices(snapshot: &Snapshot, scan: ScanId, layout: Layout) -> Result<(Vec<SliceBody>, usize), Problem> {
    let volume = known_volume(snapshot, scan).await?;
    let Grid { canonical, to_canonical, .. } = volume.grid;
    let view = SliceView::new(canonical.shape(), to_canonical, layout);
    let Some(best) = view.showing(volume.best_slice) else {
        let detail = format!("layout=stored has no labels for {scan}: the slices of its file are not sagittal");
        return Err(Problem::parameter(Code::LayoutUnavailable, "layout", detail));
    };
    let rows = snapshot.index.slices(scan).await?;
    let mut slices: Vec<_> = rows.iter().filter_map(|row| slice_body(scan, row, &canonical, &view, layout)).collect();
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
        links: links::of_slice(scan, &slice.to_string(), query),
    })
}

fn label_body(found: &SliceLabel, geometry: &Geometry, view: &SliceView) -> SliceLabelBody {
    let [row, column] = found.centroid;
    let corner = |rows: usize, columns: usize| view.point([rows as f64, columns as f64]);
    let (one, other) = (corner(found.rows.0, found.columns.0), corner(found.rows.1, found.columns.1));
    // A flipped axis puts the last pixel first.
    let [rows, columns] = [0, 1].map(|n: usize| (one[n].min(other[n]) as u64, one[n].max(other[n]) as u64));
    SliceLabelBody {
        label: found.label,
        class: found.label.class(),
        name: found.label.name(),
        pixels: found.pixels,
        rows,
        columns,
        centroid: view.point(found.centroid),
        centroid_mm_lps: geometry.world([found.slice as f64, row, column]),
    }
}
