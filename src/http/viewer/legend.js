// Which classes of labels are shown, and the structures in this slice.

import { make, replaceChildren } from "./dom.js";
import { counts } from "./overlay.js";
import { CLASSES } from "./state.js";

const NAMES = { vertebrae: "Vertebrae", discs: "Discs", canal: "Canal", partial: "Partly visible" };
const SAMPLES = { vertebrae: 1, discs: 201, canal: 100, partial: 101 };

export class Legend {
  #mask = null;
  #of = ""; // scan and chosen disc
  #shown = "";

  constructor(store, session, actions) {
    this.store = store;
    this.session = session;
    this.actions = actions;
    this.boxes = new Map(CLASSES.map((name) => [name, this.#box(name)]));
    this.structures = make("ul", { className: "structures" });
    const boxes = [...this.boxes.values()].map((box) => box.parentElement);
    this.element = make("section", { className: "legend" }, make("h2", { textContent: "Labels" }), make("div", { className: "classes" }, boxes), this.structures);
  }

  #box(name) {
    const box = make("input", { type: "checkbox", id: `class-${name}` });
    box.addEventListener("change", () => this.actions.toggleClass(name));
    const swatch = make("i", { className: "swatch" });
    swatch.style.background = this.session.labelOf(SAMPLES[name]).colour;
    make("label", {}, box, swatch, NAMES[name]);
    return box;
  }

  /** Of this slice; `mask` may not have arrived. */
  show(mask) {
    const { hidden, disc, scan } = this.store.now;
    for (const [name, box] of this.boxes) box.checked = !hidden.includes(name);
    if (!mask || (mask === this.#mask && this.#of === `${scan} ${disc}`)) return;
    [this.#mask, this.#of] = [mask, `${scan} ${disc}`];
    const found = counts(mask);
    // While one scrolls, neighbours mostly hold the same structures.
    const shown = `${this.#of} ${[...found.keys()]}`;
    if (shown !== this.#shown) {
      this.#shown = shown;
      const items = [...found.keys()].map((label) => make("li", {}, this.#structure(label, disc)));
      if (items.length === 0) items.push(make("li", { className: "muted", textContent: "Nothing is labelled in this slice." }));
      replaceChildren(this.structures, ...items);
    }
    [...found].forEach(([label, pixels], n) => (this.structures.children[n].firstChild.title = `label ${label}, ${pixels} pixels in this slice`));
  }

  #structure(label, disc) {
    const { colour, group, name } = this.session.labelOf(label);
    const swatch = make("i", { className: "swatch" });
    swatch.style.background = colour;
    if (group !== "discs") return make("span", { className: "structure" }, swatch, `${label} ${name}`);
    const button = make("button", { type: "button", className: "structure", key: `structure ${label}` }, swatch, `${label} ${name}`);
    button.setAttribute("aria-pressed", String(disc === label));
    button.addEventListener("click", () => this.actions.chooseDisc(label));
    return button;
  }
}
