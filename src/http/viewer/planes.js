// A scan seen along its other axes: axial and coronal planes, reformatted from the volume that is loaded once. Nothing is
// interpolated; a pixel is a voxel.

import { rounded } from "./dom.js";
import { loadVolume, megabytesOf } from "./volume.js";

/** Which axes of the scan (0 slices, 1 rows, 2 columns) are depth, rows and columns of a plane, and the name of its depth. */
export const PLANES = {
  sagittal: { axes: [0, 1, 2], depth: "slice" },
  axial: { axes: [1, 2, 0], depth: "row" },
  coronal: { axes: [2, 1, 0], depth: "column" },
};

const LEAST_SLICES = 5;
/** What is larger is loaded only on request. */
const MOST_UNASKED_MB = 100;

/** Why a scan has no other planes; null when it has. */
export function whyNoPlanes(scan) {
  if (!scan?.shape) return "No scan is open";
  return scan.shape[0] < LEAST_SLICES ? `This scan has ${scan.shape[0]} slices, too few for other planes` : null;
}

/** A scan as it is seen in a plane: its depth, rows and columns. */
export function seenIn(plane, scan) {
  const { axes } = PLANES[plane];
  return { ...scan, plane, shape: axes.map((axis) => scan.shape[axis]), spacing_mm: axes.map((axis) => scan.spacing_mm[axis]) };
}

/** How far a pixel of the other planes reaches: lines such as "slices 4.4 mm apart" and "3.5 mm thick". */
export function thicknessOf({ spacing_mm: [apart], metadata }) {
  const thick = metadata?.slice_thickness;
  return [`slices ${rounded(apart, 1)} mm apart`, thick ? `${rounded(thick, 1)} mm thick` : null].filter(Boolean);
}

/** Cuts through volumes; the same object while the same cut is wanted. */
export class Cuts {
  #last = new Map(); // plane → {data, depth, cut}

  /** `{data, shape}` of a volume `{data, shape}` at a depth of a plane. */
  of(volume, plane, depth) {
    const last = this.#last.get(plane);
    if (last?.data === volume.data && last.depth === depth) return last.cut;
    const cut = cutThrough(volume, plane, depth);
    this.#last.set(plane, { data: volume.data, depth, cut });
    return cut;
  }

  clear() {
    this.#last.clear();
  }
}

function cutThrough({ data, shape }, plane, depth) {
  const strides = [shape[1] * shape[2], shape[2], 1];
  const [through, down, across] = PLANES[plane].axes;
  const [rows, columns] = [shape[down], shape[across]];
  const start = depth * strides[through];
  if (plane === "sagittal") return { data: data.subarray(start, start + rows * columns), shape: [rows, columns] };
  const cut = new data.constructor(rows * columns);
  for (let row = 0, at = 0; row < rows; row += 1) {
    let from = start + row * strides[down];
    for (let column = 0; column < columns; column += 1, from += strides[across]) cut[at++] = data[from];
  }
  return { data: cut, shape: [rows, columns] };
}

/** The volume that other planes are cut from. */
export class PlaneVolume {
  #key = null;
  #volume = null;
  #problem = null;
  #progress = null;
  #isPermitted = false;

  /** `onChange()` is called when more has arrived. */
  constructor(onChange) {
    this.onChange = onChange;
  }

  /** `{volume, note, ask}` of a scan: the volume, or what to say instead; `ask` is what a button loads. Starts to load when
   * `mayStart`, which leaves the connection to the slice that is looked at. */
  of(scan, mayStart) {
    const key = `${scan.scan_id} ${scan.files.revision}`;
    if (this.#key !== key) this.#fresh(key);
    if (this.#volume) return { volume: this.#volume };
    if (this.#problem) return { note: `The volume cannot be loaded: ${this.#problem}`, ask: "Try again" };
    const size = megabytesOf(scan);
    if (!this.#progress && size > MOST_UNASKED_MB && !this.#isPermitted) return { note: "Other planes need the whole volume", ask: `Load ${size} MB` };
    if (!this.#progress && mayStart) this.#load(scan, key);
    return { note: `Loading ${size} MB${this.#progress ? `: ${this.#progress} %` : ""}` };
  }

  /** Loads, or tries again. */
  permit() {
    this.#isPermitted = true;
    this.#problem = null;
    this.onChange();
  }

  #fresh(key) {
    this.#key = key;
    this.#volume = this.#problem = this.#progress = null;
    this.#isPermitted = false;
  }

  #load(scan, key) {
    this.#progress = "0";
    const update = (patch) => {
      if (this.#key !== key) return;
      patch();
      this.onChange();
    };
    const onProgress = (received, total) => {
      const percent = String(Math.floor((100 * received) / total));
      if (percent !== this.#progress) update(() => (this.#progress = percent));
    };
    loadVolume(scan, onProgress).then(
      (volume) => update(() => (this.#volume = volume)),
      (problem) => update(() => this.#failed(problem)),
    );
  }

  #failed(problem) {
    this.#progress = null;
    this.#problem = problem.message;
  }
}
