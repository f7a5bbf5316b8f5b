//! Any text as the query string of a picture, a pair, a patch and a volume. What is refused names a parameter.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sagittal::parameters::{ParameterError, decode};
use sagittal::render::{PairQuery, PatchQuery, PictureKind, PictureQuery};

const KINDS: [PictureKind; 6] = [
    PictureKind::ImagePng,
    PictureKind::ImageNpy,
    PictureKind::MaskPng,
    PictureKind::MaskNpy,
    PictureKind::OverlayPng,
    PictureKind::MontagePng,
];

fn is_told<T>(read: Result<T, ParameterError>, pairs: &[(String, String)]) {
    let Err(error) = read else { return };
    assert!(!error.code.is_empty() && !error.message.is_empty());
    assert!(!error.parameter.is_empty() || pairs.iter().any(|(name, _)| name.is_empty()));
}

fuzz_target!(|query: &str| {
    let pairs = decode(query);
    for kind in KINDS {
        is_told(PictureQuery::parse(kind, &pairs), &pairs);
        is_told(PictureQuery::parse_volume(kind, &pairs), &pairs);
    }
    is_told(PairQuery::parse(&pairs), &pairs);
    for is_npy in [false, true] {
        is_told(PatchQuery::parse(is_npy, &pairs), &pairs);
    }
});
