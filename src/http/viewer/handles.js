// The ends of measures as elements over a picture, which pointer and keyboard move.

import { make } from "./dom.js";
import { withMoved } from "./measures.js";

const STEP_MM = 1;
const LARGE_STEP_MM = 5;
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export class Handles {
  #buttons = [];

  /** `pane` shows the measures of `store`. */
  constructor(store, pane) {
    Object.assign(this, { store, pane });
    this.element = make("div", { className: "handles" });
  }

  /** One for each end of the measures that the pane shows. */
  show() {
    const { slice, isActive } = this.pane.view;
    const ends = [];
    this.store.now.measures.forEach((measure, index) => {
      if (!isActive || measure.slice !== slice) return;
      for (let end = 0; 2 * end < measure.points.length; end += 1) ends.push({ index, end, measure });
    });
    while (this.#buttons.length > ends.length) this.#buttons.pop().remove();
    ends.forEach((one, n) => {
      const button = (this.#buttons[n] ??= this.#button());
      const [x, y] = this.pane.pointOf(one.measure.points.slice(2 * one.end, 2 * one.end + 2));
      button.ends = one;
      button.setAttribute("aria-label", `${one.measure.kind} ${one.index + 1}, end ${one.end + 1}: arrow keys move it, Delete removes the ${one.measure.kind}`);
      button.style.left = `${x}px`;
      button.style.top = `${y}px`;
      const [width, height] = this.pane.size;
      button.hidden = x < 0 || y < 0 || x > width || y > height;
    });
  }

  /** Moves the focus to the first end of the last measure. */
  focusLast() {
    const last = this.#buttons.findLastIndex?.(({ ends }) => ends.end === 0) ?? this.#buttons.length - 2;
    this.#buttons[last]?.focus();
  }

  #button() {
    const button = make("button", { type: "button", className: "handle" });
    button.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      button.setPointerCapture(event.pointerId);
    });
    button.addEventListener("pointermove", (event) => {
      if (!button.hasPointerCapture(event.pointerId)) return;
      const box = this.pane.canvas.getBoundingClientRect();
      this.#move(button, this.pane.voxelAt([event.clientX - box.left, event.clientY - box.top]));
    });
    button.addEventListener("keydown", (event) => this.#onKey(button, event));
    this.element.append(button);
    return button;
  }

  #onKey(button, event) {
    const arrow = ARROWS[event.key];
    const isRemoval = event.key === "Delete" || event.key === "Backspace";
    if (!arrow && !isRemoval) return;
    event.preventDefault();
    event.stopPropagation();
    const { index, end, measure } = button.ends;
    if (isRemoval) {
      this.pane.canvas.focus();
      return this.store.set({ measures: this.store.now.measures.filter((_, n) => n !== index) }, { push: true });
    }
    const mm = event.shiftKey ? LARGE_STEP_MM : STEP_MM;
    const [, down, across] = this.pane.view.scan.spacing_mm;
    const [row, column] = measure.points.slice(2 * end, 2 * end + 2);
    this.#move(button, [row + (arrow[0] * mm) / down, column + (arrow[1] * mm) / across]);
  }

  #move(button, place) {
    const { index, end } = button.ends;
    this.store.set({ measures: withMoved(this.store.now.measures, index, end, place) });
    const { slice, scan } = this.pane.view;
    button.ends = { ...button.ends, measure: this.store.now.measures[index] };
  }
}
