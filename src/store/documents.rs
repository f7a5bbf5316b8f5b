//! The JSON documents of a group: OME-Zarr 0.5 (<https://ngff.openmicroscopy.org/0.5/>) on Zarr v3.

use serde_json::{Value, json};

use super::Array;
use super::chunk::ZSTD_LEVEL;
use crate::spider::{Label, ScanId};
use crate::volume::{ElementType, Geometry};

/// What a group's documents say.
#[derive(Debug, Clone)]
pub struct GroupFacts {
    /// Element type of the image.
    pub element: ElementType,
    /// Shape and place of both arrays, canonical: (slices, rows, columns).
    pub geometry: Geometry,
    /// Labels that occur in the mask.
    pub labels: Vec<Label>,
    /// Smallest and largest value of the image.
    pub range: (f64, f64),
    /// The part of the range that viewers begin with.
    pub window: (f64, f64),
}

/// Paths of the documents inside a group.
pub(super) const DOCUMENTS: [&str; 5] =
    ["image/zarr.json", "labels/spider/0/zarr.json", "labels/spider/zarr.json", "labels/zarr.json", "zarr.json"];

/// Every document with its path inside the group, the group's own last.
pub(super) fn all(scan: ScanId, facts: &GroupFacts) -> [(String, Value); 5] {
    let array_path = |array: Array| format!("{}/zarr.json", array.path());
    [
        (array_path(Array::Image), array(facts, Array::Image)),
        (array_path(Array::Mask), array(facts, Array::Mask)),
        ("labels/spider/zarr.json".to_owned(), group(&labels_image(facts), &json!({}))),
        ("labels/zarr.json".to_owned(), group(&json!({ "version": "0.5", "labels": ["spider"] }), &json!({}))),
        ("zarr.json".to_owned(), group(&image(scan, facts), &affine(facts))),
    ]
}

fn group(ome: &Value, sagittal: &Value) -> Value {
    json!({ "zarr_format": 3, "node_type": "group", "attributes": { "ome": ome, "sagittal": sagittal } })
}

/// OME-Zarr 0.5 has only scale and translation, so the whole affine goes under our own key:
/// (slice, row, column, 1) → LPS millimetres.
fn affine(facts: &GroupFacts) -> Value {
    json!({ "affine_lps": facts.geometry.affine_lps() })
}

fn image(scan: ScanId, facts: &GroupFacts) -> Value {
    json!({ "version": "0.5", "multiscales": [multiscale(facts, &scan.to_string(), "image")], "omero": rendering(facts) })
}

/// How viewers show the image at first: grey, with a window that a few very bright voxels do not decide, in the middle slice.
fn rendering(facts: &GroupFacts) -> Value {
    let ((min, max), (start, end)) = (facts.range, facts.window);
    let window = json!({ "min": min, "max": max, "start": start, "end": end });
    let channel = json!({
        "label": "MRI", "color": "FFFFFF", "active": true, "coefficient": 1, "family": "linear", "inverted": false, "window": window
    });
    let middle = facts.geometry.shape()[0] / 2;
    json!({ "version": "0.5", "channels": [channel], "rdefs": { "model": "greyscale", "defaultT": 0, "defaultZ": middle } })
}

fn labels_image(facts: &GroupFacts) -> Value {
    let colours = facts.labels.iter().map(|label| {
        let [red, green, blue] = label.colour();
        json!({ "label-value": label.0, "rgba": [red, green, blue, 255] })
    });
    let properties = facts
        .labels
        .iter()
        .map(|label| json!({ "label-value": label.0, "class": label.class(), "name": label.name() }));
    json!({
        "version": "0.5",
        "multiscales": [multiscale(facts, "spider", "0")],
        "image-label": {
            "colors": colours.collect::<Vec<_>>(),
            "properties": properties.collect::<Vec<_>>(),
            "source": { "image": "../../" },
        },
    })
}

/// One full-resolution level. The axes are called z, y, x because viewers expect those names; they are slice, row and column.
fn multiscale(facts: &GroupFacts, name: &str, path: &str) -> Value {
    let axes = ["z", "y", "x"].map(|name| json!({ "name": name, "type": "space", "unit": "millimeter" }));
    let scale = json!({ "type": "scale", "scale": facts.geometry.spacing_mm() });
    json!({ "name": name, "axes": axes, "datasets": [{ "path": path, "coordinateTransformations": [scale] }] })
}

fn array(facts: &GroupFacts, array: Array) -> Value {
    let [slices, rows, columns] = facts.geometry.shape();
    let mut codecs = vec![json!({ "name": "bytes", "configuration": { "endian": "little" } })];
    if array == Array::Mask {
        codecs.push(json!({ "name": "zstd", "configuration": { "level": ZSTD_LEVEL, "checksum": false } }));
    }
    codecs.push(json!({ "name": "crc32c" }));
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": [slices, rows, columns],
        "data_type": array.element(facts.element).name(),
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": [1, rows, columns] } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
        "fill_value": 0,
        "codecs": codecs,
        "dimension_names": ["z", "y", "x"],
        "attributes": {},
    })
}
