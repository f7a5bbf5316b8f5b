//! Signed distances, in millimetres: below 0 inside a shape, above 0 outside.

/// Width over which the border of a structure blurs.
const BLUR_MM: f32 = 1.5;

/// The share of a voxel that a shape at this distance covers, 0 to 1.
pub(super) fn coverage(distance: f32) -> f32 {
    (0.5 - distance / BLUR_MM).clamp(0.0, 1.0)
}

/// A box around 0 with rounded corners.
pub(super) fn rounded_box([x, y]: [f32; 2], [half_x, half_y]: [f32; 2], radius: f32) -> f32 {
    let radius = radius.min(half_x).min(half_y).max(0.0);
    let (dx, dy) = (x.abs() - half_x + radius, y.abs() - half_y + radius);
    length(dx.max(0.0), dy.max(0.0)) + dx.max(dy).min(0.0) - radius
}

/// An ellipse around 0; the distance is near enough close to its border.
pub(super) fn ellipse([x, y]: [f32; 2], [half_x, half_y]: [f32; 2]) -> f32 {
    if half_x <= 0.1 || half_y <= 0.1 {
        return length(x, y);
    }
    (length(x / half_x, y / half_y) - 1.0) * half_x.min(half_y)
}

/// `hypot` guards against overflow, which costs more than everything else here; millimetres do not overflow.
fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

/// Distance from the border of a slab as thick as `2 * half` from side to side. A slice averages over its thickness, so
/// borders that lie across it blur more, by `1 / across`.
pub(super) fn slab(lateral: f32, half: f32, across: f32) -> f32 {
    (lateral.abs() - half) * across
}
