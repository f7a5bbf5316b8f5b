//! The measures of one patient's spine: where each vertebra and each disc begins and ends along the curve.

use super::curve::SpineCurve;
use super::patients::DemoPatient;

/// How far the spinous processes reach behind the curve, in millimetres.
pub(super) const PROCESS_REACH_MM: f32 = 64.0;
/// How much a spinous process sinks on the way back, in millimetres per millimetre.
pub(super) const PROCESS_SLOPE: f32 = 0.4;
/// Where the roof of the canal begins behind the curve, in millimetres.
pub(super) const ARCH_MM: f32 = 35.0;

/// One vertebra and the disc below it. All lengths in millimetres.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// 1 for L5 and L5/S1, counted upwards.
    pub(super) number: u8,
    /// Arc at which the disc begins; it ends where the body begins.
    pub(super) disc_from: f32,
    /// Arc at which the vertebral body begins.
    pub(super) body_from: f32,
    /// Arc at which the vertebral body ends.
    pub(super) body_to: f32,
    /// Half of the body from front to back.
    pub(super) half_depth: f32,
    /// Half of the body from side to side.
    pub(super) half_width: f32,
    /// Pfirrmann grade of the disc.
    pub(super) grade: u8,
    /// The disc is herniated.
    pub(super) herniated: bool,
    /// Type of the Modic changes beside the disc, 0 for none.
    pub(super) modic: u8,
    /// Value of the vertebra in the mask, 0 if it has none.
    pub(super) vertebra_label: u8,
    /// Value of the disc in the mask, 0 if it has none.
    pub(super) disc_label: u8,
}

impl Level {
    /// Arc of the middle of the body.
    pub(super) fn body_middle(&self) -> f32 {
        (self.body_from + self.body_to) / 2.0
    }

    /// Arc of the middle of the disc.
    pub(super) fn disc_middle(&self) -> f32 {
        (self.disc_from + self.body_from) / 2.0
    }
}

/// One patient's spine.
#[derive(Debug, Clone)]
pub(super) struct Spine {
    pub(super) curve: SpineCurve,
    /// From the bottom; two more than are labelled, so that the image does not end in nothing.
    pub(super) levels: Vec<Level>,
    pub(super) patient: DemoPatient,
}

impl Spine {
    pub(super) fn new(patient: &DemoPatient, labels_partial_vertebra: bool) -> Self {
        let mut levels = Vec::new();
        let mut arc = 0.0;
        for number in 1..=patient.vertebrae + 2 {
            let mut level = level(patient, number, arc);
            level.disc_label = if number <= patient.vertebrae { 200 + number } else { 0 };
            level.vertebra_label = if number <= patient.vertebrae { number } else { 0 };
            if number == patient.vertebrae + 1 && labels_partial_vertebra {
                (level.vertebra_label, level.disc_label) = (100 + number, 200 + number);
            }
            arc = level.body_to;
            levels.push(level);
        }
        Self { curve: SpineCurve::new(patient.lordosis, patient.size), levels, patient: *patient }
    }

    /// The level that holds an arc; `None` in the sacrum. Above the highest one it is the highest.
    pub(super) fn level_at(&self, arc: f32) -> Option<&Level> {
        if arc < 0.0 {
            return None;
        }
        self.levels.iter().find(|level| arc < level.body_to).or(self.levels.last())
    }

    /// Height of the image's upper edge: it cuts the lowest vertebra that is not wholly in the image.
    pub(super) fn upper_edge_mm(&self) -> f32 {
        let cut = &self.levels[usize::from(self.patient.vertebrae)];
        let arc = cut.body_from + 0.45 * (cut.body_to - cut.body_from);
        self.curve.position(arc, 0.0)[1]
    }

    /// How far forwards a slip has moved what lies at this arc.
    pub(super) fn slip_mm(&self, arc: f32) -> f32 {
        let slipped = self.levels.iter().find(|level| level.number == self.patient.slipped);
        slipped
            .map_or(0.0, |level| 6.0 * ((arc - level.disc_from) / (level.body_from - level.disc_from)).clamp(0.0, 1.0))
    }

    /// How far to the left the spine lies at this arc.
    pub(super) fn sideways_mm(&self, arc: f32) -> f32 {
        self.patient.scoliosis_mm * (arc / 65.0).sin()
    }
}

/// Heights shrink from the bottom up; a degenerated disc is lower.
fn level(patient: &DemoPatient, number: u8, disc_from: f32) -> Level {
    let (up, grade) = (f32::from(number) - 1.0, patient.grade(number));
    let disc_height = match number {
        1 => 9.5,
        2 => 11.0,
        3 => 10.5,
        _ => 12.0 - 0.85 * up,
    };
    let left = match grade {
        0..=2 => 1.0,
        3 => 0.92,
        4 => 0.74,
        _ => 0.48,
    };
    let body_from = disc_from + patient.size * f32::max(disc_height, 5.0) * left;
    Level {
        number,
        disc_from,
        body_from,
        body_to: body_from + patient.size * (28.0 - 0.5 * up),
        half_depth: patient.size * (17.5 - 0.3 * up),
        half_width: patient.size * (25.0 - 0.7 * up),
        grade,
        herniated: number == patient.herniated,
        modic: if number == patient.modic.0 { patient.modic.1 } else { 0 },
        vertebra_label: 0,
        disc_label: 0,
    }
}
