use proptest::prelude::*;

use super::*;
use crate::volume::{Axis, ElementType};

/// A volume of these directions (axes slowest first) whose voxels hold their own number.
fn numbered(directions: [[f64; 3]; 3], shape: [usize; 3], element: ElementType) -> Volume {
    let axis = |n: usize| Axis { len: shape[n], spacing_mm: 0.4 + 0.3 * n as f64, direction: directions[n] };
    let geometry = Geometry { axes: [axis(0), axis(1), axis(2)], origin_mm: [14.03, -214.2, 251.1] };
    let number = |n: usize| (n as u64).to_le_bytes().into_iter().take(element.size());
    Volume { element, geometry, bytes: (0..geometry.voxels()).flat_map(number).collect() }
}

fn numbers(volume: &Volume) -> Vec<u64> {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
    volume.bytes.chunks(volume.element.size()).map(number).collect()
}

/// Index of the `n`-th voxel in C order.
fn index(n: usize, [_, rows, columns]: [usize; 3]) -> [f64; 3] {
    [n / (rows * columns), n / columns % rows, n % columns].map(|i| i as f64)
}

fn distance_mm(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.into_iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// `tests/goldens/make_orientation.py`
#[test]
fn codes_and_canonical_arrays_are_those_of_nibabel() {
    let goldens: Vec<serde_json::Value> =
        serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/orientation.json")))
            .unwrap();
    assert_eq!(goldens.len(), 148);
    for golden in goldens {
        let directions: [[f64; 3]; 3] = serde::Deserialize::deserialize(&golden["directions"]).unwrap();
        let volume = numbered(directions, [2, 3, 4], ElementType::Uint16);
        assert_eq!(Orientation::axis_codes(&volume.geometry), golden["codes"], "{directions:?}");
        let canonical = Orientation::to_canonical(&volume.geometry).apply(volume);
        assert_eq!(serde_json::json!(canonical.geometry.shape()), golden["shape"], "{directions:?}");
        assert_eq!(serde_json::json!(numbers(&canonical)), golden["canonical"], "{directions:?}");
    }
}

#[test]
fn the_two_layouts_of_the_release_are_known() {
    let lps = numbered([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], [4, 3, 2], ElementType::Int16);
    let pir =
        numbered([[-1.0, 0.0, 0.0], [4.897e-12, 0.0, -1.0], [0.0, 1.0, 4.897e-12]], [2, 4, 3], ElementType::Uint16);
    assert_eq!(Orientation::axis_codes(&lps.geometry), "LPS");
    assert_eq!(Orientation::axis_codes(&pir.geometry), "PIR");
    let turned = Orientation { source_axis: [2, 0, 1], flipped: [false, true, false] };
    assert_eq!(Orientation::to_canonical(&lps.geometry), turned);
    let mirrored = Orientation { source_axis: [0, 1, 2], flipped: [true, false, false] };
    assert_eq!(Orientation::to_canonical(&pir.geometry), mirrored);
}

/// Image and mask of one scan differ in the last digits; an axis halfway between two must not be decided by those.
#[test]
fn a_tie_is_not_broken_by_the_last_digits() {
    let half = std::f64::consts::FRAC_1_SQRT_2;
    let turn = |noise: f64| {
        let directions = [[half + noise, half - noise, 0.0], [0.0, 0.0, -1.0], [-half + noise, half + noise, 0.0]];
        Orientation::to_canonical(&numbered(directions, [1, 1, 1], ElementType::Uint8).geometry)
    };
    assert_eq!(turn(1e-9), turn(0.0));
    assert_eq!(turn(-1e-9), turn(0.0));
}

#[test]
fn degenerate_directions_do_not_panic() {
    for cosine in [0.0, f64::NAN, f64::INFINITY] {
        let volume = numbered([[cosine; 3]; 3], [2, 3, 4], ElementType::Uint8);
        let orientation = Orientation::to_canonical(&volume.geometry);
        assert_eq!(orientation.inverse().apply(orientation.apply(volume.clone())).bytes, volume.bytes);
    }
}

fn orientation() -> impl Strategy<Value = Orientation> {
    let permutation = prop::sample::select(PERMUTATIONS.to_vec());
    (permutation, any::<[bool; 3]>()).prop_map(|(source_axis, flipped)| Orientation { source_axis, flipped })
}

fn element() -> impl Strategy<Value = ElementType> {
    prop::sample::select(vec![ElementType::Uint8, ElementType::Int16, ElementType::Float32, ElementType::Int64])
}

/// The canonical directions, turned by an angle about an axis (Rodrigues' formula).
fn oblique(axis: [f64; 3], degrees: f64) -> [[f64; 3]; 3] {
    let length = distance_mm(axis, [0.0; 3]);
    let [x, y, z] = axis.map(|a| a / length);
    let (sin, cos) = degrees.to_radians().sin_cos();
    [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]].map(|[a, b, c]| {
        let along = (x * a + y * b + z * c) * (1.0 - cos);
        let cross = [y * c - z * b, z * a - x * c, x * b - y * a];
        let turned = |v: f64, unit: f64, cross: f64| v * cos + cross * sin + unit * along;
        [turned(a, x, cross[0]), turned(b, y, cross[1]), turned(c, z, cross[2])]
    })
}

proptest! {
    /// Shapes reach beyond the tiles in which the permutation works.
    #[test]
    fn every_turn_keeps_every_voxel_in_its_place(
        turn in orientation(),
        element in element(),
        shape in prop::sample::select(vec![[2, 3, 5], [1, 1, 1], [5, 1, 40], [33, 2, 65], [3, 70, 34], [40, 33, 2]]),
        axis in prop::array::uniform3(0.01f64..1.0),
        degrees in -180.0..180.0,
    ) {
        let volume = numbered(oblique(axis, degrees), shape, ElementType::Int64);
        let turned = turn.apply(volume.clone());
        for (n, number) in numbers(&turned).into_iter().enumerate() {
            let now = turned.geometry.world(index(n, turned.geometry.shape()));
            let before = volume.geometry.world(index(number as usize, shape));
            prop_assert!(distance_mm(now, before) < 1e-9);
        }
        let volume = numbered(oblique(axis, degrees), shape, element);
        let back = turn.inverse().apply(turn.apply(volume.clone()));
        prop_assert_eq!(&back.bytes, &volume.bytes);
        prop_assert_eq!(back.geometry.axes, volume.geometry.axes);
        prop_assert!(distance_mm(back.geometry.origin_mm, volume.geometry.origin_mm) < 1e-9);
        prop_assert_eq!(turn.inverse().inverse(), turn);
    }

    #[test]
    fn canonical_axes_are_the_nearest(
        turn in orientation(),
        axis in prop::array::uniform3(-1.0f64..1.0).prop_filter("an axis", |a| distance_mm(*a, [0.0; 3]) > 0.1),
        degrees in 0.0f64..44.9,
    ) {
        let stored = turn.apply(numbered(oblique(axis, degrees), [2, 3, 4], ElementType::Uint8));
        let orientation = Orientation::to_canonical(&stored.geometry);
        prop_assert_eq!(orientation, turn.inverse());
        let canonical = orientation.apply_to_geometry(&stored.geometry);
        prop_assert!(Orientation::to_canonical(&canonical).is_identity());
        prop_assert_eq!(Orientation::axis_codes(&canonical), "PIL");
    }
}
