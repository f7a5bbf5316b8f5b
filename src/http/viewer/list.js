// The scans that meet the filters, page by page as one scrolls, with thumbnails as they come into sight.

import { askJson, slicePath, withQuery } from "./api.js";
import { serverReturns } from "./connection.js";
import { byId, inPageLink, make, rounded, scanTypeName } from "./dom.js";
import { format } from "./state.js";

const PAGE = 16;
const THUMB_HEIGHT = 96;
const FIELDS = "scan_id,patient_id,scan_type,split,sex,age,manufacturer";

export class List {
  #links = new Map(); // scan id → link
  #next = null;
  #asking = null;
  #isAsking = false;

  constructor(store, session) {
    this.store = store;
    this.session = session;
    const nearby = { root: byId("scans"), rootMargin: "400px" };
    this.thumbs = new IntersectionObserver((seen) => seen.filter((one) => one.isIntersecting).forEach(({ target }) => this.#load(target)), nearby);
    this.end = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.#more(), nearby);
    this.end.observe(byId("list-end"));
    byId("list").addEventListener("keydown", (event) => this.#walk(event));
  }

  /** Starts over with the filters there are now. */
  async show() {
    this.#asking?.abort();
    this.#asking = new AbortController();
    this.#isAsking = false;
    this.#next = withQuery("/v1/scans", { ...this.store.now.filters, fields: FIELDS, limit: PAGE });
    byId("list").setAttribute("aria-busy", "true");
    await this.#more(true);
  }

  /** The scan so many places from the chosen one, loading on where the list ends. */
  async step(by) {
    const ids = () => [...this.#links.keys()];
    const at = ids().indexOf(this.store.now.scan);
    if (at + by >= ids().length) await this.#more();
    const id = ids()[Math.max(0, at + by)];
    if (id) this.session.choose(id);
  }

  get first() {
    return this.#links.keys().next().value ?? null;
  }

  mark() {
    for (const [id, link] of this.#links) {
      const isChosen = id === this.store.now.scan;
      if (isChosen === link.hasAttribute("aria-current")) continue;
      link.toggleAttribute("aria-current", isChosen);
      if (isChosen) link.scrollIntoView({ block: "nearest" });
    }
  }

  /** Scrolls to the chosen scan, if it is in the list. */
  reveal() {
    this.#links.get(this.store.now.scan)?.scrollIntoView({ block: "nearest" });
  }

  async #more(isFresh = false) {
    if (!this.#next || this.#isAsking) return;
    this.#isAsking = true;
    const { signal } = this.#asking;
    const problem = byId("list-problem");
    try {
      const page = await askJson(this.#next, signal);
      if (signal.aborted) return;
      if (isFresh) this.#clear();
      problem.hidden = true;
      this.#next = page.next;
      byId("total").textContent = page.total === 1 ? "1 scan" : `${page.total} scans`;
      byId("list").append(...page.items.map((item) => this.#item(item)));
      if (page.total === 0) byId("list").append(make("li", { className: "muted", textContent: "No scan meets these conditions." }));
      this.mark();
    } catch (error) {
      if (signal.aborted) return;
      this.#clear();
      this.#next = null;
      byId("total").textContent = "no scans";
      problem.textContent = error.message;
      problem.hidden = false;
    } finally {
      if (!signal.aborted) {
        this.#isAsking = false;
        byId("list").removeAttribute("aria-busy");
      }
    }
    // The end may still be in sight, of which an observer does not tell again.
    this.end.unobserve(byId("list-end"));
    this.end.observe(byId("list-end"));
  }

  #clear() {
    this.thumbs.disconnect();
    this.#links.clear();
    byId("list").replaceChildren();
    byId("scans").scrollTop = 0;
  }

  #item(item) {
    const query = { height: THUMB_HEIGHT, bits: 8, window: "auto" };
    const thumb = make("img", { alt: "", width: 64, height: THUMB_HEIGHT, decoding: "async" });
    thumb.dataset.address = withQuery(slicePath(item.scan_id, "mid", "image.png"), query);
    this.thumbs.observe(thumb);
    const person = [item.sex, item.age === null ? null : `${rounded(item.age)} y`, item.manufacturer].filter(Boolean).join(" · ");
    const lines = [
      make("strong", { textContent: `Patient ${item.patient_id}` }),
      make("span", { className: `type ${item.scan_type}`, textContent: scanTypeName(item.scan_type) }),
      make("small", { textContent: person || "nothing known of the patient" }),
      make("small", { textContent: item.split ?? "in no split" }),
    ];
    const link = make("a", {}, thumb, make("span", { className: "lines" }, ...lines));
    // The address is made when it is needed: it tells the filters of that moment.
    const address = () => (link.href = format({ ...this.session.fresh(), scan: item.scan_id }));
    address();
    link.addEventListener("pointerdown", address);
    inPageLink(link, () => this.session.choose(item.scan_id));
    this.#links.set(item.scan_id, link);
    return make("li", {}, link);
  }

  /** A thumbnail that did not come because the server is away comes when it is back. */
  #load(thumb) {
    this.thumbs.unobserve(thumb);
    thumb.onerror = async () => {
      thumb.onerror = null;
      await serverReturns();
      thumb.src = `${thumb.dataset.address}#again`;
    };
    thumb.src = thumb.dataset.address;
  }

  /** Up and down between the scans of the list. */
  #walk(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    const links = [...this.#links.values()];
    const next = links[links.indexOf(document.activeElement) + by];
    event.preventDefault();
    event.stopPropagation();
    next?.focus();
  }
}
