// What is shown, and the page's URL: each is made from the other, so that every view can be shared.

import { parseMeasures, formatMeasures } from "./measures.js";

/** Filters by their names in /v1/scans. */
export const FILTERS = ["split", "scan_type", "sex", "age", "manufacturer", "pfirrmann", "patient_id", "scan_id"];
/** Classes of labels by their names in `labels=` of overlays. */
export const CLASSES = ["vertebrae", "discs", "canal", "partial"];
/** What dragging does. */
export const TOOLS = ["move", "window", "ruler", "angle"];
export const PANELS = ["scans", "stage", "details"];
/** Orders of the list by their names in `sort=` of /v1/scans. */
export const SORTS = ["", "age", "-age", "manufacturer", "-slices", "-magnetic_field_strength"];
/** What the values of a second mask mean, by their names in `map=` of evaluations. */
export const MAPS = ["native", "semantic", "semantic_vdc"];
/** What becomes of a second mask on another grid, by their names in `resample=` of evaluations. */
export const RESAMPLING = ["none", "nearest"];
const SCAN_TYPES = ["t1", "t2", "t2_SPACE"];

const INITIAL = Object.freeze({
  filters: {}, // name → the condition as /v1/scans takes it
  sort: "",
  scan: null,
  slice: null, // null until the scan is known
  disc: null, // label of the chosen disc
  overlay: true,
  alpha: 0.35,
  outline: true,
  hidden: [], // classes, and single labels
  window: "auto", // auto, full, pLO,HI
  windows: {}, // scan type → C,W, where one was dragged
  zoom: 1,
  centre: null, // row and column in the middle of the picture; null: of the scan
  linked: false,
  planes: false, // axial and coronal planes beside the sagittal one; not together with `linked`
  cross: null, // row and column where the planes meet; null: the middle of the scan
  lateral: null, // slice in the middle of the other planes; null: the middle of the scan
  tool: "move",
  map: "native", // of the second mask, like `resample`
  resample: "none",
  measures: [], // {kind, slice, points}, see measures.js
  panel: "stage", // the one that a small screen shows
  folded: [], // panels at the sides that a large screen does not show
});

/** The state that a URL's fragment describes. What cannot be read is left out. */
export function parse(fragment) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const among = (name, values, initial) => (values.includes(given.get(name)) ? given.get(name) : initial);
  const state = { ...INITIAL, filters: {}, windows: {} };
  for (const name of FILTERS) if (given.get(name)) state.filters[name] = given.get(name);
  state.sort = among("sort", SORTS, "");
  state.scan = given.get("scan");
  state.slice = whole(given.get("slice"));
  state.disc = whole(given.get("disc"));
  state.overlay = given.get("overlay") !== "0";
  state.outline = given.get("outline") !== "0";
  const alpha = numbers(given.get("alpha"), 1);
  if (alpha) state.alpha = between(alpha[0], 0, 1);
  state.hidden = list(given.get("hidden")).map((name) => whole(name) ?? name).filter((name) => CLASSES.includes(name) || name > 0);
  if (isPreset(given.get("window"))) state.window = given.get("window");
  for (const type of SCAN_TYPES) {
    const window = numbers(given.get(`window_${type}`), 2);
    if (window && window[1] > 1) state.windows[type] = window.join(",");
  }
  const zoom = numbers(given.get("zoom"), 1);
  if (zoom) state.zoom = between(zoom[0], MIN_ZOOM, MAX_ZOOM);
  state.centre = numbers(given.get("centre"), 2);
  state.linked = given.get("linked") === "1";
  state.planes = given.get("planes") === "1" && !state.linked;
  state.cross = numbers(given.get("cross"), 2);
  state.lateral = numbers(given.get("lateral"), 1)?.[0] ?? null;
  state.tool = among("tool", TOOLS, "move");
  state.map = among("map", MAPS, "native");
  state.resample = among("resample", RESAMPLING, "none");
  state.measures = parseMeasures(given.get("measures") ?? "");
  state.panel = among("panel", PANELS, "stage");
  state.folded = list(given.get("folded")).filter((name) => ["scans", "details"].includes(name));
  return state;
}

export const MIN_ZOOM = 0.5;
export const MAX_ZOOM = 20;

/** The fragment that describes a state. */
export function format(state) {
  const query = new URLSearchParams();
  const put = (name, value, isDefault) => isDefault || query.set(name, value);
  for (const name of FILTERS) put(name, state.filters[name], !state.filters[name]);
  put("sort", state.sort, state.sort === "");
  put("scan", state.scan, !state.scan);
  put("slice", state.slice, state.slice === null);
  put("disc", state.disc, state.disc === null);
  put("overlay", "0", state.overlay);
  put("outline", "0", state.outline);
  put("alpha", state.alpha, state.alpha === INITIAL.alpha);
  put("hidden", state.hidden.join(","), state.hidden.length === 0);
  put("window", state.window, state.window === INITIAL.window);
  for (const [type, window] of Object.entries(state.windows)) query.set(`window_${type}`, window);
  put("zoom", Number(state.zoom.toFixed(3)), state.zoom === 1);
  put("centre", state.centre?.map((n) => Number(n.toFixed(2))).join(","), !state.centre);
  put("linked", "1", !state.linked);
  put("planes", "1", !state.planes);
  put("cross", state.cross?.join(","), !state.planes || !state.cross);
  put("lateral", Number(state.lateral?.toFixed(2)), !state.planes || state.lateral === null);
  put("tool", state.tool, state.tool === "move");
  put("map", state.map, state.map === "native");
  put("resample", state.resample, state.resample === "none");
  put("measures", formatMeasures(state.measures), state.measures.length === 0);
  put("panel", state.panel, state.panel === "stage");
  put("folded", state.folded.join(","), state.folded.length === 0);
  return `#${query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%3B", ";")}`;
}

/** Holds the state and the URL together, and notifies listeners. */
export class Store {
  #listeners = [];
  #timer = null;

  constructor() {
    this.now = parse(location.hash);
    addEventListener("popstate", () => {
      clearTimeout(this.#timer);
      this.#timer = null;
      this.#become(parse(location.hash));
    });
  }

  /** `listener(now, before)` after every change. */
  listen(listener) {
    this.#listeners.push(listener);
  }

  /** Changes the state. A step that one would want to go back from is `push`ed; others replace the URL, and not at
   * every pixel of a drag, which browsers limit. */
  set(patch, { push = false } = {}) {
    const next = { ...this.now, ...patch };
    if (push && format(next) !== format(this.now)) {
      this.#write();
      history.pushState(null, "", format(next));
    } else {
      this.#timer ??= setTimeout(() => this.#write(), 200);
    }
    this.#become(next);
  }

  #write() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (location.hash !== format(this.now)) history.replaceState(null, "", format(this.now));
  }

  #become(next) {
    const before = this.now;
    this.now = next;
    for (const listener of this.#listeners) listener(next, before);
  }
}

/** Whether the service takes this as a window: auto, full, or two percentiles with at most one decimal. */
export function isPreset(text) {
  if (text === "auto" || text === "full") return true;
  const [, low, high] = /^p(\d+(?:\.\d)?),(\d+(?:\.\d)?)$/.exec(text ?? "") ?? [];
  return low !== undefined && Number(low) < Number(high) && Number(high) <= 100;
}

export const between = (value, low, high) => Math.min(high, Math.max(low, value));

const list = (text) => (text ?? "").split(",").filter((part) => part !== "");

function whole(text) {
  return /^\d{1,6}$/.test(text ?? "") ? Number(text) : null;
}

/** So many finite numbers, separated by commas. */
function numbers(text, count) {
  const found = (text ?? "").split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  return found.length === count && found.every(Number.isFinite) ? found : null;
}
