// The keyboard, and the help that tells of it: both from one table.

import { byId, make } from "./dom.js";
import { CLASSES } from "./state.js";
import { PRESETS } from "./window.js";

const MOUSE = [
  ["Wheel", "through the slices"],
  ["Ctrl + wheel", "zoom where the pointer is"],
  ["Drag", "move the picture"],
  ["Right button or Shift + drag", "window: sideways width, up and down centre"],
  ["Double click", "whole picture"],
  ["Click on a disc", "outline it, and show its grading"],
];

function tableOf(actions, list, session) {
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
    [["m"], "ruler in millimetres", actions.measure],
    [["c"], "series of the patient side by side", actions.linked],
    [["d"], "next disc upwards", () => actions.nextDisc(1)],
    [["D"], "next disc downwards", () => actions.nextDisc(-1)],
    [["]"], "next scan of the list", () => list.step(1)],
    [["["], "previous scan of the list", () => list.step(-1)],
    [["Escape"], "no disc, no ruler", actions.leave],
    [["?"], "this help", () => byId("help").showModal()],
  ];
}

const NAMES = { ArrowDown: "↓", ArrowRight: "→", ArrowUp: "↑", ArrowLeft: "←", PageDown: "Page ↓", PageUp: "Page ↑", Escape: "Esc", D: "Shift + D" };

/** Listens for the keys and fills the help. */
export function bindKeys(actions, list, session) {
  const table = tableOf(actions, list, session);
  const byKey = new Map(table.flatMap(([keys, , action]) => keys.map((key) => [key, action])));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open || isTyping(event)) return;
    const action = byKey.get(event.key);
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

/** Whether a key belongs to the field that has the focus. The slices' slider obeys the keys of the picture. */
function isTyping({ target, key }) {
  if (target.id === "slice") return false;
  if (target.matches("select, textarea, input:not([type=range], [type=checkbox])")) return true;
  return target.matches("input[type=range]") && /^(Arrow|Page|Home|End)/.test(key);
}
