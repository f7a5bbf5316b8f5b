use proptest::prelude::*;

use super::*;
use crate::imaging::{Filter, ImageQuery, RenderLimits};
use crate::params::decode;
use crate::volume::Orientation;

const SHAPE: [usize; 3] = [1, 9, 7];
const LABELS: [u8; 6] = [0, 1, 9, 100, 201, 209];

fn facts() -> ScanFacts {
    ScanFacts {
        element: ElementType::Int16,
        shape: SHAPE,
        spacing_mm: [4.0, 1.0, 1.5],
        min: -100.0,
        max: 900.0,
        auto_window: (0.0, 800.0),
        dicom_window: None,
        remapped: false,
        orientation: Orientation::IDENTITY,
    }
}

fn rendered(kind: ImageKind, query: &str, image: &[i16], mask: &[u8]) -> Rendered {
    let facts = facts();
    let image_request =
        ImageQuery::parse(kind, &decode(query)).unwrap().resolve(&facts, RenderLimits { max_pixels: 1 << 24 }).unwrap();
    let image: Vec<u8> = image.iter().flat_map(|value| value.to_le_bytes()).collect();
    let slice = |element, bytes| Slice { element, rows: SHAPE[1], columns: SHAPE[2], bytes };
    let plane = Plane { image: Some(slice(ElementType::Int16, &image)), mask: Some(slice(ElementType::Uint8, mask)) };
    image_request.render(&RenderInput { planes: &[plane], facts: &facts, quantiles: &[] }).unwrap()
}

/// The elements of an array: all there is after the header.
fn elements(file: &[u8], size: usize) -> std::slice::ChunksExact<'_, u8> {
    let header = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
    file[header..].chunks_exact(size)
}

#[test]
fn labels_are_themselves_in_every_type() {
    let mask: Vec<u8> = (0..63).map(|n| LABELS[n % LABELS.len()]).collect();
    for (dtype, size) in [
        ("uint8", 1),
        ("uint16", 2),
        ("int16", 2),
        ("uint32", 4),
        ("int32", 4),
        ("int64", 8),
        ("float32", 4),
        ("float64", 8),
    ] {
        let file = rendered(ImageKind::MaskNpy, &format!("size=native&dtype={dtype}"), &[0; 63], &mask).bytes;
        let expected: Vec<u8> = mask
            .iter()
            .flat_map(|&label| match dtype {
                "float32" => f32::from(label).to_le_bytes().to_vec(),
                "float64" => f64::from(label).to_le_bytes().to_vec(),
                _ => i64::from(label).to_le_bytes()[..size].to_vec(),
            })
            .collect();
        assert_eq!(elements(&file, size).flatten().copied().collect::<Vec<_>>(), expected, "{dtype}");
    }
}

/// `numpy.rint((v − low) / (high − low) · 255)` by hand.
#[test]
fn a_window_is_linear_between_its_bounds() {
    let mut image = [0; 63];
    image[..6].copy_from_slice(&[-100, 0, 200, 300, 800, 900]);
    // Centre 400.5 and width 801 of the DICOM function LINEAR are the bounds 0 and 800.
    for window in ["auto", "400.5,801"] {
        let query = format!("size=native&window={window}&dtype=uint8");
        let rendered = rendered(ImageKind::ImageNpy, &query, &image, &[0; 63]);
        let levels: Vec<_> = elements(&rendered.bytes, 1).take(6).map(|level| level[0]).collect();
        assert_eq!(levels, [0, 0, 64, 96, 255, 255], "{window}");
        assert_eq!((rendered.slope, rendered.intercept), (800.0 / 255.0, 0.0));
    }
}

#[test]
fn padding_is_the_least_value_and_background() {
    let image = rendered(ImageKind::ImageNpy, "width=30&height=9&fit=contain&filter=nearest", &[900; 63], &[201; 63]);
    let values: Vec<_> = elements(&image.bytes, 2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    let mask = rendered(ImageKind::MaskNpy, "width=30&height=9&fit=contain", &[0; 63], &[201; 63]);
    for (value, label) in values.iter().zip(elements(&mask.bytes, 1)) {
        assert!(matches!((value, label[0]), (900, 201) | (-100, 0)), "{value} {}", label[0]);
    }
    // 9 rows of 1 mm: 10.5 mm wide, 11 pixels.
    assert_eq!(values.iter().filter(|value| **value == 900).count(), 9 * 11);
}

proptest! {
    #[test]
    fn masks_never_gain_a_value(
        mask in prop::collection::vec(prop::sample::select(&LABELS[..]), 63),
        width in 1u32..40, height in 1u32..40, fit in prop::sample::select(&["stretch", "contain", "cover"][..]),
        layout in prop::sample::select(&["canonical", "stored"][..]),
    ) {
        let query = format!("width={width}&height={height}&fit={fit}&layout={layout}");
        let facts = facts();
        let image_request = ImageQuery::parse(ImageKind::MaskNpy, &decode(&query)).unwrap();
        let image_request = image_request.resolve(&facts, RenderLimits { max_pixels: 1 << 24 }).unwrap();
        let [_, rows, columns] = image_request.view(&facts).shape();
        let slice = Slice { element: ElementType::Uint8, rows, columns, bytes: &mask[..rows * columns] };
        let planes = [Plane { image: None, mask: Some(slice) }];
        let file = image_request.render(&RenderInput { planes: &planes, facts: &facts, quantiles: &[] }).unwrap().bytes;
        prop_assert_eq!(elements(&file, 1).len(), (width * height) as usize);
        prop_assert!(elements(&file, 1).all(|label| label[0] == 0 || slice.bytes.contains(&label[0])));
    }

    /// Whatever the kind, filter, fit and outline: rows that are rendered by themselves are those of the whole.
    #[test]
    fn rows_rendered_apart_are_those_of_the_whole(
        (kind, query) in prop::sample::select(&[
            (ImageKind::ImagePng, "window=auto&bits=16"), (ImageKind::ImageNpy, "dtype=float64"),
            (ImageKind::ImageNpy, "window=hf"), (ImageKind::MaskNpy, "map=semantic"), (ImageKind::MaskPng, "palette"),
            (ImageKind::OverlayPng, "outline=1"), (ImageKind::OverlayPng, "outline=16"), (ImageKind::OverlayPng, ""),
            (ImageKind::MontagePng, "outline=3"),
        ][..]),
        filter in prop::sample::select(&Filter::ALL[..]),
        size in prop::sample::select(&["size=native", "width=23&height=31", "width=3&height=4", "width=11&height=5"][..]),
        fit in prop::sample::select(&["stretch", "contain", "cover"][..]),
        image in prop::collection::vec(-100i16..900, 63),
        mask in prop::collection::vec(prop::sample::select(&LABELS[..]), 63),
        cuts in prop::collection::vec(0usize..62, 0..5),
    ) {
        let facts = facts();
        let filter = if kind.is_mask() { String::new() } else { format!("&filter={filter}") };
        let query = format!("{query}&{size}&fit={fit}{filter}");
        let image_request = ImageQuery::parse(kind, &decode(query.trim_start_matches('&'))).unwrap();
        let image_request = image_request.resolve(&facts, RenderLimits { max_pixels: 1 << 24 }).unwrap();
        let image: Vec<u8> = image.iter().flat_map(|value| value.to_le_bytes()).collect();
        let slice = |element, bytes| Slice { element, rows: SHAPE[1], columns: SHAPE[2], bytes };
        let plane = Plane { image: Some(slice(ElementType::Int16, &image)), mask: Some(slice(ElementType::Uint8, &mask)) };
        let input = RenderInput { planes: &[plane; 3], facts: &facts, quantiles: &[] };
        let [height, _] = image_request.file_size();
        let whole = image_request.pixels(&input, 0..height).unwrap();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(height)).chain([0, height]).collect();
        cuts.sort_unstable();
        let bands = cuts.windows(2).map(|cut| image_request.pixels(&input, cut[0]..cut[1]).unwrap());
        prop_assert!(bands.flatten().eq(whole.iter().copied()), "{}", query);
        prop_assert_eq!(whole.len() as u64, image_request.pixel_bytes());
    }
}
