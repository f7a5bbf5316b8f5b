//! Who is in the synthetic release, and how they were scanned.

use crate::spider::ScanType;

/// Which scanner: it decides what the table's columns hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// Tables without coil and sequence names, volumes resampled in the plane.
    Philips,
    /// Tables with nearly every column filled.
    Siemens,
}

/// How a volume lies in its file: the two kinds of the release.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Layout {
    /// int16, slices on the fastest axis, lowest row first, values mapped from the 5 % and 95 % quantiles.
    Lps,
    /// uint16, slices on the slowest axis, highest row first; turned about the body's long axis.
    Pir {
        /// By how much.
        degrees: f64,
    },
}

/// One series of a patient.
#[derive(Debug, Clone, Copy)]
pub(super) struct DemoSeries {
    pub(super) scan_type: ScanType,
    pub(super) layout: Layout,
    pub(super) slices: usize,
    /// (slice, row, column) in the volume's header.
    pub(super) spacing_mm: [f64; 3],
    /// The vertebra that the upper edge of the image cuts is labelled, and the disc below it.
    pub(super) labels_partial_vertebra: bool,
}

/// One synthetic patient. Levels count from the bottom: 1 is L5, or the disc L5/S1.
#[derive(Debug, Clone, Copy)]
pub(super) struct DemoPatient {
    pub(super) number: u32,
    pub(super) maker: Maker,
    /// As the table has it, blanks included.
    pub(super) sex: &'static str,
    /// As the table has it; empty where it is not known.
    pub(super) age: &'static str,
    pub(super) subset: &'static str,
    /// Vertebrae that are wholly in the image.
    pub(super) vertebrae: u8,
    /// Size relative to the usual.
    pub(super) size: f32,
    /// Curvature of the lumbar spine relative to the usual.
    pub(super) lordosis: f32,
    /// How far the spine swings to the side.
    pub(super) scoliosis_mm: f32,
    /// Thickness of the fat below the skin of the back.
    pub(super) fat_mm: f32,
    /// Pfirrmann grade of each disc, lowest first.
    pub(super) pfirrmann: [u8; 10],
    /// Level of a herniated disc, or 0.
    pub(super) herniated: u8,
    /// Level of a vertebra that slipped forwards, or 0.
    pub(super) slipped: u8,
    /// Level with Modic changes and their type, or zeros.
    pub(super) modic: (u8, u8),
    pub(super) series: &'static [DemoSeries],
}

const fn lps(scan_type: ScanType, slices: usize, spacing_mm: [f64; 3]) -> DemoSeries {
    DemoSeries { scan_type, layout: Layout::Lps, slices, spacing_mm, labels_partial_vertebra: false }
}

const fn pir(scan_type: ScanType, slices: usize, spacing_mm: [f64; 3], degrees: f64) -> DemoSeries {
    DemoSeries { scan_type, layout: Layout::Pir { degrees }, slices, spacing_mm, labels_partial_vertebra: false }
}

const fn with_partial_vertebra(series: DemoSeries) -> DemoSeries {
    DemoSeries { labels_partial_vertebra: true, ..series }
}

use Maker::{Philips, Siemens};
use ScanType::{T1, T2, T2Space};

/// The synthetic patients. Their numbers are such that the published split puts someone into each of its parts: 1 into
/// test, 8 into validation, the rest into train.
#[rustfmt::skip] // Two lines for each patient: this is a table.
pub(super) const PATIENTS: [DemoPatient; 8] = [
    DemoPatient { number: 1, maker: Philips, sex: "F ", age: "", subset: "training", vertebrae: 7, size: 0.95, lordosis: 1.0, scoliosis_mm: 2.0, fat_mm: 16.0,
        pfirrmann: [3, 2, 2, 1, 1, 2, 2, 2, 2, 2], herniated: 0, slipped: 0, modic: (0, 0), series: &[lps(T1, 15, [4.4, 1.0, 1.125]), lps(T2, 15, [4.4, 1.0, 1.125])] },
    DemoPatient { number: 2, maker: Philips, sex: "M ", age: "", subset: "training", vertebrae: 7, size: 1.04, lordosis: 0.8, scoliosis_mm: -4.0, fat_mm: 11.0,
        pfirrmann: [5, 4, 3, 3, 2, 2, 3, 2, 2, 2], herniated: 2, slipped: 0, modic: (1, 2), series: &[lps(T1, 15, [4.4, 0.98, 1.15]), lps(T2, 15, [4.4, 0.98, 1.15])] },
    DemoPatient { number: 3, maker: Siemens, sex: "F", age: "59.0", subset: "training", vertebrae: 7, size: 1.0, lordosis: 1.1, scoliosis_mm: 3.0, fat_mm: 24.0,
        pfirrmann: [4, 5, 3, 2, 2, 2, 2, 2, 2, 2], herniated: 0, slipped: 2, modic: (2, 1), series: &[lps(T1, 15, [4.4, 1.0, 1.0]), pir(T2, 15, [4.4, 1.0, 1.0], 0.0), pir(T2Space, 30, [2.1, 1.0625, 1.0625], 0.0)] },
    DemoPatient { number: 4, maker: Philips, sex: "F ", age: "", subset: "training", vertebrae: 8, size: 0.9, lordosis: 1.15, scoliosis_mm: 1.0, fat_mm: 9.0,
        pfirrmann: [1, 1, 1, 2, 1, 1, 2, 1, 2, 2], herniated: 0, slipped: 0, modic: (0, 0), series: &[lps(T2, 17, [4.0, 0.95, 1.1])] },
    DemoPatient { number: 5, maker: Siemens, sex: "M", age: "44.0", subset: "validation", vertebrae: 7, size: 1.08, lordosis: 0.9, scoliosis_mm: -2.0, fat_mm: 19.0,
        pfirrmann: [4, 2, 2, 2, 2, 3, 2, 2, 2, 2], herniated: 1, slipped: 0, modic: (1, 1), series: &[lps(T1, 15, [4.4, 1.125, 1.125]), lps(T2, 15, [4.4, 1.125, 1.125]), pir(T2Space, 32, [2.0, 1.09375, 1.09375], 4.0)] },
    DemoPatient { number: 6, maker: Philips, sex: "M ", age: "", subset: "training", vertebrae: 9, size: 0.97, lordosis: 0.7, scoliosis_mm: 6.0, fat_mm: 14.0,
        pfirrmann: [3, 4, 4, 3, 3, 3, 2, 3, 2, 2], herniated: 3, slipped: 0, modic: (3, 3), series: &[lps(T1, 15, [4.4, 1.0, 1.2]), lps(T2, 15, [4.4, 1.0, 1.2])] },
    DemoPatient { number: 7, maker: Siemens, sex: "F", age: "", subset: "training", vertebrae: 7, size: 0.93, lordosis: 1.2, scoliosis_mm: 0.0, fat_mm: 30.0,
        pfirrmann: [2, 3, 2, 1, 1, 1, 1, 2, 2, 2], herniated: 0, slipped: 0, modic: (0, 0), series: &[pir(T1, 15, [4.4, 1.0, 1.0], -2.5), pir(T2, 15, [4.4, 1.0, 1.0], -2.5)] },
    DemoPatient { number: 8, maker: Siemens, sex: "M", age: "63.0", subset: "validation", vertebrae: 7, size: 1.02, lordosis: 0.95, scoliosis_mm: -5.0, fat_mm: 18.0,
        pfirrmann: [5, 5, 4, 4, 3, 3, 3, 3, 2, 2], herniated: 0, slipped: 0, modic: (2, 2), series: &[lps(T1, 15, [4.4, 1.0625, 1.0625]), with_partial_vertebra(lps(T2Space, 30, [2.1, 1.0625, 1.0625]))] },
];

impl DemoPatient {
    /// Discs that have a label and a grading: one below each labelled vertebra.
    pub(super) fn discs(&self) -> u8 {
        self.vertebrae + u8::from(self.series.iter().any(|series| series.labels_partial_vertebra))
    }

    /// The Pfirrmann grade of the disc at a level, 1 for L5/S1; above the listed ones 2.
    pub(super) fn grade(&self, level: u8) -> u8 {
        usize::from(level).checked_sub(1).and_then(|n| self.pfirrmann.get(n)).copied().unwrap_or(2)
    }
}
