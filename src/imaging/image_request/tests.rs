use std::collections::HashSet;

use ImageKind::{ImageNpy, ImagePng, MaskNpy, MaskPng, MontagePng, OverlayPng};

use super::*;
use crate::params::ParameterErrorKind;
use crate::params::decode;
use crate::volume::Orientation;

const LIMITS: RenderLimits = RenderLimits { max_pixels: 4096 * 4096 };

/// An LPS scan of 48 × 40 mm.
fn facts() -> ScanFacts {
    ScanFacts {
        element: ElementType::Int16,
        shape: [5, 24, 16],
        spacing_mm: [4.0, 2.0, 2.5],
        min: -100.0,
        max: 900.0,
        auto_window: (0.0, 800.0),
        dicom_window: Some((300.0, 401.0)),
        remapped: false,
        orientation: Orientation { source_axis: [2, 0, 1], flipped: [false, true, false] },
    }
}

fn picture_of(kind: ImageKind, query: &str, facts: &ScanFacts) -> Result<ImageRequest, ParameterError> {
    ImageQuery::parse(kind, &decode(query))?.resolve(facts, LIMITS)
}

fn image_request(kind: ImageKind, query: &str) -> Result<ImageRequest, ParameterError> {
    picture_of(kind, query, &facts())
}

/// The cache compares images, validators compare fingerprints: both have to agree.
#[test]
fn two_spellings_are_one_rendering() {
    for (kind, one, other) in [
        (ImagePng, "", "size=512&fit=stretch&filter=linear&window=full&bits=16&layout=canonical"),
        (ImagePng, "size=300", "width=300&height=300"),
        (ImagePng, "size=native", "width=16&height=24&filter=cubic"),
        (ImagePng, "size=native", "size=native&fit=cover"),
        (ImagePng, "height=24", "width=20&height=24&fit=contain"),
        (ImagePng, "preset=hf", "layout=stored&window=hf&fit=stretch&filter=linear"),
        (ImagePng, "window=dicom", "window=300,401"),
        (ImagePng, "window=-0,50", "window=0.0,5e1"),
        (ImagePng, "window=p0,100", "window=full"),
        (ImageNpy, "", "window=none&dtype=int16"),
        (ImageNpy, "window=full", "window=full&dtype=uint16"),
        (ImageNpy, "preset=hf", "preset=hf&dtype=uint16"),
        (MaskPng, "", "map=native&palette=false&filter=nearest"),
        (MaskPng, "map=1-255:1", "map=binary"),
        (MaskNpy, "", "dtype=uint8"),
        (OverlayPng, "", "alpha=.50&outline=0&window=auto"),
        (MontagePng, "", "size=256"),
    ] {
        let (one_picture, other_picture) = (image_request(kind, one).unwrap(), image_request(kind, other).unwrap());
        assert_eq!(one_picture, other_picture, "{kind:?} {one} {other}");
        assert_eq!(one_picture.fingerprint(), other_picture.fingerprint(), "{kind:?} {one} {other}");
    }
}

#[test]
fn images_that_differ_have_fingerprints_that_differ() {
    let sizes = ["", "size=511", "width=100", "height=100", "spacing=1.5", "size=native", "fit=contain", "fit=cover"];
    let others =
        ["window=full", "window=dicom", "window=1,2", "window=1,3", "window=p1,99", "layout=stored", "filter=area"];
    let mut renderer = HashSet::new();
    for (kind, extra) in [(ImagePng, "bits=8"), (ImageNpy, "dtype=float32"), (OverlayPng, "outline=1")] {
        let queries = sizes.iter().flat_map(|size| others.iter().map(move |other| format!("{size}&{other}")));
        renderer.extend(queries.chain([extra.to_owned()]).map(|query| image_request(kind, &query).unwrap()));
    }
    for query in ["", "map=binary", "map=semantic", "map=semantic_vdc", "labels=discs", "labels=1", "layout=stored"] {
        renderer.insert(image_request(MaskPng, query).unwrap());
        renderer.insert(image_request(MaskPng, &format!("{query}&palette")).unwrap());
        renderer.insert(image_request(MaskNpy, &format!("{query}&dtype=int64")).unwrap());
    }
    assert!(renderer.len() > 150, "only {} images", renderer.len());
    let fingerprints: HashSet<_> = renderer.iter().map(ImageRequest::fingerprint).collect();
    assert_eq!(fingerprints.len(), renderer.len());
}

/// The tables can be imported anew without the voxels; what was rendered by the old numbers must not pass for the new image.
#[test]
fn the_numbers_of_the_table_are_part_of_the_image() {
    let before = image_request(ImagePng, "window=dicom").unwrap();
    let after =
        picture_of(ImagePng, "window=dicom", &ScanFacts { dicom_window: Some((300.0, 402.0)), ..facts() }).unwrap();
    assert_ne!(before, after);
    assert_ne!(before.fingerprint(), after.fingerprint());
}

#[test]
fn windows_that_a_scan_does_not_have_are_refused_with_another_one_offered() {
    let bare = ScanFacts { dicom_window: None, ..facts() };
    let broken = ScanFacts { dicom_window: Some((f64::NAN, 400.0)), ..facts() };
    let narrow = ScanFacts { dicom_window: Some((40.0, 1.0)), ..facts() };
    let remapped = ScanFacts { remapped: true, ..facts() };
    let floating = ScanFacts { element: ElementType::Float32, ..facts() };
    for (window, facts) in [
        ("dicom", bare),
        ("dicom", broken),
        ("dicom", narrow),
        ("dicom", remapped),
        ("hf", floating),
        ("none", facts()),
    ] {
        let error = picture_of(ImagePng, &format!("window={window}"), &facts).unwrap_err();
        assert_eq!((error.kind, error.parameter.as_str()), (ParameterErrorKind::WindowUnavailable, "window"));
        assert!(error.message.contains("; use window="), "{}", error.message);
    }
}

#[test]
fn what_is_too_large_names_its_parameter_and_the_limit() {
    for (query, parameter, limit) in [
        ("size=100000", "size", "16777216 pixels"),
        ("size=4294967295", "size", "16777216 pixels"),
        ("width=100000", "width", "16777216 pixels"),
        ("height=100000", "height", "16777216 pixels"),
        ("width=8&height=4000000", "height", "16777216 pixels"),
        ("spacing=0.01", "spacing", "16777216 pixels"),
        ("width=16777216&height=1", "width", "16384 pixels"),
        ("width=1&height=16385&fit=cover", "height", "16384 pixels"),
    ] {
        let error = image_request(ImagePng, query).unwrap_err();
        assert_eq!((error.kind, error.parameter.as_str()), (ParameterErrorKind::OutputTooLarge, parameter), "{query}");
        assert!(error.message.contains(limit), "{query}: {}", error.message);
    }
    assert!(image_request(ImagePng, "width=16384&height=1").is_ok());
}

#[test]
fn contradictions_are_refused_by_name() {
    for (image, query, kind, parameter) in [
        (MaskNpy, "dtype=int8", ParameterErrorKind::InvalidValue, "dtype"),
        (MaskNpy, "dtype=uint64", ParameterErrorKind::InvalidValue, "dtype"),
        (MaskPng, "filter=linear", ParameterErrorKind::InvalidValue, "filter"),
        (MaskPng, "window=full", ParameterErrorKind::Unknown, "window"),
        (ImagePng, "map=binary", ParameterErrorKind::Unknown, "map"),
        (ImagePng, "alpha=0.5", ParameterErrorKind::Unknown, "alpha"),
        (ImageNpy, "bits=8", ParameterErrorKind::Unknown, "bits"),
        (ImageNpy, "dtype=uint16", ParameterErrorKind::Conflicting, "dtype"),
        (ImageNpy, "window=full&dtype=int16", ParameterErrorKind::Conflicting, "dtype"),
        (ImagePng, "preset=hf&window=full", ParameterErrorKind::Conflicting, "window"),
        (ImagePng, "preset=hf&fit=cover", ParameterErrorKind::Conflicting, "fit"),
        (ImagePng, "preset=hf&filter=area", ParameterErrorKind::Conflicting, "filter"),
        (ImagePng, "size=5&height=5", ParameterErrorKind::Conflicting, "size"),
        (ImagePng, "size=5&size=5", ParameterErrorKind::Repeated, "size"),
        (ImagePng, "window=-1.7e308,1.7e308", ParameterErrorKind::InvalidValue, "window"),
        (ImagePng, "spacing=0.009", ParameterErrorKind::InvalidValue, "spacing"),
        (ImagePng, "spacing=101", ParameterErrorKind::InvalidValue, "spacing"),
        (ImageNpy, "dtype=int64", ParameterErrorKind::InvalidValue, "dtype"),
        (MaskNpy, "dtype=int8", ParameterErrorKind::InvalidValue, "dtype"),
        (MaskPng, "filter=linear", ParameterErrorKind::InvalidValue, "filter"),
        (OverlayPng, "outline=17", ParameterErrorKind::InvalidValue, "outline"),
        (OverlayPng, "alpha=1.01", ParameterErrorKind::InvalidValue, "alpha"),
    ] {
        let error = image_request(image, query).unwrap_err();
        assert_eq!((error.kind, error.parameter.as_str()), (kind, parameter), "{image:?} {query}");
    }
}
