// The keyboard, and the help that lists it: both from one table.

import { byId, make } from "./dom.js";
import { CLASSES } from "./state.js";
import { PRESETS } from "./window.js";

const MOUSE = [
  ["Wheel", "through the slices"],
  ["Ctrl + wheel", "zoom where the pointer is"],
  ["Drag", "move the picture"],
  ["Right button or Shift + drag", "window: sideways width, up and down centre"],
  ["Double click", "whole picture"],
  ["Drop a mask file", "show it over the scan, as a second mask"],
  ["Drag in one of three planes", "move the crosshair; the middle button moves the picture"],
  ["Arrows on another plane", "move the crosshair; Page ↑ and ↓ move the plane"],
  ["Click on a disc", "outline it, and show its grading"],
];

function tableOf(actions, list, session, stage) {
  const last = () => (session.scan?.shape?.[0] ?? 1) - 1;
  return [
    [["ArrowDown", "ArrowRight"], "next slice", () => actions.step(1)],
    [["ArrowUp", "ArrowLeft"], "previous slice", () => actions.step(-1)],
    [["PageDown"], "five slices on", () => actions.step(5)],
    [["PageUp"], "five slices back", () => actions.step(-5)],
    [["Home"], "first slice", () => actions.goTo(0)],
    [["End"], "last slice", () => actions.goTo(last())],
    [["b"], "the slice with the most labels", () => actions.goTo(session.scan?.geometry?.best_slice ?? 0)],
    [["o"], "labels on or off", actions.overlay],
    [["l"], "outlines on or off", actions.outline],
    ...CLASSES.map((name, n) => [[String(n + 1)], `show or hide ${name}`, () => actions.toggleClass(name)]),
    ...PRESETS.map(({ key, window, name }) => [[key], `window: ${name}`, () => actions.window(window)]),
    [["+", "="], "zoom in", actions.zoomIn],
    [["-"], "zoom out", actions.zoomOut],
    [["0"], "whole picture", actions.reset],
    [["Shift+ArrowUp"], "move the picture down", () => actions.pan(0, PAN)],
    [["Shift+ArrowDown"], "move the picture up", () => actions.pan(0, -PAN)],
    [["Shift+ArrowLeft"], "move the picture to the right", () => actions.pan(PAN, 0)],
    [["Shift+ArrowRight"], "move the picture to the left", () => actions.pan(-PAN, 0)],
    [["w"], "wider window", () => actions.adjustWindow(1, 0)],
    [["W"], "narrower window", () => actions.adjustWindow(-1, 0)],
    [["e"], "brighter", () => actions.adjustWindow(0, -1)],
    [["E"], "darker", () => actions.adjustWindow(0, 1)],
    [["g"], "dragging changes the window", () => actions.tool("window")],
    [["m"], "dragging measures millimetres", () => actions.tool("ruler")],
    [["v"], "dragging measures an angle", () => actions.tool("angle")],
    [["n"], "new ruler or angle in the middle; arrows move its ends", () => stage.addMeasure()],
    [["X"], "remove all rulers and angles", actions.clearMeasures],
    [["S"], "save the picture", () => byId("save-picture").click()],
    [["s"], "show or hide the list", () => actions.fold("scans")],
    [["i"], "show or hide the details", () => actions.fold("details")],
    [["z"], "full screen", actions.fullScreen],
    [["c"], "series of the patient side by side", actions.linked],
    [["t"], "three planes: axial and coronal, too", actions.planes],
    [["d"], "next disc upwards", () => actions.nextDisc(1)],
    [["D"], "next disc downwards", () => actions.nextDisc(-1)],
    [["]"], "next scan of the list", () => list.step(1)],
    [["["], "previous scan of the list", () => list.step(-1)],
    [["Escape"], "no disc, no tool", actions.leave],
    [["?"], "this help", () => byId("help").showModal()],
  ];
}

const PAN = 40;
const NAMES = { ArrowDown: "↓", ArrowRight: "→", ArrowUp: "↑", ArrowLeft: "←", PageDown: "Page ↓", PageUp: "Page ↑", Escape: "Esc", D: "Shift + D", W: "Shift + W", E: "Shift + E", X: "Shift + X", S: "Shift + S", "Shift+ArrowUp": "Shift + ↑", "Shift+ArrowDown": "Shift + ↓", "Shift+ArrowLeft": "Shift + ←", "Shift+ArrowRight": "Shift + →" };

/** Listens for the keys and fills the help. */
export function bindKeys(actions, list, session, stage) {
  const table = tableOf(actions, list, session, stage);
  const byKey = new Map(table.flatMap(([keys, , action]) => keys.map((key) => [key, action])));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open || isTyping(event)) return;
    const action = byKey.get(event.shiftKey && event.key.startsWith("Arrow") ? `Shift+${event.key}` : event.key);
    if (!action) return;
    event.preventDefault();
    action();
  });
  const keyed = (keys) => keys.flatMap((key, n) => [n > 0 ? " " : "", make("kbd", { textContent: NAMES[key] ?? key })]);
  const row = (what, does) => [make("dt", {}, what), make("dd", { textContent: does })];
  const keyRows = table.map(([keys, does]) => row(make("span", {}, keyed(keys)), does));
  const half = Math.ceil(keyRows.length / 2);
  const columns = [MOUSE.map(([what, does]) => row(what, does)), keyRows.slice(0, half), keyRows.slice(half)];
  byId("help-keys").append(...columns.map((rows) => make("dl", {}, ...rows)));
  byId("help-button").addEventListener("click", () => byId("help").showModal());
}

/** Whether a key belongs to the field that has the focus. */
function isTyping({ target, key }) {
  if (target.matches("select, textarea, input:not([type=range], [type=checkbox])")) return true;
  return target.matches("input[type=range]") && /^(Arrow|Page|Home|End)/.test(key);
}
