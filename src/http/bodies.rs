//! The JSON of scans, labels and gradings, as several addresses give it.

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::index::{ScanRow, VolumeFacts};
use crate::render::stored_axes;
use crate::spider::{Grading, Label, LabelClass, Metadata, PatientId, ScanId, ScanType, Split};
use crate::volume::{Geometry, Orientation, Point, VolumeLabel};

/// What every listing says of a scan.
#[derive(Debug, Serialize)]
pub(super) struct ScanSummary {
    scan_id: ScanId,
    patient_id: PatientId,
    scan_type: ScanType,
    split: Option<Split>,
    orig_subset: Option<String>,
    /// Whether its voxels are here, and not only its row of the table.
    has_volume: bool,
    /// (slices, rows, columns).
    shape: Option<[usize; 3]>,
    spacing_mm: Option<[f64; 3]>,
    /// Of the voxels, image and mask.
    bytes: Option<u64>,
    links: Json,
}

impl ScanSummary {
    pub(super) fn new(row: &ScanRow) -> Self {
        let geometry = row.volume.as_ref().map(canonical);
        Self {
            scan_id: row.scan,
            patient_id: row.scan.patient,
            scan_type: row.scan.scan_type,
            split: row.split,
            orig_subset: row.metadata.as_ref().and_then(|m| m.text("orig_subset")).map(str::to_owned),
            has_volume: row.volume.is_some(),
            shape: geometry.map(|g| g.shape()),
            spacing_mm: geometry.map(|g| g.spacing_mm()),
            bytes: row.volume.as_ref().map(|v| v.bytes),
            links: scan_links(row.scan, row.volume.is_some()),
        }
    }
}

/// Everything about one scan.
#[derive(Debug, Serialize)]
pub(super) struct ScanDetail {
    #[serde(flatten)]
    summary: ScanSummary,
    metadata: Option<Metadata>,
    geometry: Option<Json>,
    intensity: Option<Json>,
    labels: Option<Vec<Json>>,
    gradings: Vec<GradingBody>,
    files: Option<Json>,
    /// What import found odd.
    notes: Vec<String>,
}

impl ScanDetail {
    pub(super) fn new(row: ScanRow, labels: &[VolumeLabel], gradings: &[Grading]) -> Self {
        let summary = ScanSummary::new(&row);
        let volume = row.volume.as_ref();
        let with_place = |volume: &VolumeFacts| {
            let geometry = canonical(volume);
            labels.iter().map(|found| label_body(found, &geometry)).collect()
        };
        Self {
            summary,
            geometry: volume.map(geometry_body),
            intensity: volume.map(intensity_body),
            labels: volume.map(with_place),
            gradings: gradings.iter().map(GradingBody::new).collect(),
            files: volume.map(files_body),
            notes: volume.map(|v| v.notes.clone()).unwrap_or_default(),
            metadata: row.metadata,
        }
    }
}

/// A grading with the names of what it grades.
#[derive(Debug, Serialize)]
pub(super) struct GradingBody {
    #[serde(flatten)]
    grading: Grading,
    /// The disc's value in the masks; null for level 0, which has none.
    label: Option<Label>,
    /// Assumes that the patient has no transitional vertebra.
    level_name: Option<String>,
}

impl GradingBody {
    pub(super) fn new(grading: &Grading) -> Self {
        let label = grading.mask_label();
        Self { grading: *grading, label, level_name: label.and_then(Label::name) }
    }
}

/// Shape and place of a volume in canonical layout.
pub(super) fn canonical(volume: &VolumeFacts) -> Geometry {
    Orientation::to_canonical(&volume.source_geometry).apply_to_geometry(&volume.source_geometry)
}

fn geometry_body(volume: &VolumeFacts) -> Json {
    let (geometry, source) = (canonical(volume), &volume.source_geometry);
    let mid_slice = geometry.axes[0].len / 2;
    json!({
        "axes": ["slice", "row", "column"],
        "axes_grow_towards": ["left", "inferior", "posterior"],
        "shape": geometry.shape(),
        "spacing_mm": geometry.spacing_mm(),
        "extent_mm": geometry.axes.map(|axis| axis.len as f64 * axis.spacing_mm),
        "affine_lps": geometry.affine_lps(),
        "affine_ras": geometry.affine_ras(),
        "mid_slice": mid_slice,
        "best_slice": volume.best_slice,
        "stored_layout": stored_layout(volume),
        "source": {
            "axis_codes_ijk": volume.source_axis_codes,
            "shape_kji": source.shape(),
            "spacing_mm_kji": source.spacing_mm(),
            "affine_lps_kji": source.affine_lps(),
            "affine_ras_kji": source.affine_ras(),
        },
    })
}

/// Shape and place of the volume as `layout=stored` shows it.
fn stored_layout(volume: &VolumeFacts) -> Json {
    let source = &volume.source_geometry;
    let geometry = Geometry { axes: stored_axes(source.shape()).map(|axis| source.axes[axis]), ..*source };
    json!({
        "shape": geometry.shape(),
        "spacing_mm": geometry.spacing_mm(),
        "affine_lps": geometry.affine_lps(),
        "affine_ras": geometry.affine_ras(),
    })
}

fn intensity_body(volume: &VolumeFacts) -> Json {
    json!({
        "element_type": volume.element.name(),
        "min": volume.range.0,
        "max": volume.range.1,
        "mean": volume.mean,
        "auto_window": { "low": volume.foreground_window.0, "high": volume.foreground_window.1 },
        "histogram": { "low": volume.range.0, "high": volume.range.1, "counts": volume.histogram },
    })
}

fn files_body(volume: &VolumeFacts) -> Json {
    json!({
        "image": { "sha256": volume.image_sha256, "element_type": volume.element.name() },
        "mask": { "sha256": volume.mask_sha256, "element_type": volume.mask_element.name() },
        "revision": &*volume.revision,
    })
}

fn label_body(found: &VolumeLabel, geometry: &Geometry) -> Json {
    let centroid_mm: Point = geometry.world(found.centroid);
    let voxel_mm3: f64 = geometry.spacing_mm().iter().product();
    json!({
        "label": found.label,
        "class": found.label.class(),
        "name": found.label.name(),
        "voxels": found.voxels,
        "volume_mm3": found.voxels as f64 * voxel_mm3,
        "best_slice": found.best_slice,
        "slices": found.slices,
        "rows": found.rows,
        "columns": found.columns,
        "centroid": found.centroid,
        "centroid_mm_lps": centroid_mm,
    })
}

/// What is known of a label apart from any scan.
#[derive(Debug, Serialize)]
pub(super) struct LabelBody {
    label: Label,
    class: LabelClass,
    name: Option<String>,
    colour: String,
}

impl LabelBody {
    pub(super) fn new(label: Label) -> Self {
        let [red, green, blue] = label.colour();
        Self { label, class: label.class(), name: label.name(), colour: format!("#{red:02x}{green:02x}{blue:02x}") }
    }
}

fn scan_links(scan: ScanId, has_volume: bool) -> Json {
    let this = format!("/v1/scans/{scan}");
    let mut links = json!({
        "self": this,
        "metadata": format!("{this}/metadata"),
        "gradings": format!("{this}/gradings"),
        "patient": format!("/v1/patients/{}", scan.patient),
    });
    if let (true, Json::Object(links)) = (has_volume, &mut links) {
        links.insert("slices".to_owned(), json!(format!("{this}/slices")));
        links.insert("montage".to_owned(), json!(format!("{this}/montage.png")));
        links.extend(slice_links(scan, "mid", ""));
    }
    links
}

/// The pictures of one slice; `query` is added to each.
pub(super) fn slice_links(scan: ScanId, slice: &str, query: &str) -> impl Iterator<Item = (String, Json)> {
    let names = [
        ("image", "image.png"),
        ("image_npy", "image.npy"),
        ("mask", "mask.png"),
        ("mask_npy", "mask.npy"),
        ("overlay", "overlay.png"),
    ];
    let link = move |file: &str| json!(format!("/v1/scans/{scan}/slices/{slice}/{file}{query}"));
    names.map(|(name, file)| (name.to_owned(), link(file))).into_iter()
}
