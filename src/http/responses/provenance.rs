//! Headers that name what an array or an image shows: its scan, its slices, and where it lies in the patient. With them a client
//! can check that a response is the requested one, and place it.

use std::ops::RangeInclusive;

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use super::headers::numbers;
use crate::renderer::RenderRequest;

pub(in crate::http) const SCAN: HeaderName = HeaderName::from_static("x-sagittal-scan");
pub(in crate::http) const SLICES: HeaderName = HeaderName::from_static("x-sagittal-slices");
pub(in crate::http) const AFFINE: HeaderName = HeaderName::from_static("x-sagittal-affine-lps");
/// SHA-256 of the file that the scan was imported from. The response has its voxels, and other bytes.
pub(in crate::http) const SOURCE_SHA256: HeaderName = HeaderName::from_static("x-sagittal-source-sha256");
/// How many samples a stream has: those of this reader, from `start` on.
pub(in crate::http) const SAMPLES: HeaderName = HeaderName::from_static("x-sagittal-samples");
/// Version of the server; the Python client compares it with its own.
pub(in crate::http) const VERSION: HeaderName = HeaderName::from_static("x-sagittal-version");

/// The response, naming the scan, the slices in its layout (`first-last`) and the affine of the first of them: three rows of four
/// numbers, which take (slices from the first, row, column, 1) to millimetres in the patient, LPS.
pub(in crate::http) fn named(mut response: Response, first: &RenderRequest, slices: RangeInclusive<usize>) -> Response {
    if !response.status().is_success() {
        return response;
    }
    let headers = response.headers_mut();
    let slices = format!("{}-{}", slices.start(), slices.end());
    for (name, value) in [(SCAN, first.scan().to_string()), (SLICES, slices)] {
        headers.extend(HeaderValue::try_from(value).map(|value| (name, value)));
    }
    let affine = first.affine_lps();
    headers.extend(numbers(affine.into_iter().take(3).flatten()).map(|value| (AFFINE, value)));
    response
}
