// Where the data come from, under which licence, and how to cite them.

import { byId, make } from "./dom.js";
import { copyText } from "./share.js";

export class Citation {
  #dataset = null;

  constructor() {
    this.text = make("p", {});
    this.copy = make("button", { type: "button", textContent: "Copy BibTeX", key: "bibtex" });
    this.copy.addEventListener("click", () => copyText(this.copy, this.#dataset?.bibtex ?? ""));
    this.element = make("section", { className: "block citation", hidden: true }, make("h2", { textContent: "Data and citation" }), this.text, this.copy);
  }

  /** What /v1/dataset says; null until it is here. */
  get dataset() {
    return this.#dataset;
  }

  show(dataset) {
    this.#dataset = dataset;
    const { name, licence, citation } = dataset;
    const link = () => make("a", { href: licence.url, textContent: licence.id, rel: "license noopener", target: "_blank" });
    this.text.replaceChildren(`${citation} Licence: `, link());
    this.element.hidden = false;
    byId("dataset").textContent = name;
    byId("licence").replaceChildren(link());
  }
}
