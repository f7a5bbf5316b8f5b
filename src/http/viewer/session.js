// What is known of the scan that the state names, and of the patient's other series.

import { getJson, scanPath } from "./api.js";
import { across, middleOf } from "./geometry.js";
import { between, parse } from "./state.js";
import { URGENCY, schedule, startBackground } from "./transfers.js";

const GROUPS = { vertebra: "vertebrae", disc: "discs", canal: "canal", partial_vertebra: "partial" };

export class Session {
  /** Everything about every scan of the patient. */
  series = [];
  /** Why the scan that the state names cannot be shown. */
  problem = null;
  #scan = null;
  #labels = new Map();
  #loading = null;

  /** `onChange()` is called when something was fetched, or could not be. */
  constructor(store, onChange) {
    this.store = store;
    this.onChange = onChange;
  }

  async loadLabels() {
    const { items } = await getJson("/v1/labels");
    for (const { label, class: kind, name, colour } of items) this.#labels.set(label, { name, colour, group: GROUPS[kind] });
  }

  /** Everything about the scan that the state names; null while it is being fetched, or when there is none. */
  get scan() {
    return this.#scan?.scan_id === this.store.now.scan ? this.#scan : null;
  }

  /** Whether the scan that the state names is on its way. */
  get isLoading() {
    return Boolean(this.store.now.scan) && !this.scan && !this.problem;
  }

  /** `{name, colour, group}`; a value outside the scheme says so. */
  labelOf(label) {
    return this.#labels.get(label) ?? { name: "outside the label scheme", colour: "#ff00ff", group: undefined };
  }

  /** "203 L3/L4, disc, Pfirrmann 4" */
  nameOf(label) {
    const { name, group } = this.labelOf(label);
    if (group !== "discs") return `${label} ${name}`;
    const grade = this.scan?.gradings.find((grading) => grading.label === label)?.pfirrmann;
    return `${label} ${name}, disc${grade === undefined || grade === null ? "" : `, Pfirrmann ${grade}`}`;
  }

  /** The state in which another patient's scan opens. */
  fresh() {
    const { filters, sort, overlay, alpha, outline, hidden, window, linked, planes, tool, map, resample, folded } = this.store.now;
    return { ...parse(""), filters, sort, overlay, alpha, outline, hidden, window, linked, planes, tool, map, resample, folded };
  }

  /** Looks at another scan. One of the same patient opens at the same place in the patient. */
  choose(id) {
    const { scan, series } = this;
    const other = series.find((one) => one.scan_id === id);
    if (id === scan?.scan_id && id === this.store.now.scan) return this.store.set({ panel: "stage" }, { push: true });
    if (!other || !scan?.shape) return this.store.set({ ...this.fresh(), scan: id }, { push: true });
    const { slice, centre, cross } = this.store.now;
    const [at, ...place] = across(scan, other, [slice, ...(centre ?? middleOf(scan))]);
    const nearest = between(Math.round(at), 0, other.shape[0] - 1);
    const [, ...met] = across(scan, other, [slice, ...(cross ?? middleOf(scan))]).map((n, axis) => between(Math.round(n), 0, other.shape[axis] - 1));
    this.store.set({ scan: id, slice: nearest, centre: centre && place, cross: cross && met, lateral: null, measures: [], panel: "stage" }, { push: true });
  }

  /** Fetches what the state needs and what is not here. */
  async load() {
    const id = this.store.now.scan;
    this.#loading?.abort();
    this.problem = null;
    if (!id) return this.onChange();
    const known = this.series.find((one) => one.scan_id === id);
    if (known) return this.#show(known);
    this.series = [];
    this.onChange();
    const { signal } = (this.#loading = new AbortController());
    try {
      const scan = await getJson(scanPath(id), signal);
      this.series = scan.shape ? [scan] : [];
      this.#show(scan);
      await this.#loadSeries(scan, signal);
    } catch (problem) {
      if (signal.aborted) return;
      this.#fail(problem);
    }
  }

  async #loadSeries(scan, signal) {
    const later = (path) => schedule({ urgency: URGENCY.details }, () => getJson(path, signal), signal);
    const { scans } = await later(`/v1/patients/${scan.patient_id}`);
    const others = scans.filter((one) => one.has_volume && one.scan_id !== scan.scan_id);
    const found = await Promise.all(others.map((one) => later(scanPath(one.scan_id))));
    if (!scan.shape || found.length === 0) return;
    this.series = [scan, ...found].sort((a, b) => a.scan_id.localeCompare(b.scan_id));
    this.onChange();
  }

  #fail(problem) {
    this.problem = problem;
    startBackground();
    this.onChange();
  }

  #show(scan) {
    this.#scan = scan;
    if (!scan.shape) return this.#fail(new Error(`The voxels of ${scan.scan_id} were not imported; only its metadata are here.`));
    const { slice } = this.store.now;
    const shown = between(slice ?? scan.geometry.mid_slice, 0, scan.shape[0] - 1);
    if (shown !== slice) this.store.set({ slice: shown });
    this.onChange();
  }
}
