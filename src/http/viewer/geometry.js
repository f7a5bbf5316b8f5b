// From voxels to millimetres in the patient and back. An affine is four rows of four numbers, as the service gives it:
// (slice, row, column, 1) → millimetres towards left, back and head.

/** Millimetres in the patient of (slice, row, column). */
export function toPatient(affine, [slice, row, column]) {
  return [0, 1, 2].map((n) => affine[n][0] * slice + affine[n][1] * row + affine[n][2] * column + affine[n][3]);
}

/** (slice, row, column), not rounded, of a point in the patient: Cramer's rule. */
export function toVoxel(affine, point) {
  const axes = [0, 1, 2].map((axis) => [0, 1, 2].map((n) => affine[n][axis]));
  const away = [0, 1, 2].map((n) => point[n] - affine[n][3]);
  const volume = triple(...axes);
  return axes.map((_, axis) => triple(...axes.map((one, n) => (n === axis ? away : one))) / volume);
}

/** Where one scan's voxel lies in another scan. */
export const across = (from, to, voxel) => toVoxel(to.geometry.affine_lps, toPatient(from.geometry.affine_lps, voxel));

/** Where the axes of a scan (slices, rows, columns) begin and end in the patient, `[begin, end]` each: right, left, anterior,
 * posterior, feet or head. Of an oblique axis, where it mostly points. */
export function sidesOf({ geometry: { affine_lps: affine } }) {
  return [0, 1, 2].map((axis) => {
    const along = [0, 1, 2].map((n) => affine[n][axis]);
    const most = along.reduce((best, part, n) => (Math.abs(part) > Math.abs(along[best]) ? n : best), 0);
    const [low, high] = ["RL", "AP", "FH"][most];
    return along[most] > 0 ? [low, high] : [high, low];
  });
}

/** The middle of a slice: row and column. */
export const middleOf = (scan) => [(scan.shape[1] - 1) / 2, (scan.shape[2] - 1) / 2];

/** Millimetres between two points, (row, column), of a slice. */
export function distance(scan, [row, column], [otherRow, otherColumn]) {
  return Math.hypot((otherRow - row) * scan.spacing_mm[1], (otherColumn - column) * scan.spacing_mm[2]);
}

/** Pixels per millimetre at which a whole slice fits. */
export function fitOf(scan, [width, height]) {
  const [, rows, columns] = scan.shape;
  return Math.min(width / (columns * scan.spacing_mm[2]), height / (rows * scan.spacing_mm[1])) || 1;
}

/** "L 8.8 mm": how far the middle of a slice lies to the patient's left or right. */
export function side(scan, slice) {
  const [left] = toPatient(scan.geometry.affine_lps, [slice, ...middleOf(scan)]);
  return `${left < 0 ? "R" : "L"} ${Math.abs(left).toFixed(1)} mm`;
}

function triple(a, b, c) {
  return a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
}
