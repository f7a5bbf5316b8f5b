// Where the voxels of a mask belong in a scan: by affine, axes permuted and flipped, never interpolated; or by the layout of an
// array. The same rules as the server's (docs/evaluation.md).

import { toVoxel } from "./geometry.js";

/** How an array's axes may be meant, by their names in `layout=`, and in words. */
export const LAYOUTS = {
  canonical: "canonical: slices, rows, columns, as mask.npy",
  stored: "stored: as mask.npy?layout=stored",
  file: "file: k, j, i, as SimpleITK's GetArrayFromImage",
};

const SPACING_TOLERANCE_MM = 1e-4;
const ORIGIN_TOLERANCE_MM = 1e-3;
const ANGLE_TOLERANCE_DEGREES = 0.01;
/** Sums of cosines closer than this are a tie. */
const TIE = 1e-6;
/** How far axes may be from right angles, as dot products of unit vectors. */
const ORTHOGONAL_TOLERANCE = 1e-3;
const PERMUTATIONS = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
const AXES = [0, 1, 2];

/** A grid: its shape, the vector of a step along each axis in millimetres, and the place of its first voxel. */
function gridOf(shape, affine) {
  return { shape, steps: AXES.map((axis) => AXES.map((world) => affine[world][axis])), origin: AXES.map((world) => affine[world][3]) };
}

const length = (vector) => Math.hypot(...vector);
const direction = (vector) => vector.map((part) => part / length(vector));
const dot = (a, b) => a.reduce((sum, part, n) => sum + part * b[n], 0);
const listed = (numbers) => `[${numbers.join(", ")}]`;

/** From the axes of one grid to those of another, by directions alone: `{sourceAxis, flipped}`. */
function turnBetween(source, target) {
  const cosine = (t, s) => dot(direction(target.steps[t]), direction(source.steps[s]));
  const score = (axes) => AXES.reduce((sum, t) => sum + Math.abs(cosine(t, axes[t])), 0);
  const sourceAxis = PERMUTATIONS.reduce((best, one) => (score(one) > score(best) + TIE ? one : best));
  return { sourceAxis, flipped: AXES.map((t) => cosine(t, sourceAxis[t]) < 0) };
}

/** A grid after a turn; every voxel keeps its place. */
function turned(grid, { sourceAxis, flipped }) {
  const shape = sourceAxis.map((axis) => grid.shape[axis]);
  const origin = [...grid.origin];
  const steps = sourceAxis.map((axis, t) => {
    const step = grid.steps[axis];
    if (!flipped[t]) return step;
    step.forEach((part, world) => (origin[world] += part * (shape[t] - 1)));
    return step.map((part) => -part);
  });
  return { shape, steps, origin };
}

/** Written so that what is not a number is none. */
function isOrthogonal({ steps, origin }) {
  const isStep = (step) => length(step) > 0 && Number.isFinite(length(step));
  const isRight = (a, b) => Math.abs(dot(direction(steps[a]), direction(steps[b]))) <= ORTHOGONAL_TOLERANCE;
  return steps.every(isStep) && origin.every(Number.isFinite) && isRight(0, 1) && isRight(0, 2) && isRight(1, 2);
}

/** The grids of a scan's arrays by layout. */
function layoutsOf({ geometry }) {
  const { source, stored_layout: stored } = geometry;
  return {
    canonical: gridOf(geometry.shape, geometry.affine_lps),
    stored: gridOf(stored.shape, stored.affine_lps),
    file: gridOf(source.shape_kji, source.affine_lps_kji),
  };
}

/** Layouts whose shape an array has. */
export function fittingLayouts(mask, scan) {
  const layouts = layoutsOf(scan);
  return Object.keys(LAYOUTS).filter((name) => listed(layouts[name].shape) === listed(mask.shape));
}

/** The turn that brings a mask into a scan's canonical order, or `{from, to}`, two grids, when it is on another one and the
 * nearest voxels are wanted; throws when they are not. `layout` is for arrays. */
export function placed(mask, scan, layout, isNearest) {
  const layouts = layoutsOf(scan);
  if (mask.isArray) return placedByLayout(mask, layouts, layout);
  if (!mask.affine) throw new Error("the NIfTI header does not say where its voxels are (sform_code and qform_code are 0); save it with the scan's affine, or open the array as .npy");
  const grid = gridOf(mask.shape, mask.affine);
  if (!isOrthogonal(grid)) throw new Error("the affine of the file is not usable; expected finite numbers, and three axes at right angles");
  const turn = turnBetween(grid, layouts.canonical);
  const found = differences(turned(grid, turn), layouts.canonical);
  if (found.length === 0) return turn;
  if (isNearest) return { from: grid, to: layouts.canonical };
  throw new Error(`the mask is on another grid than the scan: ${found.join("; ")}. Save it on the scan's grid, or take the nearest voxels`);
}

function placedByLayout(mask, layouts, layout) {
  const { shape } = mask;
  const fits = (name) => listed(layouts[name].shape) === listed(shape);
  if (layout && fits(layout)) return turnBetween(layouts[layout], layouts.canonical);
  const shapes = Object.keys(LAYOUTS).map((name) => `${listed(layouts[name].shape)} for layout=${name}`);
  throw new Error(`the array has shape ${listed(shape)}, expected ${shapes.join(", ")}; transpose or resample the array to one of these`);
}

/** How two grids differ, in words; nothing when their voxels coincide to within half a voxel. */
function differences(found, expected) {
  const isSameShape = listed(found.shape) === listed(expected.shape);
  const offset = largestOffset(found, expected);
  if (isSameShape && offset <= Math.min(...expected.steps.map(length)) / 2) return [];
  const parts = [];
  if (!isSameShape) parts.push(`it has ${listed(found.shape)} slices, rows, columns and the scan ${listed(expected.shape)}`);
  const spacing = (grid) => grid.steps.map((step) => length(step).toFixed(4)).join(" × ");
  if (AXES.some((n) => Math.abs(length(found.steps[n]) - length(expected.steps[n])) > SPACING_TOLERANCE_MM)) {
    parts.push(`its voxels are ${spacing(found)} mm apart and the scan's ${spacing(expected)}`);
  }
  const cosines = AXES.map((n) => dot(direction(found.steps[n]), direction(expected.steps[n])));
  const angle = Math.max(...cosines.map((cosine) => (Math.acos(Math.min(1, Math.max(-1, cosine))) * 180) / Math.PI));
  if (angle > ANGLE_TOLERANCE_DEGREES) parts.push(`its axes are turned by up to ${angle.toFixed(2)}°`);
  const away = length(AXES.map((world) => found.origin[world] - expected.origin[world]));
  if (away > ORIGIN_TOLERANCE_MM) parts.push(`its first voxel lies ${away.toFixed(3)} mm from the scan's`);
  if (isSameShape) parts.push(`corresponding voxels lie up to ${offset.toFixed(3)} mm apart`);
  return parts;
}

/** The distance of corresponding corners, where it is largest. */
function largestOffset(a, b) {
  const place = (grid, corner) => AXES.map((world) => AXES.reduce((sum, n) => sum + grid.steps[n][world] * (corner & (1 << n) ? a.shape[n] - 1 : 0), grid.origin[world]));
  const corners = Array.from({ length: 8 }, (_, corner) => corner);
  return Math.max(...corners.map((corner) => length(place(a, corner).map((part, n) => part - place(b, corner)[n]))));
}

/** Labels in canonical order. `pause()` is awaited now and then. */
export const applied = (labels, mask, placement, pause) => (placement.from ? nearest(labels, mask, placement, pause) : permuted(labels, mask, placement, pause));

/** Steps in memory along the file's axes: those after an axis, or before it where the first is the fastest. */
function stridesOf(mask) {
  const inMemory = (axis) => (mask.isFortran ? axis : 2 - axis);
  return AXES.map((axis) => AXES.reduce((product, other) => (inMemory(other) < inMemory(axis) ? product * mask.shape[other] : product), 1));
}

/** For each voxel of a grid the label of the nearest voxel of the mask's, 0 outside of it. */
async function nearest(labels, mask, { from, to }, pause) {
  const strides = stridesOf(mask);
  const affine = AXES.map((world) => [...from.steps.map((step) => step[world]), from.origin[world]]);
  // The index in the mask is linear in the index in the scan: its value at the origin, and a step for each axis.
  const first = toVoxel(affine, to.origin);
  const steps = to.steps.map((step) => toVoxel(affine, to.origin.map((at, world) => at + step[world])).map((at, n) => at - first[n]));
  const [slices, rows, columns] = to.shape;
  const out = new Uint8Array(slices * rows * columns);
  let at = 0;
  for (let s = 0; s < slices; s += 1) {
    await pause();
    for (let r = 0; r < rows; r += 1) {
      for (let c = 0; c < columns; c += 1, at += 1) {
        let place = 0;
        for (let n = 0; n < 3; n += 1) {
          // Halves go up, as on the server.
          const index = Math.floor(first[n] + steps[0][n] * s + steps[1][n] * r + steps[2][n] * c + 0.5);
          place = index >= 0 && index < mask.shape[n] ? place + index * strides[n] : NaN;
        }
        if (place >= 0) out[at] = labels[place];
      }
    }
  }
  return out;
}

/** Axes permuted and flipped. */
async function permuted(labels, mask, { sourceAxis, flipped }, pause) {
  const strides = stridesOf(mask);
  const along = sourceAxis.map((axis, t) => {
    const [count, stride] = [mask.shape[axis], strides[axis]];
    return flipped[t] ? { count, first: (count - 1) * stride, stride: -stride } : { count, first: 0, stride };
  });
  const [slices, rows, columns] = along;
  const out = new Uint8Array(labels.length);
  let at = 0;
  for (let s = 0; s < slices.count; s += 1) {
    await pause();
    for (let r = 0; r < rows.count; r += 1) {
      let from = slices.first + s * slices.stride + rows.first + r * rows.stride + columns.first;
      for (let c = 0; c < columns.count; c += 1, from += columns.stride) out[at++] = labels[from];
    }
  }
  return out;
}
