// What is known of the scan: gradings, the patient's other series, metadata, geometry.

import { byId, inPageLink, make, rounded, scanTypeName } from "./dom.js";
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

  constructor(store, session, actions, legend, recipes) {
    Object.assign(this, { store, session, actions, legend, recipes });
  }

  /** Brings it up to date. Nothing of another scan stays while one is loading. */
  show() {
    const { scan, series, isLoading } = this.session;
    const shown = scan ? [scan.scan_id, scan.files?.revision, ...series.map((one) => one.scan_id)].join() : `loading ${isLoading}`;
    const isNew = shown !== this.#shown;
    this.#shown = shown;
    byId("details").toggleAttribute("aria-busy", isLoading);
    if (!scan) {
      const text = isLoading ? `Loading ${this.store.now.scan} …` : "No scan is open.";
      return byId("details").replaceChildren(make("p", { className: "muted", textContent: text }));
    }
    if (isNew) {
      this.rows = new Map();
      const parts = [this.#title(scan), scan.shape ? this.legend.element : null, this.#gradings(scan), this.#series(scan, series), scan.shape ? this.recipes.element : null, this.#notes(scan), this.#table("Metadata", scan.metadata ?? {}), this.#geometry(scan)];
      byId("details").replaceChildren(...parts.filter(Boolean));
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
    const choose = make("button", { type: "button", textContent: name, title: isPresent ? `label ${grading.label}: to its best slice` : "not in this mask", disabled: !isPresent });
    choose.addEventListener("click", () => this.actions.chooseDisc(grading.label));
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
      const element = make("a", { href, textContent: scanTypeName(one.scan_type) });
      if (one === scan) element.setAttribute("aria-current", "true");
      return inPageLink(element, () => this.session.choose(one.scan_id));
    };
    return section("Same patient", make("p", { className: "series" }, ...series.map(link)));
  }

  #notes(scan) {
    if (scan.notes.length === 0) return null;
    return section("What import found odd", make("ul", { className: "notes" }, ...scan.notes.map((note) => make("li", { textContent: note }))));
  }

  #geometry(scan) {
    if (!scan.shape) return null;
    const { geometry, intensity } = scan;
    const list = (values) => values.map((value) => rounded(value, 3)).join(" × ");
    return this.#table("Geometry and values", {
      "slices × rows × columns": scan.shape.join(" × "),
      "spacing in mm": list(scan.spacing_mm),
      "extent in mm": list(geometry.extent_mm),
      "axes in the file (i, j, k)": geometry.source.axis_codes_ijk,
      "type of the values": intensity.element_type,
      "smallest, largest, mean": [intensity.min, intensity.max, intensity.mean].map((value) => rounded(value, 1)).join(", "),
      "slice with the most labels": geometry.best_slice,
      "SHA-256 of the image": scan.files.image.sha256,
    });
  }

  /** Names and values; what is missing is told last, by name. */
  #table(title, values) {
    const entries = Object.entries(values);
    const known = entries.filter(([, value]) => value !== null);
    const missing = entries.filter(([, value]) => value === null).map(([name]) => name.replaceAll("_", " "));
    const text = (value) => (Array.isArray(value) ? value.join(", ") : String(value));
    const rows = known.flatMap(([name, value]) => [make("dt", { textContent: name.replaceAll("_", " ") }), make("dd", { textContent: text(value) })]);
    const rest = missing.length ? make("p", { className: "muted", textContent: `Not known: ${missing.join(", ")}` }) : null;
    return make("details", { className: "block", open: title === "Metadata" }, make("summary", { textContent: title }), make("dl", {}, ...rows), rest);
  }
}

const section = (title, ...children) => make("section", {}, make("h2", { textContent: title }), ...children);
