//! The sagittal plane that a series shows, pixel by pixel, in the coordinates of the spine. Nothing in it depends on
//! the slice, so it is worked out once for all slices.

use super::spine::{ARCH_MM, Level, PROCESS_REACH_MM, PROCESS_SLOPE, Spine};

/// Air shown behind the back.
const AIR_MM: f32 = 12.0;

/// One pixel of the plane. Millimetres.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlanePoint<'a> {
    /// (posterior, superior).
    pub(super) place: [f32; 2],
    /// Arc along the spine.
    pub(super) arc: f32,
    /// Distance behind the middle of the vertebral bodies.
    pub(super) offset: f32,
    /// The arc that the roof of the canal and the spinous processes belong to: they sink on their way back.
    pub(super) process_arc: f32,
    /// The level at `arc`; `None` in the sacrum.
    pub(super) level: Option<&'a Level>,
    /// The level at `process_arc`.
    pub(super) process_level: Option<&'a Level>,
    /// Distance below the skin of the back.
    pub(super) below_skin: f32,
    /// Distance in front of the sheath of the back's muscles.
    pub(super) below_fascia: f32,
}

/// What a series shows: (rows, columns) and where.
#[derive(Debug, Clone)]
pub(super) struct Plane<'a> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// (posterior, superior) of the middle of the first pixel.
    pub(super) first: [f64; 2],
    /// Row after row, the uppermost first, from front to back.
    pub(super) points: Vec<PlanePoint<'a>>,
}

impl<'a> Plane<'a> {
    /// The plane of a spine with this (row, column) spacing.
    pub(super) fn new(spine: &'a Spine, [row_mm, column_mm]: [f64; 2]) -> Self {
        let outline = Outline::new(spine);
        let size = spine.patient.size;
        let (top, bottom, front) =
            (f64::from(spine.upper_edge_mm()), f64::from(-84.0 * size), f64::from(-118.0 * size));
        let rows = ((top - bottom) / row_mm).round() as usize;
        let columns = ((f64::from(outline.hindmost() + AIR_MM) - front) / column_mm).round() as usize;
        let first = [front + column_mm / 2.0, top - row_mm / 2.0];
        let mut points = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            let superior = (first[1] - row as f64 * row_mm) as f32;
            let mut start = superior;
            for column in 0..columns {
                let point = outline.point(spine, [(first[0] + column as f64 * column_mm) as f32, superior], start);
                start = point.arc;
                points.push(point);
            }
        }
        Self { rows, columns, first, points }
    }
}

/// The back's outline: how far back the muscles' sheath and the skin lie, by height.
struct Outline {
    fascia: Vec<f32>,
    skin: Vec<f32>,
}

/// Height of an outline's first entry; one for each millimetre.
const LOWEST_MM: f32 = -150.0;

impl Outline {
    fn new(spine: &Spine) -> Self {
        let patient = &spine.patient;
        let sacrum = [(-120.0, 6.0), (-75.0, 18.0), (-25.0, 38.0)]
            .map(|(arc, offset)| spine.curve.position(arc, offset * patient.size));
        let tip = |arc: f32| {
            spine
                .curve
                .position(arc - PROCESS_SLOPE * (PROCESS_REACH_MM - ARCH_MM), PROCESS_REACH_MM * patient.size + 3.0)
        };
        let knots: Vec<[f32; 2]> =
            sacrum.into_iter().chain(spine.levels.iter().map(|level| tip(level.body_middle()))).collect();
        let heights: Vec<f32> = (0..600u16).map(|n| LOWEST_MM + f32::from(n)).collect();
        let fascia = smoothed(&heights.iter().map(|&z| along(&knots, z)).collect::<Vec<_>>(), 24);
        let fat = |z: f32| patient.fat_mm * (1.0 + 0.5 * (-((z + 5.0) / 55.0).powi(2)).exp());
        let skin: Vec<f32> = fascia.iter().zip(&heights).map(|(y, &z)| y + fat(z)).collect();
        Self { skin: smoothed(&skin, 40), fascia }
    }

    fn hindmost(&self) -> f32 {
        self.skin.iter().copied().fold(f32::MIN, f32::max)
    }

    fn point<'a>(&self, spine: &'a Spine, place: [f32; 2], start: f32) -> PlanePoint<'a> {
        let (arc, offset) = spine.curve.project(place, start);
        let offset = offset + spine.slip_mm(arc);
        let n = (place[1] - LOWEST_MM).clamp(0.0, self.skin.len() as f32 - 1.0) as usize;
        let process_arc = arc + PROCESS_SLOPE * (offset - ARCH_MM).clamp(0.0, PROCESS_REACH_MM);
        PlanePoint {
            place,
            arc,
            offset,
            process_arc,
            level: spine.level_at(arc),
            process_level: spine.level_at(process_arc),
            below_skin: self.skin[n] - place[0],
            below_fascia: self.fascia[n] - place[0],
        }
    }
}

/// The y of a line through (y, z) knots of ascending z, level beyond its ends.
fn along(knots: &[[f32; 2]], z: f32) -> f32 {
    let above = knots.iter().position(|knot| knot[1] >= z).unwrap_or(knots.len() - 1).max(1);
    let ([y0, z0], [y1, z1]) = (knots[above - 1], knots[above]);
    y0 + (y1 - y0) * ((z - z0) / (z1 - z0)).clamp(0.0, 1.0)
}

/// Each value becomes the mean of those at most `reach` places away.
fn smoothed(values: &[f32], reach: usize) -> Vec<f32> {
    let mean = |n: usize| {
        let near = &values[n.saturating_sub(reach)..(n + reach + 1).min(values.len())];
        near.iter().sum::<f32>() / near.len() as f32
    };
    (0..values.len()).map(mean).collect()
}
