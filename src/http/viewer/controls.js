// The bar above the picture and the slider below it.

import { byId, disable, isDisabled, make, write } from "./dom.js";
import { whyNoPlanes } from "./planes.js";
import { TOOLS } from "./state.js";
import { megabytesOf } from "./volume.js";
import { PRESETS, adjusted, windowOf } from "./window.js";

const ZOOM_STEP = 1.25;

/** What the buttons and keys do to the state. */
export function actionsOn(store, session, stage) {
  const toggle = (name) => () => store.set({ [name]: !store.now[name] });
  const chooseDisc = (label) => {
    const found = session.scan?.labels?.find((one) => one.label === label);
    const patch = { disc: label, overlay: true, hidden: store.now.hidden.filter((name) => name !== "discs" && name !== label), panel: "stage" };
    store.set(found ? { ...patch, slice: found.best_slice, ...stage.crossAt(found), ...stage.broughtIntoView(found) } : patch, { push: true });
  };
  return {
    chooseDisc,
    overlay: toggle("overlay"),
    outline: toggle("outline"),
    tool: (name) => store.set({ tool: store.now.tool === name ? "move" : name }),
    linked: () => isDisabled(byId("linked")) || store.set({ linked: !store.now.linked, planes: false }, { push: true }),
    planes: () => isDisabled(byId("planes")) || store.set({ planes: !store.now.planes, linked: false }, { push: true }),
    fold: (name) => {
      const { folded } = store.now;
      store.set({ folded: folded.includes(name) ? folded.filter((one) => one !== name) : [...folded, name] });
    },
    fullScreen: () => {
      const isWhole = store.now.folded.length === 2;
      store.set({ folded: isWhole ? [] : ["scans", "details"] });
      if (isWhole) document.exitFullscreen?.().catch(() => {});
      else document.documentElement.requestFullscreen?.().catch(() => {});
    },
    pan: (right, down) => stage.pan(right, down),
    adjustWindow: (right, down) => {
      const { scan } = session;
      if (scan?.shape && stage.bounds) store.set({ windows: { ...store.now.windows, [scan.scan_type]: adjusted(stage.bounds, scan, right, down) } });
    },
    clearMeasures: () => store.set({ measures: [] }, { push: true }),
    goToStructure: (label, slice) => {
      const found = session.scan?.labels?.find((one) => one.label === label);
      if (found) store.set({ slice, panel: "stage", ...stage.crossAt(found), ...stage.broughtIntoView(found) }, { push: true });
    },
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
    /** Shows or hides one label; the others of a hidden class stay hidden. */
    toggleLabel: (label, group) => {
      const { hidden } = store.now;
      if (!hidden.includes(group)) {
        return store.set({ hidden: hidden.includes(label) ? hidden.filter((one) => one !== label) : [...hidden, label] });
      }
      const others = (session.scan?.labels ?? []).map((one) => one.label).filter((one) => one !== label && session.labelOf(one).group === group);
      store.set({ hidden: [...hidden.filter((one) => one !== group), ...others] });
    },
    nextDisc: (by) => {
      const discs = (session.scan?.labels ?? []).filter((one) => one.class === "disc").map((one) => one.label);
      if (discs.length === 0) return;
      const at = discs.indexOf(store.now.disc);
      chooseDisc(discs[at < 0 ? 0 : (at + by + discs.length) % discs.length]);
    },
    leave: () => store.set({ disc: null, tool: "move" }),
  };
}

/** Binds the bar and the slider; gives what brings them up to date. */
export function bindControls(store, session, stage, actions) {
  const click = (id, action) => byId(id).addEventListener("click", action);
  click("overlay", actions.overlay);
  click("outline", actions.outline);
  for (const tool of TOOLS) document.querySelector(`[data-tool="${tool}"]`)?.addEventListener("click", () => actions.tool(tool));
  click("fold-scans", () => actions.fold("scans"));
  click("fold-details", () => actions.fold("details"));
  click("full-screen", actions.fullScreen);
  click("linked", actions.linked);
  click("planes", actions.planes);
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
    for (const button of document.querySelectorAll("#tools [data-tool]")) press(button, state.tool === button.dataset.tool);
    for (const name of ["scans", "details"]) {
      press(byId(`fold-${name}`), !state.folded.includes(name));
      document.body.classList.toggle(`folded-${name}`, state.folded.includes(name));
    }
    press(byId("full-screen"), state.folded.length === 2);
    document.body.dataset.panel = state.panel;
    press(byId("linked"), state.linked);
    byId("alpha").value = state.alpha;
    write(byId("zoom"), `${Math.round(state.zoom * 100)} %`);
    byId("views").dataset.tool = state.tool;
    const { scan } = session;
    press(byId("planes"), state.planes);
    const noPlanes = whyNoPlanes(scan);
    disable(byId("planes"), noPlanes);
    if (!noPlanes) byId("planes").title = `Axial and coronal planes beside the sagittal one (t); loads ${megabytesOf(scan)} MB`;
    byId("linked").title = "All series of the patient, side by side (c)";
    disable(byId("linked"), session.series.length < 2 ? "There is no other series of this patient" : null);
    for (const preset of presets) press(preset, Boolean(scan?.shape) && windowOf(state, scan) === preset.dataset.window);
    const slider = byId("slice");
    slider.disabled = !scan?.shape;
    slider.max = scan?.shape ? scan.shape[0] - 1 : 0;
    slider.value = state.slice ?? 0;
    write(byId("slice-number"), scan?.shape && state.slice !== null ? `${state.slice} of 0–${scan.shape[0] - 1}` : "–");
  };
}
