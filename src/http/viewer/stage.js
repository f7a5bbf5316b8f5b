// The images in the middle: which slices of which scans, at which place and scale, and what gestures change.

import { byId, rounded, write } from "./dom.js";
import { across, fitOf, middleOf, toPatient, toVoxel } from "./geometry.js";
import { listen } from "./gestures.js";
import { resultOf, withLine } from "./measures.js";
import { coloursBy } from "./overlay.js";
import { Pane } from "./pane.js";
import { Cuts, PLANES, PlaneVolume, seenIn, thicknessOf, whyNoPlanes } from "./planes.js";
import { Slices } from "./slices.js";
import { MAX_ZOOM, MIN_ZOOM, between } from "./state.js";
import { startBackground } from "./transfers.js";
import { boundsOf, dragged, windowOf } from "./window.js";

const AHEAD = 3;
const OTHER_PLANES = ["axial", "coronal"];
/** Which way an arrow key moves: down and across in a plane. */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export class Stage {
  #panes = new Map(); // scan id, and plane but the sagittal one → Pane
  #volume = new PlaneVolume(() => this.redraw());
  #imageCuts = new Cuts();
  #maskCuts = new Cuts();
  #slices = new Slices(() => this.redraw());
  #pointer = null; // {pane, point}: where the pointer is
  #cursor = null; // {scan, at}: the same in the patient, for the other scans
  #atWindowDrag = null;
  #atMeasure = null; // the measures before a drag
  #direction = 1;
  #isDue = false;
  #coloursOf = null;
  #coloursNow = null;

  /** `session` has the scans that are shown, `second` a mask over one of them; `onDrawn()` is called after drawing. */
  constructor(store, session, second, onDrawn) {
    Object.assign(this, { store, session, second, onDrawn });
    this.resizes = new ResizeObserver(() => this.#measureAgain());
  }

  /** The panes have another size than before. */
  #measureAgain() {
    for (const pane of this.#panes.values()) pane.forgetSize();
    this.redraw();
  }

  /** Draws at the next opportunity. */
  redraw() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  retry() {
    this.#slices.retry();
    this.redraw();
  }

  /** The stored values and mask of the slice that is looked at. */
  get entry() {
    const { scan } = this.session;
    return scan?.shape ? this.#slices.get(scan, this.store.now.slice) : {};
  }

  /** Black and white of the scan that is looked at. */
  get bounds() {
    const { scan } = this.session;
    return scan?.intensity ? boundsOf(windowOf(this.store.now, scan), scan, () => this.redraw()) : null;
  }

  /** The canvases from left to right. */
  get canvases() {
    return [...this.#panes.values()].map((pane) => pane.canvas);
  }

  /** What the picture shows, in a line. */
  get caption() {
    return [...this.#panes.values()].map((pane) => pane.caption).join("   ");
  }

  step(by) {
    const { scan } = this.session;
    if (scan?.shape) this.goTo(this.store.now.slice + by);
  }

  goTo(slice) {
    const { scan } = this.session;
    const next = between(slice, 0, scan.shape[0] - 1);
    if (next === this.store.now.slice) return;
    this.#direction = Math.sign(next - this.store.now.slice);
    this.store.set({ slice: next });
  }

  /** Zooms; what is under `point` of a pane, or else in the middle, stays where it is. */
  zoom(factor, point = null, pane = this.#panes.get(this.session.scan?.scan_id)) {
    if (!pane?.view) return;
    const zoom = between(this.store.now.zoom * factor, MIN_ZOOM, MAX_ZOOM);
    const share = this.store.now.zoom / zoom;
    const fixed = this.#inScan(pane, point ? pane.voxelAt(point) : pane.view.centre, this.#centre);
    this.#setCentre(this.#centre.map((at, n) => fixed[n] + (at - fixed[n]) * share), { zoom });
  }

  reset() {
    this.store.set({ zoom: 1, centre: null, lateral: null });
  }

  /** Slice, row and column in the middle of the panes. */
  get #centre() {
    const { centre, lateral } = this.store.now;
    const { scan } = this.session;
    return [lateral ?? (scan.shape[0] - 1) / 2, ...(centre ?? middleOf(scan))];
  }

  #setCentre(centre, patch = {}) {
    const [slice, ...place] = centre;
    const isMoved = slice !== (this.session.scan.shape[0] - 1) / 2;
    this.store.set({ ...patch, centre: place, lateral: this.store.now.planes && isMoved ? slice : null });
  }

  /** Slice, row and column where the planes meet. */
  get #cross() {
    const { scan } = this.session;
    return [this.store.now.slice, ...(this.store.now.cross ?? middleOf(scan).map(Math.round))];
  }

  #setCross(voxel) {
    const { shape } = this.session.scan;
    const [slice, ...cross] = voxel.map((at, n) => between(Math.round(at), 0, shape[n] - 1));
    const before = this.#cross;
    if ([slice, ...cross].some((at, n) => at !== before[n])) this.store.set({ slice, cross });
  }

  /** (slice, row, column) of a place of a pane; its depth as in `voxel`. */
  #inScan(pane, [row, column], voxel) {
    const found = [...voxel];
    const [, down, across] = PLANES[pane.plane].axes;
    [found[down], found[across]] = [row, column];
    return found;
  }

  /** The part of the state with which the planes meet in the middle of a structure. */
  crossAt({ centroid }) {
    return this.store.now.planes && centroid ? { cross: centroid.slice(1).map(Math.round) } : {};
  }

  /** The part of the state with which a structure is wholly in the picture; nothing where it is already. */
  broughtIntoView({ rows, columns }) {
    const pane = this.#panes.get(this.session.scan.scan_id);
    if (!pane?.view) return {};
    const [[left, top], [right, bottom]] = [pane.pointOf([rows[0], columns[0]]), pane.pointOf([rows[1], columns[1]])];
    const [width, height] = pane.size;
    if (left >= 0 && top >= 0 && right <= width && bottom <= height) return {};
    return { centre: [(rows[0] + rows[1]) / 2, (columns[0] + columns[1]) / 2] };
  }

  #draw() {
    const { scan } = this.session;
    const { slice, linked, planes } = this.store.now;
    // Nothing of another scan stays while one is loading.
    if (!scan?.shape || slice === null) return this.#arrange([]);
    const shown = linked ? this.session.series : [scan];
    const others = planes && !whyNoPlanes(scan) ? OTHER_PLANES : [];
    this.#arrange([...shown.map((one) => [one.scan_id, "sagittal"]), ...others.map((plane) => [`${scan.scan_id} ${plane}`, plane])]);
    byId("views").classList.toggle("planes", others.length > 0);
    const views = shown.map((one) => this.#viewOf(one));
    this.#fetch(views);
    const fits = views.map((view) => fitOf(view.scan, this.#panes.get(view.scan.scan_id).size));
    const scale = Math.min(...fits) * this.store.now.zoom;
    for (const view of views) {
      const entry = this.#slices.get(view.scan, view.slice);
      const isActive = view.scan === scan;
      if (isActive && ((entry.image && entry.mask) || entry.problem)) startBackground();
      const pane = this.#panes.get(view.scan.scan_id);
      pane.element.classList.toggle("active", isActive && views.length > 1);
      const cross = others.length > 0 && this.#cross.slice(1);
      pane.draw({ ...view, ...this.#looks(view.scan, "sagittal", view.slice), entry, scale, isActive, cross, cursor: this.#cursorIn(view.scan) });
    }
    if (others.length > 0) this.#drawPlanes(scan, others);
    this.#namePointed();
    this.onDrawn();
  }

  /** What a pane needs to know of a scan at a depth of a plane, besides the voxels. */
  #looks(scan, plane, depth) {
    const { now } = this.store;
    const bounds = boundsOf(windowOf(now, scan), scan, () => this.redraw());
    return { second: this.second.over(scan, plane, depth, now.hidden), bounds, ...this.#colours(), state: now };
  }

  /** The axial and the coronal plane where the crosshair is. */
  #drawPlanes(scan, planes) {
    const { entry } = this;
    const { volume, note, ask } = this.#volume.of(scan, Boolean((entry.image && entry.mask) || entry.problem));
    for (const plane of planes) {
      const pane = this.#panes.get(`${scan.scan_id} ${plane}`);
      const [depth, row, column] = PLANES[plane].axes.map((axis) => this.#cross[axis]);
      const [, ...centre] = PLANES[plane].axes.map((axis) => this.#centre[axis]);
      const seen = seenIn(plane, scan);
      const cut = volume ? { image: this.#imageCuts.of(volume.image, plane, depth), mask: this.#maskCuts.of(volume.mask, plane, depth) } : {};
      const scale = fitOf(seen, pane.size) * this.store.now.zoom;
      pane.draw({ scan: seen, slice: depth, centre, ...this.#looks(scan, plane, depth), entry: cut, scale, cross: [row, column], note, ask, thickness: thicknessOf(scan) });
    }
  }

  /** One pane for each `[key, plane]`, in their order. */
  #arrange(shown) {
    const keys = shown.map(([key]) => key);
    if ([...this.#panes.keys()].join() === keys.join()) return;
    const known = this.#panes;
    this.#panes = new Map(shown.map(([key, plane]) => [key, known.get(key) ?? this.#newPane(key, plane)]));
    const focused = document.activeElement;
    byId("views").replaceChildren(...[...this.#panes.values()].map((pane) => pane.element));
    this.resizes.disconnect();
    for (const pane of this.#panes.values()) {
      pane.forgetSize();
      this.resizes.observe(pane.canvas);
    }
    // Moving an element takes the focus from it.
    if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  }

  /** Where a scan is looked at: the same place in the patient as in the scan that is looked at. */
  #viewOf(scan) {
    const { slice, centre } = this.store.now;
    const main = this.session.scan;
    const middle = centre ?? middleOf(main);
    if (scan === main) return { scan, slice, centre: middle, isOutside: false };
    const [at, ...place] = across(main, scan, [slice, ...middle]);
    const nearest = between(Math.round(at), 0, scan.shape[0] - 1);
    return { scan, slice: nearest, centre: place, isOutside: Math.abs(at - nearest) > 1 };
  }

  /** What is shown first, then what is likely to be shown next. */
  #fetch(views) {
    const place = (scan, slice) => ({ scan, slice, window: windowOf(this.store.now, scan) });
    const wanted = views.map(({ scan, slice }) => ({ ...place(scan, slice), isShown: true, isNew: !this.#panes.get(scan.scan_id).view }));
    const steps = Array.from({ length: AHEAD }, (_, n) => (n + 1) * this.#direction).concat(-this.#direction);
    for (const step of steps) {
      for (const { scan, slice } of views) {
        const next = slice + step;
        if (next >= 0 && next < scan.shape[0]) wanted.push(place(scan, next));
      }
    }
    this.#slices.want(wanted);
  }

  /** The same object while nothing about the colours changes. */
  #colours() {
    const { hidden, alpha } = this.store.now;
    const shown = `${hidden} ${alpha}`;
    if (this.#coloursOf !== shown) {
      this.#coloursOf = shown;
      // The fluid in the canal is bright on T2 and is looked at: the canal's colour is fainter, unless all is opaque.
      this.#coloursNow = coloursBy((label) => this.session.labelOf(label), hidden, { canal: alpha });
    }
    return this.#coloursNow;
  }

  #newPane(id, plane) {
    const pane = new Pane(this.store, plane, () => this.#volume.permit());
    const isOther = plane !== "sagittal";
    const active = () => isOther || this.store.now.scan === id;
    listen(pane.canvas, {
      begin: () => {
        if (!active() && pane.view) this.#look(pane.view);
        this.#atMeasure = this.store.now.measures;
        this.#atWindowDrag = pane.view && { scan: pane.view.scan, bounds: pane.view.bounds };
      },
      step: (by) => this.#stepIn(pane, by),
      zoom: (factor, point) => this.zoom(factor, point, isOther ? pane : undefined),
      pan: (right, down) => this.#pan(pane, right, down),
      window: (right, down) => this.#window(right, down),
      measure: (from, to, isDone) => this.#measure(pane, from, to, isDone),
      cross: (point) => pane.view && this.#setCross(this.#inScan(pane, pane.voxelAt(point), this.#cross)),
      hover: (point) => this.#hover(pane, point),
      click: (point) => this.#click(pane, point),
      reset: () => this.reset(),
      tool: () => this.#toolIn(plane),
      isZoomed: () => this.store.now.zoom > 1,
    });
    if (isOther) pane.canvas.addEventListener("keydown", (event) => this.#onPlaneKey(pane, event));
    return pane;
  }

  /** What dragging does in a plane: rulers and angles are for slices. */
  #toolIn(plane) {
    const { tool, planes } = this.store.now;
    const isFree = tool === "move" || (plane !== "sagittal" && tool !== "window");
    return planes && isFree ? "cross" : tool;
  }

  /** Moves through the depth of a pane's plane. */
  #stepIn(pane, by) {
    if (pane.plane === "sagittal") return this.step(by);
    const [depth] = PLANES[pane.plane].axes;
    this.#setCross(this.#cross.map((at, axis) => (axis === depth ? at + by : at)));
  }

  /** Arrow keys move the crosshair in another plane, page keys the plane itself. */
  #onPlaneKey(pane, event) {
    if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
    const [depth, arrow] = [{ PageUp: -1, PageDown: 1 }[event.key], ARROWS[event.key]];
    if (!depth && !arrow) return;
    event.preventDefault();
    event.stopPropagation();
    if (depth) return this.#stepIn(pane, depth);
    const cross = this.#cross;
    const [, down, across] = PLANES[pane.plane].axes;
    cross[down] += arrow[0];
    cross[across] += arrow[1];
    this.#setCross(cross);
  }

  /** Makes the scan of a view the one that is looked at, at the place that it shows. */
  #look({ scan, slice, centre }) {
    this.store.set({ scan: scan.scan_id, slice, centre: this.store.now.centre && centre, measures: [] }, { push: true });
  }

  #pan(pane, right, down) {
    const { scale, scan } = pane.view; // The centre is the state's: several steps may come between two frames.
    const [, vertical, horizontal] = PLANES[pane.plane].axes;
    const centre = this.#centre;
    centre[vertical] -= down / (scan.spacing_mm[1] * scale);
    centre[horizontal] -= right / (scan.spacing_mm[2] * scale);
    this.#setCentre(centre.map((at, n) => between(at, 0, this.session.scan.shape[n] - 1)));
  }

  #window(right, down) {
    const { scan, bounds } = this.#atWindowDrag ?? {};
    if (!bounds) return;
    this.store.set({ windows: { ...this.store.now.windows, [scan.scan_type]: dragged(bounds, scan, right, down) } });
  }

  #measure(pane, from, to, isDone) {
    const { slice, tool } = this.store.now;
    const line = [...pane.voxelAt(from), ...pane.voxelAt(to)];
    this.store.set({ measures: withLine(this.#atMeasure, tool, slice, line) }, { push: isDone });
  }

  /** Adds a measure of the tool in the middle of the picture, whose ends the keyboard moves. */
  addMeasure() {
    const { slice, tool, measures } = this.store.now;
    const pane = this.#panes.get(this.session.scan?.scan_id);
    if (!pane?.view || !["ruler", "angle"].includes(tool)) return;
    const [width, height] = pane.size;
    const at = (right, down) => pane.voxelAt([width / 2 + right, height / 2 + down]);
    const lines = tool === "ruler" ? [[-60, 0], [60, 0]] : [[-60, -40], [60, -40], [-60, 40], [60, 40]];
    this.store.set({ measures: [...measures, { kind: tool, slice, points: lines.flatMap((point) => at(...point)) }] }, { push: true });
    this.#draw();
    pane.handles.focusLast();
  }

  /** Moves the picture by pixels of the page. */
  pan(right, down) {
    const pane = this.#panes.get(this.session.scan?.scan_id);
    if (pane?.view) this.#pan(pane, right, down);
  }

  #click(pane, point) {
    const label = pane.probe(pane.voxelAt(point))?.label;
    if (this.session.labelOf(label)?.group === "discs") this.store.set({ disc: label });
  }

  #hover(pane, point) {
    this.#pointer?.pane.name(null);
    this.#pointer = point && pane.view ? { pane, point } : null;
    const hadCursor = this.#cursor !== null;
    this.#cursor = this.#pointer && this.store.now.linked && pane.plane === "sagittal" ? cursorAt(pane, point) : null;
    if (hadCursor || this.#cursor) this.redraw();
    this.#namePointed();
  }

  /** Names what is under the pointer, which may have changed under it. */
  #namePointed() {
    const { pane, point } = this.#pointer ?? {};
    const found = pane && pane.probe(pane.voxelAt(point));
    const parts = [...this.#results(), found && readoutOf(found, this.#inScan(pane, [found.row, found.column], this.#cross), pane, this.session)];
    write(byId("readout"), parts.filter(Boolean).join(" · "));
    if (!pane) return;
    const isNamed = found?.label > 0 && this.store.now.overlay;
    pane.name(isNamed ? point : null, isNamed && this.session.nameOf(found.label), isNamed && this.session.labelOf(found.label).colour);
  }

  #results() {
    const { scan } = this.session;
    const here = scan?.shape ? this.store.now.measures.filter(({ slice }) => slice === this.store.now.slice) : [];
    return here.map((measure) => `${measure.kind} ${resultOf(scan, measure)}`);
  }

  #cursorIn(scan) {
    if (!this.#cursor || this.#cursor.scan === scan) return null;
    return toVoxel(scan.geometry.affine_lps, this.#cursor.at).slice(1);
  }
}

function cursorAt(pane, point) {
  const { scan, slice } = pane.view;
  return { scan, at: toPatient(scan.geometry.affine_lps, [slice, ...pane.voxelAt(point)]) };
}

function readoutOf({ value, label, predicted }, [slice, row, column], { plane, view: { scan } }, session) {
  const parts = [`${plane === "sagittal" ? "" : `slice ${slice}, `}row ${row}, column ${column}`];
  if (value !== undefined) parts.push(`value ${rounded(value, 3)}`);
  if (label) parts.push(session.nameOf(label));
  if (predicted !== undefined) parts.push(`second mask ${predicted || "–"}`);
  return `${scan.scan_id} · ${parts.join(" · ")}`;
}
