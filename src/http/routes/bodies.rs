//! The JSON of scans, labels and gradings, as several addresses give it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::links;
use crate::imaging::stored_axes;
use crate::index::{ScanRow, VolumeFacts};
use crate::spider::{
    FIELDS, FieldKind, Grading, Label, LabelClass, Metadata, NamedGrading, PatientId, ScanId, ScanType, Split,
};
use crate::volume::{Affine, Geometry, Grid, Point, VolumeLabel};

/// Addresses by name.
pub(in crate::http) type Links = Map<String, Json>;

/// What every listing says of a scan.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct ScanSummary {
    #[schemars(with = "String")]
    scan_id: ScanId,
    patient_id: PatientId,
    scan_type: ScanType,
    split: Option<Split>,
    orig_subset: Option<String>,
    /// Whether its voxels are here, and not only its row of the table.
    has_volume: bool,
    /// Slices, rows, columns.
    shape: Option<[usize; 3]>,
    /// From slice to slice, from row to row, from column to column.
    spacing_mm: Option<[f64; 3]>,
    /// Of the voxels, image and mask.
    bytes: Option<u64>,
    links: Links,
}

impl ScanSummary {
    pub(in crate::http) fn new(row: &ScanRow) -> Self {
        let geometry = row.volume.as_ref().map(|volume| volume.grid.canonical);
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
            links: links::of_scan(row.scan, row.volume.is_some()),
        }
    }
}

/// Everything about one scan.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct ScanDetail {
    #[serde(flatten)]
    summary: ScanSummary,
    #[schemars(schema_with = "metadata_schema")]
    metadata: Option<Metadata>,
    geometry: Option<GeometryBody>,
    intensity: Option<IntensityBody>,
    labels: Option<Vec<ScanLabelBody>>,
    gradings: Vec<NamedGrading>,
    files: Option<FilesBody>,
    /// What import found odd.
    notes: Vec<String>,
}

impl ScanDetail {
    pub(in crate::http) fn new(row: ScanRow, labels: &[VolumeLabel], gradings: &[Grading]) -> Self {
        let summary = ScanSummary::new(&row);
        let volume = row.volume.as_ref();
        let with_place = |volume: &VolumeFacts| {
            labels.iter().map(|found| ScanLabelBody::new(found, &volume.grid.canonical)).collect()
        };
        Self {
            summary,
            geometry: volume.map(GeometryBody::new),
            intensity: volume.map(IntensityBody::new),
            labels: volume.map(with_place),
            gradings: gradings.iter().map(NamedGrading::new).collect(),
            files: volume.map(FilesBody::new),
            notes: volume.map(|v| v.notes.clone()).unwrap_or_default(),
            metadata: row.metadata,
        }
    }
}

/// The schema of a row of overview.csv: one property for each field.
pub(in crate::http) fn metadata_schema(_: &mut SchemaGenerator) -> Schema {
    let list = |items: &str| json!({ "type": ["array", "null"], "items": { "type": items } });
    let property = |field: &crate::spider::Field| {
        let mut schema = match field.kind {
            FieldKind::Integer => json!({ "type": ["integer", "null"] }),
            FieldKind::Real => json!({ "type": ["number", "null"] }),
            FieldKind::Text => json!({ "type": ["string", "null"] }),
            FieldKind::Reals => list("number"),
            FieldKind::Texts => list("string"),
        };
        let unit = field.unit.map(|unit| format!("; {unit}")).unwrap_or_default();
        schema["description"] = json!(format!("{}{unit}", field.description));
        (field.name.to_owned(), schema)
    };
    let properties: Map<_, _> = FIELDS.iter().map(property).collect();
    json_schema!({ "type": ["object", "null"], "properties": properties, "additionalProperties": false })
}

/// Where the voxels of a scan lie in the patient.
#[derive(Debug, Serialize, JsonSchema)]
struct GeometryBody {
    axes: [&'static str; 3],
    axes_grow_towards: [&'static str; 3],
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    extent_mm: [f64; 3],
    /// From (slice, row, column, 1) to millimetres towards left, back, head.
    affine_lps: Affine,
    /// From (slice, row, column, 1) to millimetres towards right, front, head.
    affine_ras: Affine,
    /// The middle of the stack.
    mid_slice: usize,
    /// The slice with the most labelled pixels.
    best_slice: usize,
    stored_layout: StoredLayoutBody,
    source: SourceGeometryBody,
}

/// Shape and place of the volume as `layout=stored` shows it.
#[derive(Debug, Serialize, JsonSchema)]
struct StoredLayoutBody {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    affine_lps: Affine,
    affine_ras: Affine,
}

/// Shape and place of the volume in its file, slowest axis first.
#[derive(Debug, Serialize, JsonSchema)]
struct SourceGeometryBody {
    /// Where the file's i, j and k axes point.
    axis_codes_ijk: String,
    shape_kji: [usize; 3],
    spacing_mm_kji: [f64; 3],
    affine_lps_kji: Affine,
    affine_ras_kji: Affine,
}

impl GeometryBody {
    fn new(volume: &VolumeFacts) -> Self {
        let Grid { source, canonical: geometry, .. } = &volume.grid;
        let stored = Geometry { axes: stored_axes(source.shape()).map(|axis| source.axes[axis]), ..*source };
        Self {
            axes: ["slice", "row", "column"],
            axes_grow_towards: ["left", "inferior", "posterior"],
            shape: geometry.shape(),
            spacing_mm: geometry.spacing_mm(),
            extent_mm: geometry.axes.map(|axis| axis.len as f64 * axis.spacing_mm),
            affine_lps: geometry.affine_lps(),
            affine_ras: geometry.affine_ras(),
            mid_slice: geometry.axes[0].len / 2,
            best_slice: volume.best_slice,
            stored_layout: StoredLayoutBody {
                shape: stored.shape(),
                spacing_mm: stored.spacing_mm(),
                affine_lps: stored.affine_lps(),
                affine_ras: stored.affine_ras(),
            },
            source: SourceGeometryBody {
                axis_codes_ijk: volume.source_axis_codes.clone(),
                shape_kji: source.shape(),
                spacing_mm_kji: source.spacing_mm(),
                affine_lps_kji: source.affine_lps(),
                affine_ras_kji: source.affine_ras(),
            },
        }
    }
}

/// How the stored values are distributed.
#[derive(Debug, Serialize, JsonSchema)]
struct IntensityBody {
    element_type: &'static str,
    min: f64,
    max: f64,
    mean: f64,
    auto_window: RangeBody,
    histogram: HistogramBody,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RangeBody {
    low: f64,
    high: f64,
}

/// Counts of equal bins.
#[derive(Debug, Serialize, JsonSchema)]
struct HistogramBody {
    low: f64,
    high: f64,
    counts: Vec<u64>,
}

impl IntensityBody {
    fn new(volume: &VolumeFacts) -> Self {
        let ((min, max), (low, high)) = (volume.range, volume.foreground_window);
        Self {
            element_type: volume.element.name(),
            min,
            max,
            mean: volume.mean,
            auto_window: RangeBody { low, high },
            histogram: HistogramBody { low: min, high: max, counts: volume.histogram.clone() },
        }
    }
}

/// The files that a scan was imported from.
#[derive(Debug, Serialize, JsonSchema)]
struct FilesBody {
    image: FileBody,
    mask: FileBody,
    /// Of the contents.
    revision: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FileBody {
    sha256: String,
    element_type: &'static str,
}

impl FilesBody {
    fn new(volume: &VolumeFacts) -> Self {
        Self {
            image: FileBody { sha256: volume.image_sha256.clone(), element_type: volume.element.name() },
            mask: FileBody { sha256: volume.mask_sha256.clone(), element_type: volume.mask_element.name() },
            revision: volume.revision.to_string(),
        }
    }
}

/// One label in a scan's mask; boxes are inclusive.
#[derive(Debug, Serialize, JsonSchema)]
struct ScanLabelBody {
    label: Label,
    class: LabelClass,
    name: Option<String>,
    voxels: u64,
    volume_mm3: f64,
    /// The slice with the most of its pixels.
    best_slice: usize,
    slices: (usize, usize),
    rows: (usize, usize),
    columns: (usize, usize),
    /// Slice, row, column.
    centroid: [f64; 3],
    centroid_mm_lps: Point,
}

impl ScanLabelBody {
    fn new(found: &VolumeLabel, geometry: &Geometry) -> Self {
        let voxel_mm3: f64 = geometry.spacing_mm().iter().product();
        Self {
            label: found.label,
            class: found.label.class(),
            name: found.label.name(),
            voxels: found.voxels,
            volume_mm3: found.voxels as f64 * voxel_mm3,
            best_slice: found.best_slice,
            slices: found.slices,
            rows: found.rows,
            columns: found.columns,
            centroid: found.centroid,
            centroid_mm_lps: geometry.world(found.centroid),
        }
    }
}

/// What is known of a label apart from any scan.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct LabelBody {
    label: Label,
    class: LabelClass,
    name: Option<String>,
    /// `#rrggbb`
    colour: String,
}

impl LabelBody {
    pub(in crate::http) fn new(label: Label) -> Self {
        let [red, green, blue] = label.colour();
        Self { label, class: label.class(), name: label.name(), colour: format!("#{red:02x}{green:02x}{blue:02x}") }
    }
}
