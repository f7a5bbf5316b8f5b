// The conditions on the list, with how many scans each value would leave.

import { getJson, withQuery } from "./api.js";
import { problemOf } from "./conditions.js";
import { byId, make, scanTypeName } from "./dom.js";
import { URGENCY, schedule } from "./transfers.js";

const FACETS = [
  { name: "split", title: "Split" },
  { name: "scan_type", title: "Type", label: scanTypeName },
  { name: "sex", title: "Sex", label: (value) => ({ F: "female", M: "male" })[value] ?? value },
  { name: "manufacturer", title: "Manufacturer" },
  { name: "pfirrmann", title: "A disc of Pfirrmann grade" },
];
const GRADES = ["1", "2", "3", "4", "5"];

export class Filters {
  #chips = new Map(); // facet → Map(value → {chip, count})
  #counting = null;
  #whole = null; // field → Map(value → count) of the whole data set

  constructor(store) {
    this.store = store;
    byId("clear-filters").addEventListener("click", () => {
      store.set({ filters: {} }, { push: true });
      // The button goes, the focus stays near.
      byId("total").focus();
    });
    byId("find").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#search();
    });
    byId("search").addEventListener("change", () => this.#search());
    byId("sort").addEventListener("change", (event) => store.set({ sort: event.target.value }, { push: true }));
  }

  /** Makes a chip for every value there is in the whole data set. */
  async start() {
    const whole = (this.#whole = await this.#values({}, FACETS.filter(({ name }) => name !== "pfirrmann").map(({ name }) => name)));
    const groups = FACETS.map((facet) => this.#group(facet, facet.name === "pfirrmann" ? GRADES : [...whole[facet.name].keys()].sort()));
    byId("facets").append(...groups.slice(0, 3), this.#age(), ...groups.slice(3));
    await this.show();
  }

  #group({ name, title, label = (value) => value }, values) {
    const chips = new Map();
    for (const value of values) {
      const count = make("span", { className: "count" });
      const chip = make("button", { type: "button", className: "chip" }, value === "null" ? "unknown" : label(value), count);
      chip.addEventListener("click", () => this.#toggle(name, value));
      chips.set(value, { chip, count });
    }
    this.#chips.set(name, chips);
    const legend = make("legend", { textContent: title });
    return make("fieldset", { id: `facet-${name}` }, legend, ...[...chips.values()].map(({ chip }) => chip));
  }

  #age() {
    const field = (id, text) => {
      const input = make("input", { type: "number", id, min: 0, max: 120, placeholder: "any", inputMode: "numeric" });
      input.addEventListener("change", () => this.#setAge());
      return [make("label", { htmlFor: id, textContent: text }), input];
    };
    return make("fieldset", { className: "age" }, make("legend", { textContent: "Age in years" }), ...field("age-from", "from"), ...field("age-to", "to"));
  }

  #setAge() {
    const [from, to] = ["age-from", "age-to"].map((id) => byId(id).value.trim());
    this.#set("age", from || to ? `${from}..${to}` : "");
  }

  #toggle(name, value) {
    const chosen = new Set(listOf(this.store.now.filters[name]));
    if (!chosen.delete(value)) chosen.add(value);
    this.#set(name, [...chosen].map(quoted).join(","));
  }

  /** "5" is a patient, "5_t2" a scan. */
  #search() {
    const text = byId("search").value.trim();
    const { patient_id: _, scan_id: __, ...others } = this.store.now.filters;
    const name = /^\d+([,. -]+\d+)*$/.test(text) ? "patient_id" : "scan_id";
    this.store.set({ filters: text ? { ...others, [name]: text } : others }, { push: true });
  }

  #set(name, text) {
    const { [name]: _, ...others } = this.store.now.filters;
    this.store.set({ filters: text ? { ...others, [name]: text } : others }, { push: true });
  }

  /** Brings choices and counts up to date. */
  async show() {
    const { filters } = this.store.now;
    for (const [name, chips] of this.#chips) {
      const chosen = listOf(filters[name]);
      for (const [value, { chip }] of chips) chip.setAttribute("aria-pressed", String(chosen.includes(value)));
    }
    const [from, to = from] = (filters.age ?? "").split("..");
    if (byId("age-from")) [byId("age-from").value, byId("age-to").value] = [from, to];
    byId("search").value = filters.patient_id ?? filters.scan_id ?? "";
    byId("sort").value = this.store.now.sort;
    byId("clear-filters").hidden = Object.keys(filters).length === 0;
    this.#counting?.abort();
    if (problemOf(filters)) return;
    const { signal } = (this.#counting = new AbortController());
    await this.#count(filters, signal).catch((problem) => {
      // What is wrong with the conditions themselves, the list reports.
      if (!signal.aborted && problem.status === undefined) throw problem;
    });
  }

  /** A value's count takes every condition but those on its own field. */
  async #count(filters, signal) {
    const names = [...this.#chips.keys()].filter((name) => name !== "pfirrmann");
    const free = names.filter((name) => !filters[name]);
    const queries = [{ fields: free, conditions: filters }];
    for (const name of names.filter((one) => filters[one])) queries.push({ fields: [name], conditions: without(filters, name) });
    const isFiltered = Object.keys(filters).length > 0;
    const counted = queries.filter(({ fields }) => fields.length > 0).map(async ({ fields, conditions }) => {
      const values = isFiltered ? await this.#values(conditions, fields, signal) : this.#whole;
      for (const name of fields) this.#showCounts(name, (value) => values[name].get(value) ?? 0);
    });
    const graded = GRADES.map(async (pfirrmann) => {
      const { total } = await this.#stats({ ...filters, pfirrmann, fields: "none" }, signal);
      return [pfirrmann, total];
    });
    const grades = Promise.all(graded).then((totals) => this.#showCounts("pfirrmann", (value) => new Map(totals).get(value)));
    await Promise.all([...counted, grades]);
  }

  #showCounts(name, countOf) {
    for (const [value, { chip, count }] of this.#chips.get(name)) {
      count.textContent = countOf(value);
      chip.classList.toggle("empty", countOf(value) === 0);
    }
  }

  /** Counts come after what is looked at. */
  #stats(query, signal) {
    return schedule({ urgency: URGENCY.details }, () => getJson(withQuery("/v1/stats", query), signal), signal);
  }

  /** field → Map(value → count) */
  async #values(conditions, fields, signal) {
    const stats = await this.#stats({ ...conditions, fields: fields.join() }, signal);
    const counted = ([name, { values, missing }]) => {
      const counts = values.filter(({ value }) => value !== null).map(({ value, count }) => [String(value), count]);
      return [name, new Map(missing > 0 ? [...counts, ["null", missing]] : counts)];
    };
    return Object.fromEntries(Object.entries(stats.fields).map(counted));
  }
}

const without = (filters, name) => Object.fromEntries(Object.entries(filters).filter(([one]) => one !== name));

/** A condition's values: separated by commas, those with a comma in quotes. */
function listOf(text) {
  const parts = (text ?? "").match(/"(?:[^"]|"")*"|[^,]+/g) ?? [];
  return parts.map((part) => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part));
}

const quoted = (value) => (/[,"]|\.\./.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
