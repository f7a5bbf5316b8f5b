// Puts the parts together: the state changes, what it needs is fetched, everything is brought up to date.

import { askJson, scanPath } from "./api.js";
import { onConnection, tryNow } from "./connection.js";
import { actionsOn, bindControls } from "./controls.js";
import { byId, inPageLink, make } from "./dom.js";
import { Facts } from "./facts.js";
import { Filters } from "./filters.js";
import { across, middleOf } from "./geometry.js";
import { bindKeys } from "./keys.js";
import { Legend } from "./legend.js";
import { List } from "./list.js";
import { Recipes } from "./recipes.js";
import { Stage } from "./stage.js";
import { Store, between, format, parse } from "./state.js";

const GROUPS = { vertebra: "vertebrae", disc: "discs", canal: "canal", partial_vertebra: "partial" };

/** What was fetched for the state. */
class Session {
  series = []; // everything about every scan of the patient
  #scan = null;
  #labels = new Map();
  #loading = null;

  constructor(store, onChange) {
    this.store = store;
    this.onChange = onChange;
  }

  async start() {
    const { items } = await askJson("/v1/labels");
    for (const { label, class: kind, name, colour } of items) this.#labels.set(label, { name, colour, group: GROUPS[kind] });
  }

  /** Everything about the scan that is looked at; null while it is being fetched, or when there is none. */
  get scan() {
    return this.#scan?.scan_id === this.store.now.scan ? this.#scan : null;
  }

  /** `{name, colour, group}`; a value outside the scheme is told as one. */
  labelOf(label) {
    return this.#labels.get(label) ?? { name: "outside the label scheme", colour: "#ff00ff", group: undefined };
  }

  /** "203 L3/L4, disc, Pfirrmann 4" */
  nameOf(label) {
    const { name, group } = this.labelOf(label);
    if (group !== "discs") return `${label} ${name}`;
    const grade = this.scan?.gradings.find((grading) => grading.label === label)?.pfirrmann;
    return `${label} ${name}, disc${grade === undefined || grade === null ? "" : `, Pfirrmann ${grade}`}`;
  }

  /** The state in which another patient's scan opens. */
  fresh() {
    const { filters, overlay, alpha, outline, hidden, window, linked, measuring } = this.store.now;
    return { ...parse(""), filters, overlay, alpha, outline, hidden, window, linked, measuring };
  }

  /** Looks at another scan. One of the same patient opens at the same place in the patient. */
  choose(id) {
    const { scan, series } = this;
    const other = series.find((one) => one.scan_id === id);
    document.body.dataset.panel = "stage";
    if (id === scan?.scan_id && id === this.store.now.scan) return;
    if (!other || !scan?.shape) return this.store.set({ ...this.fresh(), scan: id }, { push: true });
    const { slice, centre } = this.store.now;
    const [at, ...place] = across(scan, other, [slice, ...(centre ?? middleOf(scan))]);
    const nearest = between(Math.round(at), 0, other.shape[0] - 1);
    this.store.set({ scan: id, slice: nearest, centre: centre && place, ruler: null }, { push: true });
  }

  /** Fetches what the state needs and what is not here. */
  async load() {
    const id = this.store.now.scan;
    this.#loading?.abort();
    if (!id) return;
    const known = this.series.find((one) => one.scan_id === id);
    if (known) return this.#look(known);
    const { signal } = (this.#loading = new AbortController());
    try {
      const scan = await askJson(scanPath(id), signal);
      this.series = scan.shape ? [scan] : [];
      this.#look(scan);
      const { scans } = await askJson(`/v1/patients/${scan.patient_id}`, signal);
      const others = scans.filter((one) => one.has_volume && one.scan_id !== id);
      const found = await Promise.all(others.map((one) => askJson(scanPath(one.scan_id), signal)));
      if (!scan.shape || found.length === 0) return;
      this.series = [scan, ...found].sort((a, b) => a.scan_id.localeCompare(b.scan_id));
      this.onChange(null);
    } catch (problem) {
      if (signal.aborted) return;
      this.onChange(problem);
    }
  }

  #look(scan) {
    this.#scan = scan;
    const { slice } = this.store.now;
    const last = scan.shape ? scan.shape[0] - 1 : 0;
    const shown = scan.shape ? between(slice ?? scan.geometry.mid_slice, 0, last) : null;
    if (shown !== slice) this.store.set({ slice: shown });
    this.onChange(scan.shape ? null : new Error(`The voxels of ${scan.scan_id} were not imported: only its row of the table is here.`));
  }
}

/** A message in place of the picture, with a way back. */
function tellProblem(problem, list, session) {
  byId("message").hidden = !problem;
  byId("views").hidden = Boolean(problem);
  if (!problem) return;
  const ways = [];
  if (list.first) {
    const link = make("a", { href: format({ ...session.fresh(), scan: list.first }), textContent: `Open ${list.first}` });
    ways.push(inPageLink(link, () => session.choose(list.first)));
  }
  const whole = make("a", { href: "#", textContent: "Show all scans" });
  ways.push(inPageLink(whole, () => {
    session.store.set({ ...session.fresh(), filters: {}, scan: list.first }, { push: true });
    document.body.dataset.panel = "scans";
  }));
  byId("message").replaceChildren(make("p", { textContent: problem.message }), make("p", {}, ...ways.flatMap((way) => [way, " "])));
}

function bindPanels() {
  const tell = () => {
    for (const button of document.querySelectorAll(".panels button")) {
      button.setAttribute("aria-pressed", String(button.dataset.panel === document.body.dataset.panel));
    }
  };
  for (const button of document.querySelectorAll(".panels button")) {
    button.addEventListener("click", () => (document.body.dataset.panel = button.dataset.panel));
  }
  new MutationObserver(tell).observe(document.body, { attributeFilter: ["data-panel"] });
  tell();
}

function bindConnection(stage) {
  byId("connection-now").addEventListener("click", tryNow);
  onConnection((seconds) => {
    byId("connection").hidden = seconds === null;
    const when = seconds > 0 ? `trying again in ${seconds} s` : "trying again";
    byId("connection-text").textContent = `The server does not answer; ${when}. What was fetched can still be looked at.`;
    if (seconds === null) stage.retry();
  });
}

async function start() {
  const store = new Store();
  let problem = null;
  const session = new Session(store, (found) => {
    problem = found;
    tellProblem(problem, list, session);
    if (session.scan) facts.show();
    else facts.clear();
    stage.redraw();
    refresh();
  });
  const list = new List(store, session);
  const filters = new Filters(store);
  const stage = new Stage(store, session, () => {
    legend.show(stage.entry.mask);
    refresh();
  });
  bindPanels();
  bindConnection(stage);
  await session.start();
  const actions = actionsOn(store, session, stage);
  const legend = new Legend(store, session, actions);
  const recipes = new Recipes();
  const facts = new Facts(store, session, actions, legend, recipes);
  const refreshControls = bindControls(store, session, stage, actions);
  const refresh = () => {
    refreshControls();
    if (session.scan) recipes.show(store.now, session.scan, stage.bounds);
    document.title = store.now.scan ? `${store.now.scan} · sagittal` : "sagittal";
  };
  bindKeys(actions, list, session);
  store.listen((now, before) => {
    if (JSON.stringify(now.filters) !== JSON.stringify(before.filters)) {
      list.show();
      filters.show();
    }
    if (now.scan !== before.scan) session.load();
    else if (now.slice === null && session.scan) session.load();
    list.mark();
    if (session.scan) facts.show();
    stage.redraw();
    refresh();
  });
  session.load();
  filters.start().then(() => list.reveal());
  askJson("/v1/dataset").then(({ name }) => (byId("dataset").textContent = name ?? ""));
  await list.show();
  // The way back leads to a scan of the list.
  if (problem) tellProblem(problem, list, session);
  if (!store.now.scan && list.first) store.set({ scan: list.first });
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.querySelector("#views canvas")?.focus();
});
start().catch((problem) => {
  byId("message").replaceChildren(make("p", { textContent: `The viewer cannot start: ${problem.message}` }));
  byId("message").hidden = false;
});
