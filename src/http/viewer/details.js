// What is known of the scan: gradings, the patient's other series, metadata, geometry.

import { byId, disable, inPageLink, isDisabled, make, replaceChildren, rounded, scanTypeName } from "./dom.js";
import { nameOf, textOf } from "./fields.js";
import { format } from "./state.js";

const FINDINGS = {
  upper_endplate: "upper endplate",
  lower_endplate: "lower endplate",
  // With a place to break the word in a narrow table.
  spondylolisthesis: "spondylo\u00adlisthesis",
  disc_herniation: "herniation",
  disc_narrowing: "narrowing",
  disc_bulging: "bulging",
};

export class Details {
  #shown = "";

  /** `parts` are further sections: legend, structures, comparison, recipes, citation. */
  constructor(store, session, actions, parts) {
    Object.assign(this, { store, session, actions, parts });
  }

  /** Brings it up to date. Nothing of another scan stays while one is loading. */
  show() {
    const { scan, series, isLoading } = this.session;
    const shown = scan ? [scan.scan_id, scan.files?.revision, ...series.map((one) => one.scan_id)].join() : `loading ${isLoading}`;
    const isNew = shown !== this.#shown;
    this.#shown = shown;
    byId("details").setAttribute("aria-busy", String(isLoading));
    if (!scan) {
      const text = isLoading ? `Loading ${this.store.now.scan} …` : "No scan is open.";
      return isNew && replaceChildren(byId("details"), make("p", { className: "muted", textContent: text }), this.parts.citation.element);
    }
    if (isNew) {
      this.rows = new Map();
      const { legend, structures, comparison, recipes, citation } = this.parts;
      const withVoxels = (part) => (scan.shape ? part.element : null);
      const shownParts = [
        this.#title(scan), withVoxels(legend), this.#gradings(scan), this.#series(scan, series), withVoxels(comparison),
        withVoxels(structures), withVoxels(recipes), this.#notes(scan), this.#metadata(scan), this.#geometry(scan), citation.element,
      ];
      replaceChildren(byId("details"), ...shownParts.filter(Boolean));
    }
    for (const [label, row] of this.rows) {
      const isChosen = label === this.store.now.disc;
      row.classList.toggle("chosen", isChosen);
      row.querySelector("button").setAttribute("aria-pressed", String(isChosen));
    }
  }

  #title(scan) {
    const { sex, age, manufacturer } = scan.metadata ?? {};
    const person = [{ F: "female", M: "male" }[sex] ?? sex, age === null || age === undefined ? "age unknown" : `${rounded(age)} years`, manufacturer];
    return make(
      "div",
      { className: "title" },
      make("h2", { textContent: `Patient ${scan.patient_id}, ${scanTypeName(scan.scan_type)}` }),
      make("p", { className: "muted", textContent: person.filter(Boolean).join(" · ") }),
      make("p", { className: "muted", textContent: scan.split ? `split: ${scan.split}` : "in no split" }),
    );
  }

  #gradings(scan) {
    if (scan.gradings.length === 0) return section("Gradings", make("p", { className: "muted", textContent: "This patient has no gradings." }));
    const present = new Set((scan.labels ?? []).map((one) => one.label));
    const head = make("tr", {}, ...["Disc", "Pfirrmann", "Modic", "Findings"].map((name) => make("th", { textContent: name, scope: "col" })));
    const body = scan.gradings.map((grading) => this.#grading(grading, present.has(grading.label)));
    return section("Gradings", make("table", { className: "gradings" }, make("thead", {}, head), make("tbody", {}, body)));
  }

  #grading(grading, isPresent) {
    const name = grading.level_name ?? `level ${grading.level}`;
    const choose = make("button", { type: "button", textContent: name, title: `label ${grading.label}: to its best slice`, key: `disc ${grading.label}` });
    disable(choose, isPresent ? null : "This disc is not in the mask of this series");
    choose.addEventListener("click", () => isDisabled(choose) || this.actions.chooseDisc(grading.label));
    const found = Object.entries(FINDINGS).filter(([field]) => grading[field] > 0);
    const findings = found.map(([field, text]) => (grading[field] > 1 ? `${text} ${grading[field]}` : text)).join(", ");
    const grade = make("span", { className: `grade grade-${grading.pfirrmann ?? "none"}`, textContent: grading.pfirrmann ?? "–" });
    const cells = [make("th", { scope: "row" }, choose), make("td", {}, grade), make("td", { textContent: grading.modic ?? "–" }), make("td", { textContent: findings || "–" })];
    const row = make("tr", {}, ...cells);
    if (grading.label !== null) this.rows.set(grading.label, row);
    return row;
  }

  #series(scan, series) {
    if (series.length < 2) return null;
    const link = (one) => {
      const href = format({ ...this.store.now, scan: one.scan_id });
      const element = make("a", { href, textContent: scanTypeName(one.scan_type), key: `series ${one.scan_id}` });
      if (one === scan) element.setAttribute("aria-current", "true");
      return inPageLink(element, () => this.session.choose(one.scan_id));
    };
    return section("Same patient", make("p", { className: "series" }, ...series.map(link)));
  }

  #notes(scan) {
    if (scan.notes.length === 0) return null;
    return section("Notes of the import", make("ul", { className: "notes" }, ...scan.notes.map((note) => make("li", { textContent: note }))));
  }

  #metadata({ metadata }) {
    const entries = Object.entries(metadata ?? {});
    const known = entries.filter(([, value]) => value !== null).map(([field, value]) => [nameOf(field), textOf(field, value)]);
    const missing = entries.filter(([, value]) => value === null).map(([field]) => nameOf(field));
    return table("Metadata", known, missing.length ? `Not known: ${missing.join(", ")}` : null);
  }

  #geometry(scan) {
    if (!scan.shape) return null;
    const { geometry, intensity } = scan;
    const list = (values) => values.map((value) => rounded(value, 3)).join(" × ");
    return table("Geometry and values", [
      ["Slices × rows × columns", scan.shape.join(" × ")],
      ["Spacing", `${list(scan.spacing_mm)} mm`],
      ["Extent", `${list(geometry.extent_mm)} mm`],
      ["Axes in the file (i, j, k)", geometry.source.axis_codes_ijk],
      ["Element type", intensity.element_type],
      ["Smallest, largest, mean value", [intensity.min, intensity.max, intensity.mean].map((value) => rounded(value, 1)).join(", ")],
      ["Slice with the most labels", geometry.best_slice],
      ["SHA-256 of the image", scan.files.image.sha256],
    ]);
  }
}

/** Names and values; what is missing comes last, by name. */
function table(title, entries, missing) {
  const rows = entries.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]);
  const rest = missing ? make("p", { className: "muted", textContent: missing }) : null;
  return make("details", { className: "block", open: title === "Metadata" }, make("summary", { textContent: title, key: title }), make("dl", {}, ...rows), rest);
}

const section = (title, ...children) => make("section", {}, make("h2", { textContent: title }), ...children);
