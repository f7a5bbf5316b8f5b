//! What lies around the spine: skin, fat and muscles of the back, the great vessels, the belly.

use super::anatomy::Place;
use super::shape::{coverage, ellipse, rounded_box, slab};
use super::signal::{Canvas, Tissue};
use super::spine::{ARCH_MM, Level, PROCESS_REACH_MM, Spine};

/// Front of the vertebral bodies and of the vessels before them.
const FRONT_MM: f32 = -19.0;
/// Where the aorta divides, as an arc.
const AORTA_ENDS_MM: f32 = 62.0;

/// Lays everything but bone, discs and canal.
pub(super) fn lay(spine: &Spine, place: Place<'_>, canvas: &mut Canvas) {
    let plane = place.plane;
    canvas.lay(Tissue::Fat, coverage(-plane.below_skin));
    canvas.value *= 1.0 + 0.08 * place.grain;
    canvas.lay(Tissue::Skin, coverage((plane.below_skin - 1.2).abs() - 1.2));
    if plane.offset > 20.0 {
        lay_back(spine, place, canvas);
    } else if plane.offset < FRONT_MM {
        lay_belly(place, canvas);
    }
    lay_beside(place, canvas);
}

/// The back's muscles with streaks of fat; in the middle the ligaments between the spinous processes.
fn lay_back(spine: &Spine, place: Place<'_>, canvas: &mut Canvas) {
    let plane = place.plane;
    let inside =
        coverage(1.0 - plane.below_fascia) * coverage((ARCH_MM + 1.0 - plane.offset).max(-plane.arc * 0.3 - 20.0));
    let beside = coverage(slab(place.lateral, 5.0, place.across));
    let streaks = ((place.grain - 0.1) * 1.6).clamp(0.0, 0.6);
    canvas.lay(Tissue::Muscle, inside * (1.0 - beside) * (1.0 - streaks));
    canvas.lay(Tissue::Ligament, inside * beside * (0.55 + 0.35 * place.grain));
    let sheath = (plane.below_fascia - 1.0).abs() - 0.7;
    canvas.lay(Tissue::Cortex, 0.7 * coverage(sheath));
    // Fat between the roofs of the canal, behind the sac.
    if let Some(level) = plane.process_level {
        let gap = ellipse([plane.process_arc - level.body_middle() + 17.0, plane.offset - ARCH_MM - 1.0], [8.0, 4.0]);
        canvas.lay(Tissue::Fat, coverage(gap.max(slab(place.lateral, 7.0, place.across))));
    }
    let end = PROCESS_REACH_MM * spine.patient.size + 2.5;
    canvas.lay(Tissue::Ligament, inside * beside * coverage((plane.offset - end).abs() - 1.5));
}

/// Ligament along the bodies, aorta on the left, vena cava on the right, then bowel in fat.
fn lay_belly(place: Place<'_>, canvas: &mut Canvas) {
    let plane = place.plane;
    let before = FRONT_MM - plane.offset;
    let bowel = coverage(22.0 + 14.0 * place.grain - before) * ((place.grain + 0.4) * 1.8).clamp(0.0, 1.0);
    canvas.lay(Tissue::Bowel, bowel);
    let gas = coverage(34.0 - before) * ((place.grain - 0.4) * 4.0).clamp(0.0, 0.9);
    canvas.lay(Tissue::Air, gas);
    let tube = |lateral: f32, radius: f32| {
        let ends = (AORTA_ENDS_MM - plane.arc) * 0.12;
        ellipse([before - 11.0, (place.lateral - lateral) * 0.9], [radius, radius]).max(ends)
    };
    let vessels = tube(9.0, 8.5).min(tube(-12.0, 9.0));
    canvas.lay(Tissue::Ligament, 0.8 * coverage(vessels - 0.8));
    canvas.lay(Tissue::Vessel, coverage(vessels));
    canvas.lay(Tissue::Ligament, 0.8 * coverage(before - 2.0) * coverage(slab(place.lateral, 20.0, place.across)));
}

/// Beside the bodies the psoas; behind it, between the pedicles, the roots of the nerves in fat.
fn lay_beside(place: Place<'_>, canvas: &mut Canvas) {
    let plane = place.plane;
    let half_width = plane.level.map_or(24.0, |level| level.half_width);
    let psoas = rounded_box([place.lateral.abs() - half_width - 20.0, plane.offset - 6.0], [20.0, 22.0], 8.0);
    canvas.lay(Tissue::Muscle, coverage(psoas) * (0.92 + 0.08 * place.grain));
    let Some(level) = plane.level else { return };
    let root = ellipse([plane.arc - root_arc(level), plane.offset - 24.0 - 0.1 * place.lateral.abs()], [3.0, 2.6]);
    canvas.lay(Tissue::Cord, 0.9 * coverage(root.max(slab(place.lateral.abs() - 16.0, 6.0, place.across))));
}

/// A root leaves below the pedicle of its vertebra.
fn root_arc(level: &Level) -> f32 {
    level.body_middle() - 5.0
}
