//! Headers that name what an array or an image shows: its scan, its slices, and where it lies in the patient. With them a client
//! can check that a response is the requested one, and place it.

use std::ops::RangeInclusive;

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use crate::pictures::Order;

pub(super) const SCAN: HeaderName = HeaderName::from_static("x-sagittal-scan");
pub(super) const SLICES: HeaderName = HeaderName::from_static("x-sagittal-slices");
pub(super) const AFFINE: HeaderName = HeaderName::from_static("x-sagittal-affine-lps");

/// The response, naming the scan, the slices in its layout (`first-last`) and the affine of the first of them: three rows of four
/// numbers, which take (slices from the first, row, column, 1) to millimetres in the patient, LPS.
pub(super) fn named(mut response: Response, first: &Order, slices: RangeInclusive<usize>) -> Response {
    if !response.status().is_success() {
        return response;
    }
    let affine = first.affine_lps();
    let numbers: Vec<_> = affine.iter().take(3).flatten().map(ToString::to_string).collect();
    let slices = format!("{}-{}", slices.start(), slices.end());
    for (name, value) in [(SCAN, first.scan().to_string()), (SLICES, slices), (AFFINE, numbers.join(","))] {
        response.headers_mut().extend(HeaderValue::try_from(value).map(|value| (name, value)));
    }
    response
}
