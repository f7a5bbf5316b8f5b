//! Where to go from here.

use serde_json::{Map, Value as Json, json};

use crate::spider::{Label, ScanId};

/// From a scan.
pub(in crate::http) fn of_scan(scan: ScanId, has_volume: bool) -> Map<String, Json> {
    let this = format!("/v1/scans/{scan}");
    let mut links = vec![
        ("self", this.clone()),
        ("metadata", format!("{this}/metadata")),
        ("gradings", format!("{this}/gradings")),
        ("patient", format!("/v1/patients/{}", scan.patient)),
    ];
    if has_volume {
        links.push(("slices", format!("{this}/slices")));
        links.push(("discs", format!("/v1/discs?scan_id={scan}")));
        links.push(("montage", format!("{this}/montage.png")));
        links.push(("image_nii_gz", format!("{this}/image.nii.gz")));
        links.push(("mask_nii_gz", format!("{this}/mask.nii.gz")));
        links.push(("zarr", format!("{this}.ome.zarr")));
    }
    let mut links: Map<_, _> = links.into_iter().map(|(name, path)| (name.to_owned(), json!(path))).collect();
    if has_volume {
        links.extend(of_slice(scan, "mid", ""));
    }
    links
}

/// The images of one slice; `query` is added to each.
pub(in crate::http) fn of_slice(scan: ScanId, slice: &str, query: &str) -> Map<String, Json> {
    let names = [
        ("image", "image.png"),
        ("image_npy", "image.npy"),
        ("mask", "mask.png"),
        ("mask_npy", "mask.npy"),
        ("overlay", "overlay.png"),
        ("pair", "pair.npz"),
    ];
    let link = |file: &str| json!(format!("/v1/scans/{scan}/slices/{slice}/{file}{query}"));
    names.into_iter().map(|(name, file)| (name.to_owned(), link(file))).collect()
}

/// From a disc.
pub(in crate::http) fn of_disc(scan: ScanId, label: Label) -> Map<String, Json> {
    let patch = |file: &str| json!(format!("/v1/scans/{scan}/discs/{}/{file}", label.0));
    let links = [
        ("scan", json!(format!("/v1/scans/{scan}"))),
        ("image_patch", patch("patch.png")),
        ("image_patch_npy", patch("patch.npy")),
        ("mask_patch", patch("patch.png?of=mask")),
        ("mask_patch_npy", patch("patch.npy?of=mask")),
    ];
    links.into_iter().map(|(name, link)| (name.to_owned(), link)).collect()
}
