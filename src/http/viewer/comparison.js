// The second mask in the details: opening and removing it, how it is shown, and its scores.

import { byId, make, replaceChildren } from "./dom.js";
import { MASK_FILES } from "./maskfile.js";
import { DIFFERENCES } from "./overlap.js";
import { LAYOUTS } from "./placement.js";
import { VIEWS } from "./secondmask.js";

const MAP_NAMES = { native: "each value one structure", semantic: "1 vertebra, 2 canal, 3 disc", semantic_vdc: "1 vertebra, 2 disc, 3 canal" };
const RESAMPLING_NAMES = { none: "refused", nearest: "nearest voxels" };
const GROUP_NAMES = { vertebrae: "Vertebrae", discs: "Discs", canal: "Canal", partial: "Partly visible" };
const CLASSES = { vertebra: "Vertebrae", disc: "Discs", canal: "Canal", partial_vertebra: "Partly visible" };
const GROUPS = { vertebra: "vertebrae", disc: "discs", canal: "canal" };
/** The page is being dragged over while such events come at least so often. */
const DRAG_MS = 600;

export class Comparison {
  #shown = "";

  constructor(store, session, second, actions) {
    Object.assign(this, { store, session, second, actions });
    // The extensions are no condition: what a file is, its content says.
    this.input = make("input", { type: "file", id: "mask-file", hidden: true, accept: ".gz,.nii,.mha,.npy" });
    this.input.addEventListener("change", () => this.#open([...this.input.files]));
    this.body = make("div", { className: "second-mask" });
    this.element = make("section", { id: "second-mask", tabIndex: -1 }, make("h2", { textContent: "Second mask" }), this.input, this.body);
    this.#listenForDrops();
  }

  /** Brings it up to date. */
  show() {
    const { scan } = this.session;
    const { held, view, isHere } = this.second;
    if (!scan?.shape) return;
    const contents = held && [held.file.name, held.scan.scan_id, held.status, held.problem, held.layout, held.isScoring, held.scoreProblem, Boolean(held.overlap), Boolean(held.scores)];
    const { map, resample } = this.store.now;
    const shown = JSON.stringify([scan.scan_id, scan.files.revision, contents, view, isHere, map, resample]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    if (!held) replaceChildren(this.body, ...this.#invitation(scan));
    else if (!isHere) replaceChildren(this.body, ...this.#elsewhere(held));
    else replaceChildren(this.body, ...this.#contents(held).filter(Boolean));
  }

  #invitation(scan) {
    const text = `Or drop a file onto the page: ${MASK_FILES}. It is read in this browser and not uploaded.`;
    return [make("p", {}, this.#button("Open a mask …", "open", () => this.input.click())), make("p", { className: "muted", textContent: this.store.now.resample === "none" ? `${text} It must be on the grid of ${scan.scan_id}.` : text })];
  }

  #elsewhere(held) {
    const isChanged = held.scan.scan_id === this.session.scan.scan_id;
    const text = isChanged
      ? `${held.file.name} was opened before ${held.scan.scan_id} changed on the server. Open it again.`
      : `${held.file.name} was opened over ${held.scan.scan_id} and is not shown over another scan.`;
    if (isChanged) return [make("p", { textContent: text }), make("p", { className: "buttons" }, this.#removal())];
    const back = this.#button(`Go to ${held.scan.scan_id}`, "back", () => this.session.choose(held.scan.scan_id));
    return [make("p", { textContent: text }), make("p", { className: "buttons" }, back, this.#removal())];
  }

  #contents(held) {
    const buttons = make("p", { className: "buttons" }, this.#removal(), this.#button("Open another …", "open", () => this.input.click()));
    const name = make("p", { className: "file" }, make("strong", { textContent: held.file.name }), ` over ${held.scan.scan_id}`);
    const status = make("p", { className: "muted", role: "status", textContent: held.status });
    const reading = held.mask ? this.#reading(held) : [];
    if (held.problem) return [name, make("p", { className: "problem", role: "alert", textContent: `This file cannot be shown: ${held.problem}.` }), ...reading, buttons];
    if (!held.labels) return [name, ...reading, status, buttons];
    return [name, otherName(held), this.#views(), this.#layouts(held), ...reading, held.status ? status : null, this.#legend(held), ...this.#scores(held), buttons];
  }

  #views() {
    const buttons = Object.entries(VIEWS).map(([view, text]) => {
      const button = this.#button(text, `view ${view}`, () => this.second.show(view));
      button.setAttribute("aria-pressed", String(this.second.view === view));
      return button;
    });
    return make("div", { className: "buttons", role: "group", "aria-label": "How the second mask is shown" }, ...buttons);
  }

  #layouts({ layouts, layout }) {
    if (layouts.length === 0) return null;
    const names = Object.fromEntries(layouts.map((name) => [name, LAYOUTS[name]]));
    return choice("layout", "Axes of the array", names, layout, (name) => this.second.choose(name));
  }

  /** How a file is read: what its values mean, and what becomes of another grid, which arrays have none of. */
  #reading(held) {
    const { map, resample } = this.store.now;
    const grid = choice("resample", "On another grid than the scan", RESAMPLING_NAMES, resample, (name) => this.store.set({ resample: name }));
    return [choice("map", "Values of the mask", MAP_NAMES, map, (name) => this.store.set({ map: name })), held.mask.isArray ? null : grid].filter(Boolean);
  }

  #legend({ file, scan }) {
    if (this.second.view === "off") return null;
    if (this.second.view === "outline") return make("p", { className: "muted", textContent: `White outlines: ${file.name}` });
    const names = { truth: `only in the mask of ${scan.scan_id}`, predicted: `only in ${file.name}`, both: "in both", other: "in both, as structures that are no match" };
    const item = ({ name, colour }) => {
      const swatch = make("i", { className: "swatch" });
      swatch.style.background = `rgb(${colour})`;
      return make("li", {}, swatch, names[name]);
    };
    return make("ul", { className: "differences" }, ...DIFFERENCES.map(item));
  }

  #scores(held) {
    if (!held.overlap) return [];
    const { scores } = held;
    const table = scores ? this.#scoredTable(scores) : this.#tableHere(held);
    const region = make("div", { className: "table-scroll", tabIndex: 0, role: "region", "aria-label": "Scores of the second mask" }, table);
    const hints = (scores?.hints ?? []).map((hint) => make("p", { className: "problem", role: "alert", textContent: hint }));
    return [...hints, region, this.#extraText(held), ...this.#scoring(held)].filter(Boolean);
  }

  /** Dice, computed in the page. */
  #tableHere({ overlap, values }) {
    const isNative = overlap.structures.every(({ group }) => !group);
    const rows = overlap.structures.map(({ label, group, dice, predicted }) => this.#row(label, group ? GROUP_NAMES[group].toLowerCase() : this.session.labelOf(label).name, [predicted === null ? "missed" : String(values[predicted]), dice.toFixed(3)], group));
    const ofClass = (group) => overlap.structures.filter(({ label }) => this.session.labelOf(label).group === group);
    const byClass = isNative ? Object.entries(GROUP_NAMES).map(([group, name]) => [name, ofClass(group)]) : [];
    const means = [...byClass, ["All", overlap.structures]];
    const meanRows = means.filter(([, all]) => all.length > 0).map(([name, all]) => meanRow(name, [share(all.filter(({ predicted }) => predicted !== null).length, all.length), mean(all.map(({ dice }) => dice)).toFixed(3)]));
    return tableOf(["Structure", "As", "Dice"], rows, meanRows);
  }

  /** What the server says. */
  #scoredTable({ structures, classes, overall }) {
    const numbers = ({ dice, iou, assd_mm, hd95_mm }) => [dice.toFixed(3), iou.toFixed(3), millimetres(assd_mm), millimetres(hd95_mm)];
    const nameOf = (one) => one.name ?? CLASSES[one.class]?.toLowerCase() ?? "";
    const isNative = this.store.now.map === "native";
    const rows = structures.map((one) => this.#row(one.label, nameOf(one), [String(one.predicted_label ?? "missed"), ...numbers(one)], isNative ? undefined : GROUPS[one.class]));
    const meanRows = (isNative ? classes : []).map((one) => meanRow(CLASSES[one.class] ?? one.class, [share(one.found, one.structures), ...numbers(one)]));
    if (overall) meanRows.push(meanRow("All", [share(overall.found, overall.structures), ...numbers(overall)]));
    return tableOf(["Structure", "As", "Dice", "IoU", "ASSD mm", "HD95 mm"], rows, meanRows);
  }

  /** A structure, or of a semantic mask a class, which leads to where most of its first structure is. */
  #row(label, name, cells, group) {
    const found = this.session.scan.labels?.find((one) => (group ? this.session.labelOf(one.label).group === group : one.label === label));
    const swatch = make("i", { className: "swatch" });
    swatch.style.background = this.session.labelOf(found?.label ?? label).colour;
    const button = make("button", { type: "button", textContent: `${label} ${name.replace("spinal ", "")}`, key: `score ${label}`, title: found ? `to slice ${found.best_slice}` : "" });
    button.addEventListener("click", () => found && this.actions.goToStructure(label, found.best_slice));
    return make("tr", {}, make("th", { scope: "row" }, swatch, button), ...cells.map((text) => make("td", { textContent: text })));
  }

  #extraText({ overlap, scores, values, scan }) {
    const voxel = scan.spacing_mm.reduce((a, b) => a * b, 1);
    const here = () => overlap.extra.map(({ number, voxels }) => ({ predicted_label: values[number], volume_mm3: voxels * voxel }));
    const extra = scores?.extra ?? here().sort((a, b) => a.predicted_label - b.predicted_label);
    if (extra.length === 0) return null;
    const list = extra.map(({ predicted_label, volume_mm3 }) => `${predicted_label} (${Math.round(volume_mm3)} mm³)`).join(", ");
    return make("p", { className: "muted", textContent: `Structures that match none of the scan's: ${list}` });
  }

  #scoring(held) {
    if (held.scores) return [make("p", { className: "muted", textContent: "Scored on this server. ASSD: average symmetric surface distance; HD95: 95th percentile of the surface distances. Means count missed structures as 0 in Dice and IoU." })];
    const size = held.file.size < 1e6 ? `${Math.ceil(held.file.size / 1e3)} kB` : `${(held.file.size / 1e6).toFixed(1)} MB`;
    const button = this.#button(held.isScoring ? "Scoring …" : "Score on this server", "score", () => this.second.score());
    button.id = "score-mask";
    button.setAttribute("aria-disabled", String(Boolean(held.isScoring)));
    const text = `Sends ${held.file.name} (${size}) to ${location.host}, which scores it and does not store it. Adds IoU and surface distances. Dice above was computed in this browser.`;
    const problem = held.scoreProblem ? make("p", { className: "problem", role: "alert", textContent: `The server did not score it: ${held.scoreProblem}` }) : null;
    return [make("p", {}, button), make("p", { className: "muted", textContent: text }), problem];
  }

  #button(text, key, action) {
    const button = make("button", { type: "button", textContent: text, key: `mask ${key}` });
    button.addEventListener("click", action);
    return button;
  }

  #removal() {
    return this.#button("Remove", "remove", () => this.#remove());
  }

  #remove() {
    this.input.value = "";
    this.second.remove();
  }

  #open(files) {
    this.input.value = "";
    if (files.length !== 1 || !this.session.scan?.shape) return;
    this.second.open(files[0]);
  }

  /** Files that are dropped onto the page. Without this the browser would leave the page and show them. */
  #listenForDrops() {
    const zone = byId("drop");
    let timer = null;
    const hide = () => (zone.hidden = true);
    addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      const { scan } = this.session;
      zone.textContent = scan?.shape ? `Drop a mask to show it over ${scan.scan_id}` : "Open a scan first, then drop its mask";
      zone.hidden = false;
      clearTimeout(timer);
      timer = setTimeout(hide, DRAG_MS);
    });
    addEventListener("drop", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      clearTimeout(timer);
      hide();
      const files = [...event.dataTransfer.files];
      if (files.length === 0 || !this.session.scan?.shape) return;
      const { folded } = this.store.now;
      this.store.set({ folded: folded.filter((name) => name !== "details") });
      this.#open(files.slice(0, 1));
      this.element.scrollIntoView({ block: "nearest" });
    });
  }
}

/** A menu with a label; `names` by value. */
function choice(key, text, names, chosen, onChoice) {
  const id = `mask-${key}`;
  const options = Object.entries(names).map(([value, name]) => make("option", { value, textContent: name, selected: value === chosen }));
  const select = make("select", { id, key: id }, ...options);
  select.addEventListener("change", () => onChoice(select.value));
  return make("p", { className: "layout" }, make("label", { htmlFor: id, textContent: text }), select);
}

/** A warning when the file is named like another scan. */
function otherName({ file, scan }) {
  const named = /(?:^|[^\d])(\d+_t(?:1|2(?:_SPACE)?))(?![\dA-Za-z])/.exec(file.name)?.[1];
  if (!named || named === scan.scan_id) return null;
  return make("p", { className: "problem", role: "alert", textContent: `The file is named like ${named}, and this is ${scan.scan_id}.` });
}

function tableOf(names, rows, meanRows) {
  const head = make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col", textContent: name }))));
  return make("table", { className: "measured scores" }, head, make("tbody", {}, ...rows), make("tbody", { className: "means" }, ...meanRows));
}

const meanRow = (name, cells) => make("tr", {}, make("th", { scope: "row", textContent: name }), ...cells.map((text) => make("td", { textContent: text })));
const mean = (numbers) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
const share = (found, all) => `${found}/${all}`;
const millimetres = (value) => (value === null ? "–" : value.toFixed(2));
