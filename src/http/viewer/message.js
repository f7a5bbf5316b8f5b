// What stands in place of the picture: that a scan is loading, that none meets the filters, or what went wrong, with a way on.

import { byId, inPageLink, make } from "./dom.js";
import { format } from "./state.js";

export class Message {
  #shown = null;

  constructor(store, session, list) {
    Object.assign(this, { store, session, list });
  }

  /** Brings it up to date. */
  show() {
    const { text, ways } = this.#content();
    byId("message").hidden = !text;
    byId("views").hidden = Boolean(text);
    const shown = JSON.stringify([text, this.list.first]);
    if (!text || shown === this.#shown) return (this.#shown = text ? shown : null);
    this.#shown = shown;
    const links = ways.length ? make("p", {}, ...ways.flatMap((way) => [way, " "])) : null;
    byId("message").replaceChildren(...[make("p", { textContent: text }), links].filter(Boolean));
  }

  #content() {
    const { session, list } = this;
    if (session.problem) return { text: session.problem.message, ways: [this.#openFirst(), this.#showAll()].filter(Boolean) };
    if (session.isLoading) return { text: `Loading ${this.store.now.scan} …`, ways: [] };
    if (session.scan || !list.isEmpty) return { text: "", ways: [] };
    const hasFilters = Object.keys(this.store.now.filters).length > 0;
    if (!hasFilters) return { text: "No scans have been imported yet.", ways: [] };
    return { text: "No scan meets these conditions.", ways: [this.#showAll()] };
  }

  #openFirst() {
    const { first } = this.list;
    if (!first) return null;
    const link = make("a", { href: format({ ...this.session.fresh(), scan: first }), textContent: `Open ${first}` });
    return inPageLink(link, () => this.session.choose(first));
  }

  #showAll() {
    const link = make("a", { href: "#", textContent: "Show all scans" });
    return inPageLink(link, () => {
      this.store.set({ ...this.session.fresh(), filters: {}, scan: null, panel: "scans" }, { push: true });
    });
  }
}
