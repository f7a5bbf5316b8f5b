//! The spine itself: vertebrae, discs, and the canal with what it holds. Gives the mask's value and lays the tissues.

use super::plane::PlanePoint;
use super::shape::{coverage, ellipse, rounded_box, slab};
use super::signal::{Canvas, Tissue};
use super::spine::{ARCH_MM, Level, PROCESS_REACH_MM, Spine};

/// Middle of the canal behind the curve.
const CANAL_MM: f32 = 26.5;
/// Value of the spinal canal in the mask.
const CANAL_LABEL: u8 = 100;

/// One voxel: a pixel of the plane, at some distance from the middle plane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) plane: &'a PlanePoint<'a>,
    /// Distance to the left of the spine's middle plane, in millimetres.
    pub(super) lateral: f32,
    /// How sharp borders across the slices are, relative to those in the plane.
    pub(super) across: f32,
    /// Smooth noise here, -1 to 1.
    pub(super) grain: f32,
}

/// Lays everything that the mask knows, and the sacrum. Returns the mask's value.
pub(super) fn lay(spine: &Spine, place: Place<'_>, canvas: &mut Canvas) -> u8 {
    let plane = place.plane;
    if !(-30.0..PROCESS_REACH_MM + 10.0).contains(&plane.offset) {
        return 0;
    }
    let mut label = 0;
    if plane.arc < 4.0 {
        lay_sacrum(place, spine.patient.size, canvas);
    }
    if let Some(level) = plane.process_level {
        let (within, across) = arch(level, place);
        lay_bone(within, coverage(across), Tissue::Marrow, place, canvas);
        label = if within.max(across) < 0.0 { level.vertebra_label } else { label };
    }
    if let Some(level) = plane.level {
        let (within, across) = body(level, place);
        lay_bone(within, coverage(across), marrow(level, plane.arc), place, canvas);
        lay_vein(level, place, canvas);
        label = if within.max(across) < 0.0 { level.vertebra_label } else { label };
    }
    let canal = canal(plane.arc, place);
    lay_canal(spine, canal, place, canvas);
    label = if canal < 0.0 && plane.arc > -25.0 { CANAL_LABEL } else { label };
    if let Some(level) = plane.level {
        let distance = disc(level, place);
        lay_disc(level, distance, place, canvas);
        label = if distance < 0.0 { level.disc_label } else { label };
    }
    label
}

/// The body: a box whose waist is narrower and which narrows to the sides. Distances from its border within the plane and
/// across the planes.
fn body(level: &Level, place: Place<'_>) -> (f32, f32) {
    let half_height = (level.body_to - level.body_from) / 2.0 - 0.4;
    let up = place.plane.arc - level.body_middle();
    let waist = 1.8 * (1.0 - (up / half_height).powi(2)).max(0.0);
    let depth = narrowed(level.half_depth, place.lateral / level.half_width) - waist;
    let within = rounded_box([up, place.plane.offset], [half_height, depth], 3.0);
    (within, slab(place.lateral, level.half_width, place.across))
}

/// Half the depth of a body or disc at a distance from the middle plane, given relative to its half width.
fn narrowed(half_depth: f32, lateral: f32) -> f32 {
    half_depth * (1.0 - lateral.powi(6)).max(0.0).sqrt()
}

/// Everything behind the body: pedicles, roof of the canal, articular, transverse and spinous processes. Distances from
/// the border of the nearest, as of the body.
fn arch(level: &Level, place: Place<'_>) -> (f32, f32) {
    let (offset, lateral) = (place.plane.offset, place.lateral.abs());
    let up = place.plane.process_arc - level.body_middle();
    let beside = |middle: f32, half: f32| slab(lateral - middle, half, place.across);
    let reach = PROCESS_REACH_MM - ARCH_MM;
    let back = (offset - ARCH_MM) / reach;
    let spinous =
        rounded_box([up + 2.0, offset - ARCH_MM - reach / 2.0], [6.0 + 3.5 * back.clamp(0.0, 1.0), reach / 2.0], 4.0);
    let roof = rounded_box([up + 1.0, offset - ARCH_MM - 2.5 + 0.2 * lateral], [10.0, 3.0], 2.0);
    let pedicle = rounded_box([up - 5.5, offset - 24.0], [6.5, 13.0], 2.0);
    let articular = ellipse([up + 1.0, offset - 39.0], [16.5, 6.5]);
    let transverse = ellipse([up - 3.0, offset - 29.0], [5.5, 5.0]);
    let parts = [
        (roof, beside(0.0, 14.0)),
        (pedicle, beside(13.5, 4.0)),
        (articular, beside(16.0, 6.0)),
        (transverse, beside(26.0, 11.0)),
    ];
    let nearer = |a: (f32, f32), b: (f32, f32)| if b.0.max(b.1) < a.0.max(a.1) { b } else { a };
    parts.into_iter().fold((spinous, beside(0.0, 4.0)), nearer)
}

fn disc(level: &Level, place: Place<'_>) -> f32 {
    let half_height = (level.body_from - level.disc_from) / 2.0 - 0.3;
    let up = place.plane.arc - level.disc_middle();
    let bulge = if level.grade >= 3 { 1.5 } else { 0.0 };
    let depth = narrowed(level.half_depth, place.lateral / level.half_width) + bulge;
    let across = slab(place.lateral, level.half_width, place.across);
    let whole = rounded_box([up, place.plane.offset], [half_height, depth], 3.5).max(across);
    if !level.herniated {
        return whole;
    }
    let hernia = ellipse([up + 1.5, place.plane.offset - level.half_depth - 1.5], [5.0, 5.5]);
    whole.min(hernia.max(slab(place.lateral, 8.0, place.across)))
}

/// The dural sac, which ends as a point in the sacrum.
fn canal(arc: f32, place: Place<'_>) -> f32 {
    let left = ((arc + 62.0) / 62.0).clamp(0.0, 1.0).sqrt();
    let half_width = 11.0 * left;
    let half_depth = 7.5 * left * (1.0 - (place.lateral / half_width.max(0.1)).powi(2)).max(0.0).sqrt();
    ((place.plane.offset - CANAL_MM).abs() - half_depth).max(slab(place.lateral, half_width, place.across))
}

/// `share` is how much of the slice's thickness the bone takes.
fn lay_bone(distance: f32, share: f32, marrow: Tissue, place: Place<'_>, canvas: &mut Canvas) {
    canvas.lay(Tissue::Cortex, share * coverage(distance - 0.3));
    let inside = share * coverage(distance + 1.1);
    canvas.lay(marrow, inside);
    canvas.value *= 1.0 + 0.16 * place.grain * inside;
}

fn marrow(level: &Level, arc: f32) -> Tissue {
    if level.modic > 0 && arc - level.body_from < 7.0 { Tissue::ModicMarrow(level.modic) } else { Tissue::Marrow }
}

/// The vein that leaves the body in the middle of its back.
fn lay_vein(level: &Level, place: Place<'_>, canvas: &mut Canvas) {
    let from_back = level.half_depth - 5.0 - place.plane.offset;
    let wedge = rounded_box([place.plane.arc - level.body_middle(), from_back], [1.6, 4.0], 1.0);
    canvas.lay(Tissue::Fluid, 0.6 * coverage(wedge.max(slab(place.lateral, 4.0, place.across))));
}

fn lay_disc(level: &Level, distance: f32, place: Place<'_>, canvas: &mut Canvas) {
    canvas.lay(Tissue::Annulus, coverage(distance));
    let height = level.body_from - level.disc_from;
    let up = place.plane.arc - level.disc_middle();
    let core = [0.40 * height, 0.66 * narrowed(level.half_depth, place.lateral / level.half_width)];
    let core =
        ellipse([up, place.plane.offset - 1.0], core).max(slab(place.lateral, 0.7 * level.half_width, place.across));
    // The border of a nucleus is not sharp.
    canvas.lay(Tissue::Nucleus(level.grade), coverage(core * 0.6).min(coverage(distance + 1.0)));
    // A healthy nucleus shows a darker cleft in the middle.
    let cleft = if level.grade <= 2 { 0.35 * coverage(core + 2.0) * coverage(up.abs() - 0.4) } else { 0.0 };
    canvas.lay(Tissue::Annulus, cleft);
}

fn lay_canal(spine: &Spine, distance: f32, place: Place<'_>, canvas: &mut Canvas) {
    canvas.lay(Tissue::Ligament, 0.9 * coverage(distance - 0.9));
    let inside = coverage(distance + 0.2);
    canvas.lay(Tissue::Fluid, inside);
    let (arc, behind) = (place.plane.arc, place.plane.offset - CANAL_MM);
    // The cord ends as a cone behind the body of L1; from there its roots go down along the back of the sac.
    let end = spine.levels.get(4).map_or(0.0, Level::body_middle);
    let radius = 4.6 * ((arc - end) / 28.0).clamp(0.0, 1.0).sqrt();
    canvas.lay(Tissue::Cord, inside * coverage(ellipse([behind, place.lateral], [radius, radius * 1.2])));
    let below = ((end + 20.0 - arc) / 20.0).clamp(0.0, 1.0);
    let back = (0.5 + behind / 5.0 - (end - arc).max(0.0) / 700.0).clamp(0.0, 1.0);
    let strands = 0.5 + 0.5 * (behind * 2.6 + place.lateral * 0.7 + arc * 0.05 + 2.0 * place.grain).sin();
    canvas.lay(Tissue::Cord, inside * below * back * (0.35 + 0.6 * strands));
}

/// Segments grown together, smaller downwards, with remains of discs between them.
fn lay_sacrum(place: Place<'_>, size: f32, canvas: &mut Canvas) {
    let (arc, offset) = (place.plane.arc / size, place.plane.offset / size);
    let half_depth = (15.5 + 0.11 * arc).max(2.0);
    let front = rounded_box([arc + 63.0, offset - 1.5], [62.5, half_depth], 4.0);
    let roof = rounded_box([arc + 48.0, offset - 39.0 - 0.12 * arc], [38.0, 4.0], 3.0);
    let across = slab(place.lateral, 40.0 + 0.25 * arc, place.across);
    lay_bone(
        front.min(roof.max(slab(place.lateral, 8.0, place.across))),
        coverage(across),
        Tissue::Marrow,
        place,
        canvas,
    );
    for border in [-30.0, -54.0, -75.0, -93.0] {
        let remains = rounded_box([arc - border, offset - 1.5], [0.9, half_depth * 0.85], 0.5);
        canvas.lay(Tissue::Annulus, 0.75 * coverage(remains.max(slab(place.lateral, 16.0, place.across))));
    }
}
