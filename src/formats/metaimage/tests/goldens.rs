//! Against what SimpleITK reads: `tests/goldens/make_metaimage.py`.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::formats::metaimage::read;
use crate::volume::Volume;

fn goldens(kind: &str) -> Vec<Value> {
    let all: Value =
        serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/metaimage.json")))
            .unwrap();
    all[kind].as_array().unwrap().clone()
}

fn numbers(golden: &Value) -> Vec<f64> {
    golden.as_str().unwrap().split(' ').map(|number| number.parse().unwrap()).collect()
}

fn assert_reads_as(name: &str, volume: &Volume, golden: &Value) {
    assert_eq!(volume.element.name(), golden["element"], "{name}: element type");
    assert_eq!(serde_json::json!(volume.geometry.shape()), golden["shape"], "{name}: shape");
    assert_eq!(volume.geometry.spacing_mm().to_vec(), numbers(&golden["spacing"]), "{name}: spacing");
    assert_eq!(volume.geometry.origin_mm.to_vec(), numbers(&golden["origin"]), "{name}: origin");
    for (axis, direction) in volume.geometry.axes.iter().zip(golden["directions"].as_array().unwrap()) {
        assert_eq!(axis.direction.to_vec(), numbers(direction), "{name}: direction");
    }
    assert_eq!(hex::encode(Sha256::digest(&volume.bytes)), golden["sha256"], "{name}: voxels");
}

/// Reads the files of these goldens from the folder that an environment variable names.
fn assert_files_read(kind: &str, variable: &str) {
    let folder = std::env::var(variable).unwrap_or_else(|_| panic!("this test needs {variable}"));
    for golden in goldens(kind) {
        let path = format!("{folder}/{}", golden["path"].as_str().unwrap());
        let file = std::fs::read(&path).unwrap_or_else(|error| panic!("this test needs the file {path}: {error}"));
        let volume = read(&file, 1 << 30).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_reads_as(&path, &volume, &golden);
    }
}

#[test]
#[ignore = "reads files of other programs: SAGITTAL_METAIMAGES"]
fn files_of_other_programs_read_as_simpleitk_reads_them() {
    assert_files_read("foreign", "SAGITTAL_METAIMAGES");
}

#[test]
#[ignore = "reads the real release: SAGITTAL_RELEASE"]
fn scans_of_the_release_read_as_simpleitk_reads_them() {
    assert_files_read("release", "SAGITTAL_RELEASE");
}

#[test]
fn every_type_encoding_and_spelling_reads_as_simpleitk_reads_it() {
    let goldens = goldens("made");
    assert!(goldens.len() >= 40, "only {} goldens", goldens.len());
    for golden in goldens {
        let name = golden["name"].as_str().unwrap();
        let text = golden["file"].as_str().unwrap().as_bytes();
        let file: Vec<u8> =
            text.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
        let volume = read(&file, 1 << 20).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_reads_as(name, &volume, &golden);
    }
}
