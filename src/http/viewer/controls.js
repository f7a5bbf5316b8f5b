// The bar above the picture and the slider below it.

import { byId, make } from "./dom.js";
import { PRESETS, windowOf } from "./window.js";

const ZOOM_STEP = 1.25;

/** What the buttons and keys do to the state. */
export function actionsOn(store, session, stage) {
  const toggle = (name) => () => store.set({ [name]: !store.now[name] });
  const chooseDisc = (label) => {
    const found = session.scan?.labels?.find((one) => one.label === label);
    const patch = { disc: label, overlay: true, hidden: store.now.hidden.filter((name) => name !== "discs") };
    store.set(found ? { ...patch, slice: found.best_slice, ...stage.broughtIntoView(found) } : patch, { push: true });
  };
  return {
    chooseDisc,
    overlay: toggle("overlay"),
    outline: toggle("outline"),
    measure: () => store.set({ measuring: !store.now.measuring, ruler: store.now.measuring ? null : store.now.ruler }),
    linked: () => store.set({ linked: !store.now.linked }, { push: true }),
    window: (preset) => store.set({ window: preset, windows: {} }),
    zoomIn: () => stage.zoom(ZOOM_STEP),
    zoomOut: () => stage.zoom(1 / ZOOM_STEP),
    reset: () => stage.reset(),
    step: (by) => stage.step(by),
    goTo: (slice) => session.scan?.shape && stage.goTo(slice),
    toggleClass: (name) => {
      const { hidden } = store.now;
      store.set({ hidden: hidden.includes(name) ? hidden.filter((one) => one !== name) : [...hidden, name] });
    },
    nextDisc: (by) => {
      const discs = (session.scan?.labels ?? []).filter((one) => one.class === "disc").map((one) => one.label);
      if (discs.length === 0) return;
      const at = discs.indexOf(store.now.disc);
      chooseDisc(discs[at < 0 ? 0 : (at + by + discs.length) % discs.length]);
    },
    leave: () => store.set({ disc: null, ruler: null, measuring: false }),
  };
}

/** Binds the bar and the slider; gives what brings them up to date. */
export function bindControls(store, session, stage, actions) {
  const click = (id, action) => byId(id).addEventListener("click", action);
  click("overlay", actions.overlay);
  click("outline", actions.outline);
  click("ruler", actions.measure);
  click("linked", actions.linked);
  click("zoom-in", actions.zoomIn);
  click("zoom-out", actions.zoomOut);
  click("zoom-reset", actions.reset);
  byId("alpha").addEventListener("input", (event) => store.set({ alpha: Number(event.target.value) }));
  byId("slice").addEventListener("input", (event) => actions.goTo(Number(event.target.value)));
  const presets = PRESETS.map(({ window, name, about, key }) => {
    const button = make("button", { type: "button", textContent: name, title: `${about} (${key})` });
    button.dataset.window = window;
    button.addEventListener("click", () => actions.window(window));
    return button;
  });
  byId("presets").append(...presets);

  return () => {
    const state = store.now;
    const press = (element, isOn) => element.setAttribute("aria-pressed", String(isOn));
    press(byId("overlay"), state.overlay);
    press(byId("outline"), state.outline);
    press(byId("ruler"), state.measuring);
    press(byId("linked"), state.linked);
    byId("alpha").value = state.alpha;
    byId("zoom").textContent = `${Math.round(state.zoom * 100)} %`;
    byId("views").classList.toggle("measuring", state.measuring);
    const { scan } = session;
    byId("linked").disabled = session.series.length < 2;
    for (const preset of presets) press(preset, Boolean(scan?.shape) && windowOf(state, scan) === preset.dataset.window);
    const slider = byId("slice");
    slider.disabled = !scan?.shape;
    slider.max = scan?.shape ? scan.shape[0] - 1 : 0;
    slider.value = state.slice ?? 0;
    byId("slice-number").textContent = scan?.shape && state.slice !== null ? `${state.slice} / ${scan.shape[0] - 1}` : "–";
  };
}
