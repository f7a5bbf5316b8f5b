// The structures of the scan as a table: size, place, height and intensity; each can be hidden, each number leads to a slice.

import { make, replaceChildren, rounded } from "./dom.js";
import { heightOf, intensities } from "./statistics.js";
import { loadVolume, megabytesOf } from "./volume.js";

export class Structures {
  #measured = new Map(); // scan id → label → {mean, sd, height}
  #shown = "";

  constructor(store, session, actions) {
    Object.assign(this, { store, session, actions });
    this.table = make("div", { className: "table-scroll", tabIndex: 0, role: "region", "aria-label": "Structures of the scan" });
    this.load = make("button", { type: "button", id: "measure-structures", key: "measure" });
    this.load.addEventListener("click", () => this.#measure());
    this.status = make("p", { className: "muted", role: "status" });
    const hint = make("p", { className: "muted", textContent: "Disc height: area divided by length along the main axis, in the slice where the disc is largest. Intensities are stored values." });
    const summary = make("summary", { textContent: "Structures" });
    this.element = make("details", { id: "structures", className: "block" }, summary, this.table, make("p", {}, this.load), this.status, hint);
  }

  /** Brings it up to date. */
  show() {
    const { scan } = this.session;
    if (!scan?.shape) return;
    const { hidden, disc } = this.store.now;
    const shown = JSON.stringify([scan.scan_id, scan.files.revision, hidden, disc, this.#measured.has(scan.scan_id)]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const measured = this.#measured.get(scan.scan_id);
    const names = ["Structure", "mm³", "Slices", "Height mm", "Mean ± SD"];
    const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col", textContent: name })));
    const body = (scan.labels ?? []).map((one) => this.#row(one, measured?.get(one.label)));
    replaceChildren(this.table, make("table", { className: "measured" }, make("thead", {}, head), make("tbody", {}, ...body)));
    this.load.textContent = `Measure heights and intensities (loads ${megabytesOf(scan)} MB)`;
    this.load.hidden = Boolean(measured);
    this.status.textContent = "";
  }

  #row({ label, name, class: kind, volume_mm3, slices: [first, last], best_slice }, measured) {
    const { hidden, disc } = this.store.now;
    const { group, colour } = this.session.labelOf(label);
    const box = make("input", { type: "checkbox", checked: !hidden.includes(label) && !hidden.includes(group), "aria-label": `Show ${label} ${name}`, key: `show ${label}` });
    box.addEventListener("change", () => this.actions.toggleLabel(label, group));
    const swatch = make("i", { className: "swatch" });
    swatch.style.background = colour;
    const goes = (text, slice, what) => {
      const button = make("button", { type: "button", textContent: text, title: `to slice ${slice}`, "aria-label": `${label} ${name}, ${what} ${text}: go to slice ${slice}`, key: `${label} ${what}` });
      button.addEventListener("click", () => this.actions.goToStructure(label, slice));
      return button;
    };
    const height = kind === "disc" && measured?.height ? goes(rounded(measured.height, 1), best_slice, "height") : "–";
    const intensity = measured ? goes(`${rounded(measured.mean, 1)} ± ${rounded(measured.sd, 1)}`, best_slice, "intensity") : "–";
    const row = make(
      "tr",
      { className: label === disc ? "chosen" : "" },
      make("th", { scope: "row" }, box, swatch, goes(`${label} ${name}`, best_slice, "largest in")),
      make("td", {}, goes(String(Math.round(volume_mm3)), best_slice, "volume")),
      make("td", {}, goes(String(first), first, "first slice"), "–", goes(String(last), last, "last slice")),
      make("td", {}, height),
      make("td", {}, intensity),
    );
    return row;
  }

  async #measure() {
    const { scan } = this.session;
    try {
      const volume = await loadVolume(scan, (received, total) => (this.status.textContent = `Loading: ${Math.floor((100 * received) / total)} %`));
      const found = intensities(volume);
      for (const { label, class: kind, best_slice } of scan.labels) {
        if (kind === "disc") found.get(label).height = heightOf(volume.mask, best_slice, label, scan.spacing_mm);
      }
      this.#measured.set(scan.scan_id, found);
      this.show();
    } catch (problem) {
      // Another scan is being loaded.
      if (problem.name === "AbortError") return;
      this.status.textContent = `The volume cannot be loaded: ${problem.message}`;
    }
  }
}
