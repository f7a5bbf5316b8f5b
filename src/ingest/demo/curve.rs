//! The curve through the vertebral bodies in the middle plane, and the coordinates that follow it.

/// Millimetres of arc between two tabulated points.
const STEP_MM: f32 = 1.0;
/// The lowest tabulated arc: the tip of the sacrum.
const LOWEST_MM: f32 = -150.0;
/// Number of tabulated points.
const POINTS: usize = 600;

/// How far the spine leans backwards (degrees from upright, negative: forwards) at an arc length above the sacrum's
/// endplate, from the tailbone up.
const LEAN: [(f32, f32); 9] = [
    (-150.0, 5.0),
    (-110.0, -18.0),
    (-60.0, -36.0),
    (-12.0, -41.0),
    (12.0, -30.0),
    (45.0, -17.0),
    (100.0, 0.0),
    (190.0, 12.0),
    (330.0, 4.0),
];

/// A plane curve, tabulated by arc length. Coordinates are (posterior, superior) in millimetres from the middle of the
/// sacrum's upper endplate, where the arc is 0.
#[derive(Debug, Clone)]
pub(super) struct SpineCurve {
    points: Vec<CurvePoint>,
}

#[derive(Debug, Clone, Copy)]
struct CurvePoint {
    posterior: f32,
    superior: f32,
    /// Unit vector along the curve, upwards.
    along: [f32; 2],
}

impl SpineCurve {
    /// The usual curve with its lean multiplied by `lordosis` and its lengths by `size`.
    pub(super) fn new(lordosis: f32, size: f32) -> Self {
        let mut points: Vec<CurvePoint> = Vec::with_capacity(POINTS);
        for n in 0..POINTS {
            let (sine, cosine) = (lean_degrees(arc_of(n as f32) / size) * lordosis).to_radians().sin_cos();
            let (posterior, superior) = points
                .last()
                .map_or((0.0, 0.0), |p| (p.posterior + STEP_MM * p.along[0], p.superior + STEP_MM * p.along[1]));
            points.push(CurvePoint { posterior, superior, along: [sine, cosine] });
        }
        let mut curve = Self { points };
        let [posterior, superior] = curve.position(0.0, 0.0);
        for point in &mut curve.points {
            point.posterior -= posterior;
            point.superior -= superior;
        }
        curve
    }

    /// Where the point with this arc and this distance behind the curve lies: (posterior, superior).
    pub(super) fn position(&self, arc: f32, offset: f32) -> [f32; 2] {
        let p = self.at(arc);
        [p.posterior + offset * p.along[1], p.superior - offset * p.along[0]]
    }

    /// The arc of the nearest point of the curve and the distance behind it, searched for from the arc `start`.
    pub(super) fn project(&self, [posterior, superior]: [f32; 2], start: f32) -> (f32, f32) {
        let mut arc = start;
        let mut offset = 0.0;
        // Each step leaves a share of the error that is the distance over the radius of curvature: a half at worst.
        for _ in 0..24 {
            let p = self.at(arc);
            let (dy, dz) = (posterior - p.posterior, superior - p.superior);
            let ahead = dy * p.along[0] + dz * p.along[1];
            offset = dy * p.along[1] - dz * p.along[0];
            arc = (arc + 0.9 * ahead).clamp(LOWEST_MM, arc_of(POINTS as f32 - 2.0));
            if ahead.abs() < 0.02 {
                break;
            }
        }
        (arc, offset)
    }

    fn at(&self, arc: f32) -> CurvePoint {
        let place = ((arc - LOWEST_MM) / STEP_MM).clamp(0.0, POINTS as f32 - 2.0);
        let (a, b) = (self.points[place as usize], self.points[place as usize + 1]);
        let between = |a: f32, b: f32| a + (b - a) * place.fract();
        CurvePoint {
            posterior: between(a.posterior, b.posterior),
            superior: between(a.superior, b.superior),
            along: [between(a.along[0], b.along[0]), between(a.along[1], b.along[1])],
        }
    }
}

fn arc_of(place: f32) -> f32 {
    LOWEST_MM + STEP_MM * place
}

/// [`LEAN`], joined smoothly.
fn lean_degrees(arc: f32) -> f32 {
    let joined = LEAN.windows(2).find(|pair| arc <= pair[1].0).unwrap_or(&LEAN[LEAN.len() - 2..]);
    let [(from, a), (to, b)] = [joined[0], joined[1]];
    let f = ((arc - from) / (to - from)).clamp(0.0, 1.0);
    a + (b - a) * f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projection_finds_the_point_it_was_made_from() {
        let curve = SpineCurve::new(1.1, 1.0);
        for arc in [-60.0, -5.0, 0.0, 33.0, 120.0, 250.0] {
            for offset in [-30.0, 0.0, 12.0, 60.0] {
                let (a, t) = curve.project(curve.position(arc, offset), arc + 20.0);
                assert!((a - arc).abs() < 0.5 && (t - offset).abs() < 0.5, "{arc} {offset}: {a} {t}");
            }
        }
    }

    #[test]
    fn the_lumbar_spine_bends_forwards_and_the_sacrum_points_back() {
        let curve = SpineCurve::new(1.0, 1.0);
        let posterior = |arc| curve.position(arc, 0.0)[0];
        assert!(
            posterior(100.0) < posterior(0.0)
                && posterior(100.0) < posterior(220.0)
                && posterior(-60.0) > posterior(0.0)
        );
    }
}
