//! Any text as the query string of an image, a pair, a patch and a volume. What is refused names a parameter.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sagittal::params::{ParameterError, decode};
use sagittal::imaging::{PairQuery, PatchQuery, ImageKind, ImageQuery};

const KINDS: [ImageKind; 6] = [
    ImageKind::ImagePng,
    ImageKind::ImageNpy,
    ImageKind::MaskPng,
    ImageKind::MaskNpy,
    ImageKind::OverlayPng,
    ImageKind::MontagePng,
];

fn is_told<T>(read: Result<T, ParameterError>, pairs: &[(String, String)]) {
    let Err(error) = read else { return };
    assert!(!error.code.is_empty() && !error.message.is_empty());
    assert!(!error.parameter.is_empty() || pairs.iter().any(|(name, _)| name.is_empty()));
}

fuzz_target!(|query: &str| {
    let pairs = decode(query);
    for kind in KINDS {
        is_told(ImageQuery::parse(kind, &pairs), &pairs);
        is_told(ImageQuery::parse_volume(kind, &pairs), &pairs);
    }
    is_told(PairQuery::parse(&pairs), &pairs);
    for is_npy in [false, true] {
        is_told(PatchQuery::parse(is_npy, &pairs), &pairs);
    }
});
