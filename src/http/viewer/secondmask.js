// A mask from a local file over a scan. It is read, brought into the scan's grid and compared here, in the page. It belongs to
// the scan that was shown when it was opened, and is never shown over another.

import { ApiError, postJson, scanPath, withQuery } from "./api.js";
import { openMask, readLabels } from "./maskfile.js";
import { countPairs, differenceColours, matched, matchedByClass } from "./overlap.js";
import { Cuts } from "./planes.js";
import { applied, fittingLayouts, placed } from "./placement.js";
import { loadMask, megabytesOf } from "./volume.js";

/** How it is shown. */
export const VIEWS = { outline: "Outline", difference: "Difference", off: "Off" };

/** Classes in the order of the values of semantic masks. Partly visible vertebrae are vertebrae. */
const CLASSES = { semantic: ["vertebrae", "canal", "discs"], semantic_vdc: ["vertebrae", "discs", "canal"] };
const PAUSE_MS = 40;

export class SecondMask {
  view = "outline";
  #held = null;
  #cuts = new Cuts();
  #colours = null;

  /** `onChange()` is called when something about it changed. What its values mean, and whether it is resampled, is in the state
   * of `store`. */
  constructor(store, session, onChange) {
    Object.assign(this, { store, session, onChange });
    store.listen((now, before) => {
      if (now.map !== before.map || now.resample !== before.resample) this.#placeAgain();
    });
  }

  /** `{file, scan, layout, layouts, values, overlap, scores, status, problem, scoreProblem, isScoring}`: what is open, over
   * whichever scan; null when nothing is. */
  get held() {
    return this.#held;
  }

  /** Whether what is open belongs to the scan that is named. */
  get isHere() {
    return Boolean(this.#held && this.session.scan && isSame(this.#held.scan, this.session.scan));
  }

  /** Opens a file over the scan that is named, instead of the one that is open. */
  async open(file) {
    const { scan } = this.session;
    if (!scan?.shape) return;
    this.remove();
    const held = (this.#held = { file, scan, controller: new AbortController(), status: `Reading ${file.name} …` });
    this.onChange();
    await this.#attempt(held, async () => {
      held.mask = await openMask(file);
      held.layouts = held.mask.isArray ? fittingLayouts(held.mask, scan) : [];
      held.layout = held.layouts[0] ?? null;
      await this.#place(held);
    });
  }

  /** Reads the axes of an array in another way. */
  async choose(layout) {
    const held = this.#held;
    if (!held?.labels || layout === held.layout) return;
    held.layout = layout;
    await this.#placeAgain();
  }

  /** Reads what is open in another way. */
  async #placeAgain() {
    const held = this.#held;
    if (!held?.mask) return;
    held.controller.abort();
    Object.assign(held, { controller: new AbortController(), labels: null, overlap: null, problem: null, status: `Reading ${held.file.name} …` });
    this.#forgetScores(held);
    this.onChange();
    await this.#attempt(held, () => this.#place(held));
  }

  show(view) {
    this.view = view;
    this.onChange();
  }

  /** Closes it; nothing of it stays. */
  remove() {
    this.#held?.controller.abort();
    this.#held = null;
    this.#cuts.clear();
    this.#colours = null;
    this.onChange();
  }

  /** Sends the file to the server and keeps the scores that it responds with. */
  async score() {
    const held = this.#held;
    if (!held?.labels || held.isScoring) return;
    this.#forgetScores(held);
    const { signal } = held.scoring;
    held.isScoring = true;
    this.onChange();
    const path = evaluationPath(held.scan, held, this.store.now);
    try {
      held.scores = await postJson(path, held.file, signal);
    } catch (problem) {
      if (signal.aborted) return;
      held.scoreProblem = problem instanceof ApiError ? problem.message : "it cannot be reached, or refused the file before all of it was sent.";
    }
    held.isScoring = false;
    this.onChange();
  }

  /** What is shown of it over a scan, at a depth of a plane: `{mask, values, view, colours, name}`; null when nothing is. */
  over(scan, plane, depth, hidden) {
    const held = this.#held;
    if (!held?.labels || this.view === "off" || !isSame(held.scan, scan)) return null;
    if (this.view === "difference" && !held.overlap) return null;
    const mask = this.#cuts.of({ data: held.labels, shape: held.scan.shape }, plane, depth);
    return { mask, values: held.values, view: this.view, colours: this.#coloursOf(held, hidden), name: held.file.name };
  }

  #coloursOf({ overlap }, hidden) {
    if (this.view !== "difference") return null;
    if (this.#colours?.overlap !== overlap || this.#colours.hidden !== hidden) {
      const isHidden = (label) => hidden.includes(label) || hidden.includes(this.session.labelOf(label).group);
      this.#colours = { overlap, hidden, table: differenceColours(overlap, isHidden) };
    }
    return this.#colours.table;
  }

  async #place(held) {
    const { mask, scan, controller: { signal } } = held;
    const { map, resample } = this.store.now;
    const turn = placed(mask, scan, held.layout, resample === "nearest");
    const say = (what) => this.#say(held, what);
    held.read ??= await readLabels(mask, signal, (share) => say(`Reading ${held.file.name}: ${Math.floor(100 * share)} %`));
    const { labels, values } = held.read;
    const inGrid = await applied(labels, mask, turn, pausing(signal));
    this.#cuts.clear();
    Object.assign(held, { labels: inGrid, values });
    say(`Loading the mask of ${scan.scan_id}, ${megabytesOf(scan, "mask")} MB, to compare with`);
    const truth = await loadMask(scan, (received, total) => say(`Loading the mask of ${scan.scan_id}, ${megabytesOf(scan, "mask")} MB, to compare with: ${Math.floor((100 * received) / total)} %`));
    signal.throwIfAborted();
    const counts = countPairs(truth.data, inGrid);
    held.overlap = map === "native" ? matched(counts, values) : matchedByClass(counts, values, CLASSES[map], (label) => this.#classOf(label));
    say("");
  }

  #classOf(label) {
    const { group } = this.session.labelOf(label);
    return group === "partial" ? "vertebrae" : group;
  }

  #say(held, status) {
    if (this.#held !== held || held.status === status) return;
    held.status = status;
    this.onChange();
  }

  async #attempt(held, work) {
    const { signal } = held.controller;
    try {
      await work();
    } catch (problem) {
      if (signal.aborted) return;
      held.problem = problem.message;
      this.#say(held, "");
      this.onChange();
    }
  }

  #forgetScores(held) {
    held.scoring?.abort();
    held.scoring = new AbortController();
    held.controller.signal.addEventListener("abort", () => held.scoring.abort());
    Object.assign(held, { scores: null, scoreProblem: null, isScoring: false });
  }
}

/** Where a mask is scored, read as the state says. */
export function evaluationPath(scan, held, { map, resample }) {
  const { layout, mask } = held ?? {};
  const query = { layout, map: map === "native" ? null : map, resample: resample === "none" || mask?.isArray ? null : resample };
  return withQuery(`${scanPath(scan.scan_id)}/evaluation`, query);
}

/** One scan with one content. */
const isSame = (a, b) => a.scan_id === b.scan_id && a.files?.revision === b.files?.revision;

/** A function that lets the page answer to the user now and then. */
function pausing(signal) {
  let last = performance.now();
  return async () => {
    signal.throwIfAborted();
    if (performance.now() - last < PAUSE_MS) return;
    await new Promise((resolve) => setTimeout(resolve));
    last = performance.now();
  };
}
