//! From tissue to signal: how bright each tissue is in each kind of series, and what the scanner adds.

use super::noise::normal_pair;
use crate::spider::ScanType;

/// What a voxel is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Tissue {
    Air,
    Skin,
    Fat,
    Muscle,
    Bowel,
    /// Blood that flows: it leaves no signal.
    Vessel,
    Ligament,
    /// Compact bone.
    Cortex,
    Marrow,
    /// Marrow beside a disc with Modic changes of this type.
    ModicMarrow(u8),
    Annulus,
    /// Core of a disc of this Pfirrmann grade.
    Nucleus(u8),
    /// Cerebrospinal fluid, and blood that rests.
    Fluid,
    Cord,
}

/// The contrast of a kind of series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contrast(pub(super) ScanType);

impl Contrast {
    /// Signal of a tissue, 0 to 1.
    pub(super) fn of(self, tissue: Tissue) -> f32 {
        let (t1, t2) = match tissue {
            Tissue::Air => (0.0, 0.0),
            Tissue::Skin => (0.42, 0.34),
            Tissue::Fat => (0.84, 0.64),
            Tissue::Muscle => (0.30, 0.17),
            Tissue::Bowel => (0.40, 0.40),
            Tissue::Vessel => (0.07, 0.05),
            Tissue::Ligament => (0.14, 0.09),
            Tissue::Cortex => (0.07, 0.05),
            Tissue::Marrow => (0.52, 0.40),
            Tissue::ModicMarrow(1) => (0.30, 0.66),
            Tissue::ModicMarrow(2) => (0.74, 0.56),
            Tissue::ModicMarrow(_) => (0.22, 0.14),
            Tissue::Annulus => (0.26, 0.11),
            Tissue::Nucleus(grade) => (0.34, [0.80, 0.66, 0.40, 0.20, 0.11][usize::from(grade.clamp(1, 5) - 1)]),
            Tissue::Fluid => (0.15, 0.95),
            Tissue::Cord => (0.36, 0.36),
        };
        match self.0 {
            ScanType::T1 => t1,
            ScanType::T2 => t2,
            // A longer echo train: water brighter against the rest.
            ScanType::T2Space => t2 * (0.7 + 0.3 * t2),
        }
    }
}

/// The value of one voxel while tissue is laid over tissue.
pub(super) struct Canvas {
    pub(super) contrast: Contrast,
    pub(super) value: f32,
}

impl Canvas {
    /// Covers a share of the voxel, 0 to 1, with a tissue.
    pub(super) fn lay(&mut self, tissue: Tissue, share: f32) {
        if share > 0.0 {
            self.value += (self.contrast.of(tissue) - self.value) * share.min(1.0);
        }
    }
}

/// What the scanner makes of a signal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receiver {
    pub(super) seed: u64,
    /// Stored value of the signal 1.
    pub(super) gain: f32,
    /// Deviation of the noise, in stored values.
    pub(super) noise: f32,
}

impl Receiver {
    /// Share of the signal that arrives from a place: the coil lies behind the back and ends at the image's upper and
    /// lower edges; in front of the spine a slab is saturated against the motion of breath. `height` is -1 to 1.
    pub(super) fn sensitivity(below_skin: f32, offset: f32, height: f32) -> f32 {
        let coil = 0.62 + 0.42 * (-below_skin.max(0.0) / 70.0).exp();
        let ends = 1.0 - 0.45 * height.powi(6);
        let saturated = 1.0 - 0.5 / (1.0 + ((offset + 62.0) / 5.0).exp());
        coil * ends * saturated
    }

    /// The stored value: a magnitude, so its noise is never below 0.
    pub(super) fn value(self, signal: f32, index: u64) -> u16 {
        let [real, imaginary] = normal_pair(self.seed, index).map(|n| n * self.noise);
        let real = real + signal * self.gain;
        ((real * real + imaginary * imaginary).sqrt() + 0.5) as u16
    }
}
