// The scans that meet the filters, page by page as one scrolls, with thumbnails as they come into sight.

import { getJson, slicePath, withQuery } from "./api.js";
import { problemOf } from "./conditions.js";
import { serverReturns } from "./connection.js";
import { byId, inPageLink, make, rounded, scanTypeName } from "./dom.js";
import { format } from "./state.js";
import { URGENCY, schedule } from "./transfers.js";

const PAGE = 16;
/** So many scans of a page at a time while a certain scan is looked for. */
const LARGEST_PAGE = 1000;
const THUMB_HEIGHT = 96;
const FIELDS = "scan_id,patient_id,scan_type,split,sex,age,manufacturer";

export class List {
  #links = new Map(); // scan id → link
  #next = null;
  #controller = null;
  #loading = null;
  #isLoaded = false;

  /** `onChange()` is called when a page came, or could not come. */
  constructor(store, session, onChange) {
    Object.assign(this, { store, session, onChange });
    const nearby = { root: byId("scans"), rootMargin: "400px" };
    this.thumbs = new IntersectionObserver((seen) => seen.filter((one) => one.isIntersecting).forEach(({ target }) => this.#loadThumb(target)), nearby);
    this.end = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.#loadMore(), nearby);
    this.end.observe(byId("list-end"));
    byId("list").addEventListener("keydown", (event) => this.#walk(event));
  }

  /** Starts over with the filters there are now. */
  async show() {
    this.#controller?.abort();
    this.#controller = new AbortController();
    this.#loading = null;
    this.#isLoaded = false;
    const { filters, sort } = this.store.now;
    byId("list").setAttribute("aria-busy", "true");
    const problem = problemOf(filters);
    if (problem) return this.#fail(problem);
    this.#next = withQuery("/v1/scans", { ...filters, sort, fields: FIELDS, limit: PAGE });
    await this.#loadMore({ isFresh: true });
    await this.#reveal();
  }

  /** Opens the scan so many places from the one that is open. Where that one is not in the list, from its place by
   * number and type. */
  async step(by) {
    const { scan } = this.store.now;
    if (scan) await this.#loadThrough(scan);
    const ids = () => [...this.#links.keys()];
    const at = ids().indexOf(scan);
    if (at + by >= ids().length && this.#next) await this.#loadMore();
    // Another order has no place for a scan that is not in the list.
    const after = this.store.now.sort ? 0 : ids().findIndex((id) => inOrder(id, scan ?? "") > 0);
    const place = at >= 0 ? at + by : (after < 0 ? ids().length : after) + (by > 0 ? by - 1 : by);
    const id = ids()[place];
    if (id) this.session.choose(id);
  }

  get first() {
    return this.#links.keys().next().value ?? null;
  }

  /** Whether it is known that no scan meets the filters. */
  get isEmpty() {
    return this.#isLoaded && this.#links.size === 0;
  }

  /** Marks the scan that the state names, and brings it into view when it is another one than before. */
  mark() {
    const { scan } = this.store.now;
    for (const [id, link] of this.#links) {
      const isChosen = id === scan;
      if (isChosen === link.hasAttribute("aria-current")) continue;
      link.toggleAttribute("aria-current", isChosen);
      if (isChosen) link.setAttribute("aria-current", "true");
      if (isChosen) link.scrollIntoView({ block: "nearest" });
    }
    if (scan && this.#isLoaded && !this.#links.has(scan)) this.#reveal();
    this.#note();
  }

  /** Loads on until the scan that the state names is there, and scrolls to it. */
  async #reveal() {
    const { scan } = this.store.now;
    if (!scan || this.#links.has(scan)) return this.#links.get(scan)?.scrollIntoView({ block: "nearest" });
    if (!this.#next) return this.#note();
    await this.#loadThrough(scan);
    this.#links.get(this.store.now.scan)?.scrollIntoView({ block: "nearest" });
    this.#note();
  }

  async #loadThrough(id) {
    while (this.#next && !this.#links.has(id)) await this.#loadMore({ limit: LARGEST_PAGE });
  }

  /** Says so when the open scan does not meet the filters. */
  #note() {
    const { scan } = this.store.now;
    const isExcluded = this.#isLoaded && this.#links.size > 0 && scan && !this.#next && !this.#links.has(scan);
    byId("list-note").hidden = !isExcluded;
    if (isExcluded) byId("list-note").textContent = `${scan} is open; it does not meet these conditions.`;
  }

  /** The next page; one at a time. */
  #loadMore(options = {}) {
    this.#loading ??= this.#loadPage(options).finally(() => (this.#loading = null));
    return this.#loading;
  }

  async #loadPage({ isFresh = false, limit }) {
    if (!this.#next) return;
    const { signal } = this.#controller;
    const path = limit ? withLimit(this.#next, limit) : this.#next;
    try {
      const page = await (isFresh ? getJson(path, signal) : schedule({ urgency: URGENCY.details }, () => getJson(path, signal), signal));
      if (signal.aborted) return;
      if (isFresh) this.#clear();
      byId("list-problem").hidden = true;
      this.#next = page.next;
      this.#isLoaded = true;
      byId("total").textContent = page.total === 1 ? "1 scan" : `${page.total} scans`;
      byId("list").append(...page.items.map((item) => this.#item(item)));
      if (page.total === 0) byId("list").append(make("li", { className: "muted", textContent: "No scan meets these conditions." }));
      byId("list").removeAttribute("aria-busy");
      this.mark();
      this.onChange();
    } catch (error) {
      if (!signal.aborted) this.#fail(error.message);
      return;
    }
    // The end may still be in sight, of which an observer does not notify again.
    this.end.unobserve(byId("list-end"));
    this.end.observe(byId("list-end"));
  }

  #fail(text) {
    this.#clear();
    this.#next = null;
    byId("list").removeAttribute("aria-busy");
    byId("total").textContent = "no scans";
    byId("list-problem").textContent = text;
    byId("list-problem").hidden = false;
    this.onChange();
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
    thumb.dataset.path = withQuery(slicePath(item.scan_id, "mid", "image.png"), query);
    this.thumbs.observe(thumb);
    const person = [item.sex, item.age === null ? null : `${rounded(item.age)} y`, item.manufacturer].filter(Boolean).join(" · ");
    const lines = [
      make("strong", { textContent: `Patient ${item.patient_id}` }),
      make("span", { className: `type ${item.scan_type}`, textContent: scanTypeName(item.scan_type) }),
      make("small", { textContent: person || "nothing known of the patient" }),
      make("small", { textContent: item.split ?? "in no split" }),
    ];
    const link = make("a", {}, thumb, make("span", { className: "lines" }, ...lines));
    // The URL is made when it is needed: it has the filters of that moment.
    const update = () => (link.href = format({ ...this.session.fresh(), scan: item.scan_id }));
    update();
    link.addEventListener("pointerdown", update);
    inPageLink(link, () => this.session.choose(item.scan_id));
    this.#links.set(item.scan_id, link);
    return make("li", {}, link);
  }

  /** A thumbnail waits until what is looked at is there, and one that did not come because the server is away comes
   * when it is back. */
  #loadThumb(thumb) {
    this.thumbs.unobserve(thumb);
    const load = (path) => new Promise((resolve, reject) => Object.assign(thumb, { onload: resolve, onerror: reject, src: path }));
    const { path } = thumb.dataset;
    schedule({ urgency: URGENCY.thumbnail }, () => load(path), this.#controller.signal).catch(async () => {
      await serverReturns();
      if (thumb.isConnected) load(`${path}#again`).catch(() => {});
    });
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

/** A link to a page, with another number of rows. */
function withLimit(link, limit) {
  const url = new URL(link, location.origin);
  url.searchParams.set("limit", limit);
  return url.pathname + url.search;
}

/** Negative when scan `a` comes before scan `b`: by patient, then by type. */
function inOrder(a, b) {
  const parts = (id) => /^(\d+)_(.*)$/.exec(id)?.slice(1) ?? [Infinity, id];
  const [[patient, type], [otherPatient, otherType]] = [parts(a), parts(b)];
  return patient - otherPatient || (type < otherType ? -1 : Number(type > otherType));
}
