// Puts the parts together: the state changes, what it needs is fetched, everything is brought up to date.

import { getJson } from "./api.js";
import { onConnection, tryNow } from "./connection.js";
import { Citation } from "./citation.js";
import { Comparison } from "./comparison.js";
import { actionsOn, bindControls } from "./controls.js";
import { byId, make } from "./dom.js";
import { Details } from "./details.js";
import { Filters } from "./filters.js";
import { bindKeys } from "./keys.js";
import { Legend } from "./legend.js";
import { List } from "./list.js";
import { Message } from "./message.js";
import { Recipes } from "./recipes.js";
import { SecondMask } from "./secondmask.js";
import { Session } from "./session.js";
import { bindSharing } from "./share.js";
import { Stage } from "./stage.js";
import { Store } from "./state.js";
import { Structures } from "./structures.js";
import { URGENCY, schedule, startBackground } from "./transfers.js";

/** Buttons for the panels of a small screen. */
function bindPanels(store) {
  const buttons = document.querySelectorAll(".panels button");
  const show = () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.panel === store.now.panel));
  };
  for (const button of buttons) button.addEventListener("click", () => store.set({ panel: button.dataset.panel }, { push: true }));
  store.listen(show);
  show();
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
  const session = new Session(store, () => show());
  const list = new List(store, session, () => {
    if (!store.now.scan && list.first) store.set({ scan: list.first });
    if (!store.now.scan) startBackground();
    message.show();
  });
  const message = new Message(store, session, list);
  const filters = new Filters(store);
  const second = new SecondMask(store, session, () => {
    comparison.show();
    stage.redraw();
  });
  const stage = new Stage(store, session, second, () => {
    legend.show(stage.entry.mask);
    refresh();
  });
  bindPanels(store);
  bindConnection(stage);
  await session.loadLabels();
  const actions = actionsOn(store, session, stage);
  const legend = new Legend(store, session, actions);
  const structures = new Structures(store, session, actions);
  const comparison = new Comparison(store, session, second, actions);
  const recipes = new Recipes();
  const citation = new Citation();
  const details = new Details(store, session, actions, { legend, structures, comparison, recipes, citation });
  bindSharing(store, session, stage, () => citation.dataset);
  const refreshControls = bindControls(store, session, stage, actions);
  const refresh = () => {
    refreshControls();
    if (session.scan) recipes.show(store.now, session.scan, stage.bounds, second.isHere ? second.held : null);
    document.title = store.now.scan ? `${store.now.scan} · sagittal` : "sagittal";
  };
  const show = () => {
    message.show();
    details.show();
    structures.show();
    comparison.show();
    stage.redraw();
    refresh();
  };
  bindKeys(actions, list, session, stage);
  store.listen((now, before) => {
    if (JSON.stringify([now.filters, now.sort]) !== JSON.stringify([before.filters, before.sort])) {
      list.show();
      filters.show();
    }
    if (now.scan !== before.scan || (now.slice === null && session.scan?.shape)) session.load();
    list.mark();
    show();
  });
  session.load();
  filters.start();
  schedule({ urgency: URGENCY.details }, () => getJson("/v1/dataset")).then((dataset) => citation.show(dataset));
  await list.show();
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.querySelector("#views canvas")?.focus();
});
start().catch((problem) => {
  byId("message").replaceChildren(make("p", { textContent: `The viewer cannot start: ${problem.message}` }));
  byId("message").hidden = false;
});
