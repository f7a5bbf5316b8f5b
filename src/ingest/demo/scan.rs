//! One synthetic series as two volumes, laid out as its kind is in the release.

use super::anatomy;
use super::anatomy::Place;
use super::noise::SmoothNoise;
use super::patients::{DemoPatient, DemoSeries, Layout};
use super::plane::{Plane, PlanePoint};
use super::signal::{Canvas, Contrast, Receiver, Tissue};
use super::soft_tissue;
use super::spine::Spine;
use crate::spider::dataset::MAPPED_RANGE;
use crate::volume::{Axis, ElementType, Geometry, Volume};

/// The matrix of the release's PIR kind is not exactly aligned with the axes.
const PIR_SLANT: f64 = 4.897e-12;
/// Images and masks of the release differ in the last digits of their directions.
const PIR_MASK_SLANT: f64 = 4.8966e-12;

/// Image and mask of one series.
#[derive(Debug)]
pub(super) struct DemoScan {
    pub(super) image: Volume,
    pub(super) mask: Volume,
}

/// Makes a series. Pure: the same patient and series give the same voxels, bit for bit.
pub(super) fn make(patient: &DemoPatient, series: &DemoSeries) -> DemoScan {
    let spine = Spine::new(patient, series.labels_partial_vertebra);
    let [slice_mm, row_mm, column_mm] = series.spacing_mm;
    let plane = Plane::new(&spine, [row_mm, column_mm]);
    let shape = [series.slices, plane.rows, plane.columns];
    let scanner = Scanner::new(&spine, series);
    let mut values = vec![0u16; shape.iter().product()];
    let mut labels = vec![0u8; values.len()];
    for (pixel, point) in plane.points.iter().enumerate() {
        let (row, column) = (pixel / plane.columns, pixel % plane.columns);
        for slice in 0..series.slices {
            let lateral = (slice as f64 - (series.slices as f64 - 1.0) / 2.0) * slice_mm;
            let place = place_in_file(series.layout, shape, [slice, row, column]);
            let height = 1.0 - 2.0 * row as f32 / plane.rows as f32;
            (values[place], labels[place]) = scanner.voxel(point, lateral as f32, height, place as u64);
        }
    }
    let first = [-(series.slices as f64 - 1.0) / 2.0 * slice_mm, plane.first[0], plane.first[1]];
    let mask: Vec<u8> = labels.iter().flat_map(|&label| i16::from(label).to_le_bytes()).collect();
    DemoScan {
        image: image(series, shape, first, &values),
        mask: Volume {
            element: ElementType::Int16,
            geometry: geometry(series, shape, first, PIR_MASK_SLANT),
            bytes: mask,
        },
    }
}

/// Everything that is the same for every voxel of a series.
struct Scanner<'a> {
    spine: &'a Spine,
    contrast: Contrast,
    receiver: Receiver,
    texture: SmoothNoise,
    across: f32,
}

impl<'a> Scanner<'a> {
    fn new(spine: &'a Spine, series: &DemoSeries) -> Self {
        let gain = match series.layout {
            Layout::Lps => 320.0,
            Layout::Pir { .. } => 680.0,
        };
        let seed = u64::from(spine.patient.number) * 1000 + series.scan_type as u64;
        Self {
            spine,
            contrast: Contrast(series.scan_type),
            receiver: Receiver { seed: seed << 32, gain, noise: 0.014 * gain },
            // The same patient has the same texture in every series.
            texture: SmoothNoise { seed: spine.patient.number },
            across: (1.6 / series.spacing_mm[0] as f32).min(1.0),
        }
    }

    /// Stored value and label.
    fn voxel(&self, plane: &PlanePoint<'_>, lateral: f32, height: f32, index: u64) -> (u16, u8) {
        let mut canvas = Canvas { contrast: self.contrast, value: self.contrast.of(Tissue::Air) };
        let lateral = lateral - self.spine.sideways_mm(plane.arc);
        let mut label = 0;
        if plane.below_skin > -2.0 {
            let place = Place { plane, lateral, across: self.across, grain: self.grain(plane, lateral) };
            soft_tissue::lay(self.spine, place, &mut canvas);
            label = anatomy::lay(self.spine, place, &mut canvas);
        }
        let signal = canvas.value * Receiver::sensitivity(plane.below_skin, plane.offset, height);
        (self.receiver.value(signal, index), label)
    }

    /// Coarse in the belly, long streaks in the back's muscles, fine in between.
    fn grain(&self, plane: &PlanePoint<'_>, lateral: f32) -> f32 {
        let [posterior, superior] = plane.place;
        let cell_mm = match plane.offset {
            ..-38.0 => [20.0, 20.0, 20.0],
            -38.0..36.0 => [8.0, 6.0, 6.0],
            _ => [10.0, 6.0, 26.0],
        };
        self.texture.at([lateral / cell_mm[0], posterior / cell_mm[1], superior / cell_mm[2]])
    }
}

/// Where a canonical (slice, row, column) lies in the file.
fn place_in_file(layout: Layout, [slices, rows, columns]: [usize; 3], [slice, row, column]: [usize; 3]) -> usize {
    match layout {
        Layout::Lps => ((rows - 1 - row) * columns + column) * slices + slice,
        Layout::Pir { .. } => ((slices - 1 - slice) * rows + row) * columns + column,
    }
}

/// `first` is the place (left, posterior, superior) of the canonical voxel (0, 0, 0), before the volume is turned.
fn geometry(series: &DemoSeries, [slices, rows, columns]: [usize; 3], first: [f64; 3], slant: f64) -> Geometry {
    let [slice_mm, row_mm, column_mm] = series.spacing_mm;
    let axis = |len, spacing_mm, direction| Axis { len, spacing_mm, direction };
    match series.layout {
        Layout::Lps => Geometry {
            axes: [
                axis(rows, row_mm, [0.0, 0.0, 1.0]),
                axis(columns, column_mm, [0.0, 1.0, 0.0]),
                axis(slices, slice_mm, [1.0, 0.0, 0.0]),
            ],
            origin_mm: [first[0], first[1], first[2] - (rows as f64 - 1.0) * row_mm],
        },
        Layout::Pir { degrees } => Geometry {
            axes: [
                axis(slices, slice_mm, turned([-1.0, 0.0, 0.0], degrees)),
                axis(rows, row_mm, turned([0.0, slant, -1.0], degrees)),
                axis(columns, column_mm, turned([0.0, 1.0, slant], degrees)),
            ],
            origin_mm: turned([first[0] + (slices as f64 - 1.0) * slice_mm, first[1], first[2]], degrees),
        },
    }
}

/// Turned about the long axis of the body.
fn turned([x, y, z]: [f64; 3], degrees: f64) -> [f64; 3] {
    let (sine, cosine) = degrees.to_radians().sin_cos();
    [cosine * x - sine * y, sine * x + cosine * y, z]
}

fn image(series: &DemoSeries, shape: [usize; 3], first: [f64; 3], values: &[u16]) -> Volume {
    let geometry = geometry(series, shape, first, PIR_SLANT);
    match series.layout {
        Layout::Lps => Volume { element: ElementType::Int16, geometry, bytes: mapped(values) },
        Layout::Pir { .. } => {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            Volume { element: ElementType::Uint16, geometry, bytes }
        }
    }
}

/// As the LPS kind was prepared: the 5 % and 95 % quantiles become the ends of [`MAPPED_RANGE`], and what lies beyond becomes one
/// of them.
fn mapped(values: &[u16]) -> Vec<u8> {
    let mut counts = vec![0usize; usize::from(u16::MAX) + 1];
    values.iter().for_each(|&value| counts[usize::from(value)] += 1);
    let below: Vec<usize> = counts
        .iter()
        .scan(0, |sum, &count| {
            *sum += count;
            Some(*sum)
        })
        .collect();
    let quantile = |share: f64| below.partition_point(|&count| (count as f64) < values.len() as f64 * share);
    let (low, high) = (quantile(0.05), quantile(0.95));
    let width = (high - low).max(1) as f64;
    let (least, most) = (f64::from(*MAPPED_RANGE.start()), f64::from(*MAPPED_RANGE.end()));
    let map = |value: usize| ((value as f64 - low as f64) / width).clamp(0.0, 1.0) * (most - least) + least;
    let table: Vec<[u8; 2]> = (0..counts.len()).map(|value| (map(value) as i16).to_le_bytes()).collect();
    values.iter().flat_map(|&value| table[usize::from(value)]).collect()
}
