// Numbers about the structures of a volume.

/** label → `{voxels, mean, sd}` of the values under each label; sd is that of the population. */
export function intensities({ image, mask }) {
  const sums = Array.from({ length: 256 }, () => ({ voxels: 0, sum: 0 }));
  for (let n = 0; n < mask.data.length; n += 1) {
    const one = sums[mask.data[n]];
    one.voxels += 1;
    one.sum += image.data[n];
  }
  const squares = new Float64Array(256);
  for (let n = 0; n < mask.data.length; n += 1) {
    const { sum, voxels } = sums[mask.data[n]];
    squares[mask.data[n]] += (image.data[n] - sum / voxels) ** 2;
  }
  const found = new Map();
  sums.forEach(({ voxels, sum }, label) => {
    if (label > 0 && voxels > 0) found.set(label, { voxels, mean: sum / voxels, sd: Math.sqrt(squares[label] / voxels) });
  });
  return found;
}

/** Millimetres of a disc's height in a slice of the mask: its area divided by its length along its main axis. */
export function heightOf({ data, shape: [, rows, columns] }, slice, label, [, down, across]) {
  const points = [];
  const start = slice * rows * columns;
  for (let n = 0; n < rows * columns; n += 1) {
    if (data[start + n] === label) points.push([Math.floor(n / columns) * down, (n % columns) * across]);
  }
  if (points.length < 2) return null;
  const axis = mainAxis(points);
  const along = points.map(([y, x]) => y * axis[0] + x * axis[1]);
  // A pixel has an extent of its own.
  const pixel = Math.abs(axis[0]) * down + Math.abs(axis[1]) * across;
  const length = along.reduce((a, b) => Math.max(a, b)) - along.reduce((a, b) => Math.min(a, b)) + pixel;
  return (points.length * down * across) / length;
}

/** The direction in which points spread most. */
function mainAxis(points) {
  const mean = [0, 1].map((n) => points.reduce((sum, point) => sum + point[n], 0) / points.length);
  let [yy, xx, xy] = [0, 0, 0];
  for (const [y, x] of points) {
    yy += (y - mean[0]) ** 2;
    xx += (x - mean[1]) ** 2;
    xy += (y - mean[0]) * (x - mean[1]);
  }
  const angle = Math.atan2(2 * xy, xx - yy) / 2;
  return [Math.sin(angle), Math.cos(angle)];
}
