// One scan's slice on a canvas: grey values, labels, measures, scale. A view says what to draw:
// {scan, slice, entry, second, bounds, centre, scale (pixels per mm), state, colours, palette, isActive, cursor, cross, note,
// ask}. In another plane than the sagittal one, the scan is as it is seen in that plane, and the slice is a depth of it.

import { make, rounded, scanTypeName, write } from "./dom.js";
import { side, sidesOf } from "./geometry.js";
import { Handles } from "./handles.js";
import { linesOf, resultOf } from "./measures.js";
import { difference, fill, outlines } from "./overlay.js";
import { PLANES } from "./planes.js";
import { between } from "./state.js";
import { PRESETS, paint, toCentre, windowOf } from "./window.js";

const SCALE_MM = [100, 50, 20, 10, 5, 2, 1];
const MEASURE_COLOUR = "#ffe27a";
const FONT = "12px system-ui, sans-serif";
const CHOSEN_COLOUR = "#ffffff";
const SECOND_COLOUR = "#ffffff";
const CROSS_COLOUR = "#7fe3ff";
const CROSS_GAP = 9;

export class Pane {
  #greys = {};
  #fill = {};
  #outlines = {};
  #second = {}; // the second mask as it was drawn last
  #size = null;

  /** `onAsked()` is called when what a view asks is granted. */
  constructor(store, plane, onAsked) {
    this.plane = plane;
    this.handles = new Handles(store, this);
    this.canvas = make("canvas", { tabIndex: 0, role: "img" });
    const corner = (place) => make("span", { className: `corner ${place}` });
    this.corners = { name: corner("top left"), person: corner("top right"), place: corner("bottom left"), window: corner("bottom right") };
    const side = (place) => make("span", { className: `side ${place}`, "aria-hidden": "true" });
    this.note = make("span", { className: "note", role: "status", hidden: true });
    this.hover = make("span", { className: "hover", hidden: true });
    // Above, below, left and right.
    this.sides = ["north", "south", "west", "east"].map(side);
    this.ask = make("button", { type: "button", className: "ask", hidden: true });
    this.ask.addEventListener("click", onAsked);
    this.element = make("figure", { className: `pane ${plane}` }, this.canvas, Object.values(this.corners), this.sides, this.handles.element, this.note, this.ask, this.hover);
  }

  /** Width and height in pixels of the page. Kept, because the browser lays the page out before it answers. */
  get size() {
    return (this.#size ??= [this.canvas.clientWidth, this.canvas.clientHeight]);
  }

  /** Measures itself before it is drawn again. */
  forgetSize() {
    this.#size = null;
  }

  /** What is shown, in a line. */
  get caption() {
    return Object.values(this.corners).map((corner) => corner.textContent.replaceAll("\n", " ")).filter(Boolean).join(" · ");
  }

  /** Row and column, not rounded, under a point of the canvas. */
  voxelAt([x, y]) {
    const { centre, scale, scan } = this.view;
    const [width, height] = this.size;
    return [centre[0] + (y - height / 2) / (scan.spacing_mm[1] * scale), centre[1] + (x - width / 2) / (scan.spacing_mm[2] * scale)];
  }

  /** The point of the canvas at a row and column. */
  pointOf([row, column]) {
    const { centre, scale, scan } = this.view;
    const [width, height] = this.size;
    return [width / 2 + (column - centre[1]) * scan.spacing_mm[2] * scale, height / 2 + (row - centre[0]) * scan.spacing_mm[1] * scale];
  }

  /** `{value, label}` at a row and column; nothing beyond the slice or before it has arrived. */
  probe([row, column]) {
    const { entry: { image, mask }, second } = this.view;
    const [r, c] = [Math.round(row), Math.round(column)];
    const [, rows, columns] = this.view.scan.shape;
    if (r < 0 || c < 0 || r >= rows || c >= columns) return null;
    return { row: r, column: c, value: image?.data[r * columns + c], label: mask?.data[r * columns + c], predicted: second?.values[second.mask.data[r * columns + c]] };
  }

  /** Writes a structure's name beside a point; no point: no name. */
  name(point, text, colour) {
    this.hover.hidden = !point;
    if (!point) return;
    const swatch = make("i", { className: "swatch" });
    swatch.style.background = colour;
    this.hover.replaceChildren(swatch, text);
    const [width, height] = this.size;
    const isRight = point[0] > width / 2;
    this.hover.style.left = isRight ? "auto" : `${point[0] + 14}px`;
    this.hover.style.right = isRight ? `${width - point[0] + 14}px` : "auto";
    this.hover.style.top = `${Math.min(point[1] + 12, height - 32)}px`;
  }

  draw(view) {
    this.view = view;
    const [width, height] = this.size;
    const sharpness = devicePixelRatio || 1;
    const pixels = [width, height].map((n) => Math.max(1, Math.round(n * sharpness)));
    if (this.canvas.width !== pixels[0]) this.canvas.width = pixels[0];
    if (this.canvas.height !== pixels[1]) this.canvas.height = pixels[1];
    const context = this.canvas.getContext("2d");
    context.setTransform(sharpness, 0, 0, sharpness, 0, 0);
    context.clearRect(0, 0, width, height);
    this.#drawGreys(context);
    // Where the masks differ is coloured instead of the labels.
    if (view.state.overlay && view.entry.mask && view.second?.view !== "difference") this.#drawLabels(context);
    this.#drawSecond(context);
    if (view.cursor) this.#drawCursor(context);
    if (view.cross) this.#drawCross(context);
    if (view.isActive) for (const measure of view.state.measures) if (measure.slice === view.slice) this.#drawMeasure(context, measure);
    this.handles.show();
    this.#drawScale(context);
    this.#describe();
  }

  /** The corners of the slice on the canvas: x, y, width, height. */
  #box() {
    const [, rows, columns] = this.view.scan.shape;
    const [x, y] = this.pointOf([-0.5, -0.5]);
    const [right, bottom] = this.pointOf([rows - 0.5, columns - 0.5]);
    return [x, y, right - x, bottom - y];
  }

  #drawGreys(context) {
    const { entry, bounds } = this.view;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    if (entry.image && bounds) {
      if (this.#greys.image !== entry.image || this.#greys.low !== bounds.low || this.#greys.high !== bounds.high) {
        const [rows, columns] = entry.image.shape;
        const picture = new ImageData(columns, rows);
        paint(entry.image.data, bounds, new Uint32Array(picture.data.buffer));
        const canvas = new OffscreenCanvas(columns, rows);
        canvas.getContext("2d").putImageData(picture, 0, 0);
        this.#greys = { image: entry.image, ...bounds, canvas };
      }
      context.drawImage(this.#greys.canvas, ...this.#box());
    } else if (entry.preview) {
      context.drawImage(entry.preview, ...this.#box());
    } else if (this.#greys.canvas) {
      // The last slice, so that nothing flashes; dim, because it is not the one that is named.
      context.globalAlpha = 0.3;
      context.drawImage(this.#greys.canvas, ...this.#box());
      context.globalAlpha = 1;
    }
  }

  #drawLabels(context) {
    const { entry, state, colours, palette } = this.view;
    if (this.#fill.mask !== entry.mask || this.#fill.colours !== colours) {
      this.#fill = { mask: entry.mask, colours, canvas: fill(entry.mask, colours) };
    }
    if (this.#outlines.mask !== entry.mask) this.#outlines = { mask: entry.mask, paths: outlines(entry.mask) };
    context.imageSmoothingEnabled = false;
    context.globalAlpha = state.alpha;
    context.drawImage(this.#fill.canvas, ...this.#box());
    context.globalAlpha = 1;
    if (state.outline) {
      for (const [label, path] of this.#outlines.paths) {
        if (colours[label] !== 0) this.#stroke(context, path, palette.get(label), 1.25);
      }
    }
    const chosen = this.#outlines.paths.get(state.disc);
    if (chosen) {
      this.#stroke(context, chosen, "#000000", 4.5);
      this.#stroke(context, chosen, CHOSEN_COLOUR, 2);
    }
  }

  #drawSecond(context) {
    const { entry, second, state } = this.view;
    if (!second) return (this.#second = {});
    const { mask, colours, view } = second;
    const isKnown = this.#second.mask === mask && this.#second.truth === entry.mask && this.#second.colours === colours;
    if (!isKnown) this.#second = { mask, truth: entry.mask, colours };
    if (view === "outline") {
      this.#second.paths ??= outlines(mask);
      for (const path of this.#second.paths.values()) {
        this.#stroke(context, path, "#000000", 3);
        this.#stroke(context, path, SECOND_COLOUR, 1.25);
      }
    } else if (entry.mask) {
      this.#second.canvas ??= difference(entry.mask, mask, colours);
      context.imageSmoothingEnabled = false;
      // More opaque than labels: what lies beneath is looked at less.
      context.globalAlpha = Math.sqrt(state.alpha);
      context.drawImage(this.#second.canvas, ...this.#box());
      context.globalAlpha = 1;
    }
  }

  /** Lines of the same width whatever the zoom. */
  #stroke(context, path, colour, width) {
    const [, rows, columns] = this.view.scan.shape;
    const [x, y, across, down] = this.#box();
    const onCanvas = new Path2D();
    onCanvas.addPath(path, new DOMMatrix([across / columns, 0, 0, down / rows, x, y]));
    context.lineCap = "round";
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke(onCanvas);
  }

  #drawCursor(context) {
    const [x, y] = this.pointOf(this.view.cursor);
    context.strokeStyle = "#ffffffb0";
    context.lineWidth = 1;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 4 * dx, y + 4 * dy);
      context.lineTo(x + 12 * dx, y + 12 * dy);
    }
    context.stroke();
  }

  /** Where the other planes lie. */
  #drawCross(context) {
    const [x, y] = this.pointOf(this.view.cross);
    const [width, height] = this.size;
    for (const [colour, thickness] of [["#00000090", 3], [CROSS_COLOUR, 1]]) {
      context.strokeStyle = colour;
      context.lineWidth = thickness;
      context.beginPath();
      for (const [from, to] of [[[0, y], [x - CROSS_GAP, y]], [[x + CROSS_GAP, y], [width, y]], [[x, 0], [x, y - CROSS_GAP]], [[x, y + CROSS_GAP], [x, height]]]) {
        context.moveTo(...from);
        context.lineTo(...to);
      }
      context.stroke();
    }
  }

  #drawMeasure(context, measure) {
    const lines = linesOf(measure).map((ends) => ends.map((end) => this.pointOf(end)));
    for (const [colour, width] of [["#000000", 4], [MEASURE_COLOUR, 1.75]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      for (const [from, to] of lines) {
        context.moveTo(...from);
        context.lineTo(...to);
        for (const [x, y] of [from, to]) {
          context.moveTo(x + 4, y);
          context.arc(x, y, 4, 0, 2 * Math.PI);
        }
      }
      context.stroke();
    }
    const [right, y] = lines.flat().reduce((most, point) => (point[0] > most[0] ? point : most));
    this.#writeInside(context, resultOf(this.view.scan, measure), right + 10, y + 4);
  }

  /** Text as near to a point as the canvas has room for it. */
  #writeInside(context, text, x, y) {
    context.font = FONT;
    const [width, height] = this.size;
    const room = width - context.measureText(text).width - 6;
    // Beside the end of a line; above it where there is no room beside.
    const top = x > room ? y - 12 : y;
    written(context, text, between(x, 6, Math.max(6, room)), between(top, 16, height - 8), MEASURE_COLOUR);
  }

  #drawScale(context) {
    const [width, height] = this.size;
    const { scale } = this.view;
    const mm = SCALE_MM.find((one) => one * scale < width / 4) ?? SCALE_MM.at(-1);
    const isSmall = width < 420;
    // Another plane has no text at its right; a small pane has the window there.
    const [x, y] = this.plane === "sagittal" ? [width / 2 - (mm * scale) / 2, height - (isSmall ? 54 : 14)] : [width - mm * scale - 46, height - 14];
    context.strokeStyle = "#e6edf3";
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x, y - 4);
    context.lineTo(x, y);
    context.lineTo(x + mm * scale, y);
    context.lineTo(x + mm * scale, y - 4);
    context.stroke();
    written(context, mm >= 10 ? `${mm / 10} cm` : `${mm} mm`, x + mm * scale + 6, y + 3, "#e6edf3");
  }

  #describe() {
    const { scan, slice, bounds, entry, second, isOutside } = this.view;
    const isWhole = entry.image && entry.mask && bounds;
    const place = this.plane === "sagittal" ? this.#describeScan() : this.#describePlane();
    write(this.corners.place, place.join("\n"));
    this.#nameSides();
    const plane = this.plane === "sagittal" ? "" : `${this.plane}, `;
    this.canvas.setAttribute("aria-label", `Scan ${scan.scan_id}, ${plane}${place.join(", ")}`);
    this.canvas.dataset.drawn = isWhole ? `${scan.scan_id} ${this.plane === "sagittal" ? "" : `${this.plane} `}${slice}` : "";
    this.canvas.dataset.second = second && entry.mask ? `${second.view} ${second.name}` : "";
    this.canvas.dataset.labels = entry.mask ? "mask" : "";
    this.canvas.dataset.greys = entry.image && bounds ? "values" : entry.preview ? "preview" : "";
    const note = entry.problem?.message ?? this.view.note ?? progressText(slice, entry) ?? (isOutside ? "outside this series; its nearest slice" : "");
    write(this.note, note);
    this.note.hidden = note === "";
    write(this.ask, this.view.ask ?? "");
    this.ask.hidden = !this.view.ask;
  }

  /** Which sides of the patient lie above, below, left and right. */
  #nameSides() {
    const [, down, across] = PLANES[this.plane].axes;
    const sides = sidesOf(this.view.scan);
    [...sides[down], ...sides[across]].forEach((text, n) => write(this.sides[n], text));
  }

  /** The corners of the sagittal plane; where it is. */
  #describeScan() {
    const { scan, slice, bounds, state, second } = this.view;
    const { sex, age } = scan.metadata ?? {};
    const over = second ? `\nover it ${second.name}` : "";
    write(this.corners.name, `${scan.scan_id}\n${scanTypeName(scan.scan_type)}${over}`);
    const person = [{ F: "female", M: "male" }[sex] ?? sex, age === null || age === undefined ? null : `${rounded(age)} y`];
    write(this.corners.person, person.filter(Boolean).join("\n"));
    write(this.corners.window, bounds ? windowText(windowOf(state, scan), toCentre(bounds)) : "");
    return [`slice ${slice} of 0–${scan.shape[0] - 1}`, side(scan, slice)];
  }

  /** The corners of another plane; where it is. */
  #describePlane() {
    const { scan, slice } = this.view;
    write(this.corners.name, `${scan.scan_id}\n${this.plane}`);
    return [`${PLANES[this.plane].depth} ${slice} of 0–${scan.shape[0] - 1}`, ...this.view.thickness];
  }
}

/** How far a slice that is not whole has come; null when it is. */
function progressText(slice, { image, mask, progress }) {
  if (image && mask) return null;
  const share = progress?.total ? ` ${Math.floor((100 * progress.received) / progress.total)} %` : "";
  return image ? `Loading labels of slice ${slice}` : `Loading slice ${slice}${share}`;
}

/** "C 278 W 386", and the name of a preset. */
function windowText(window, { centre, width }) {
  const numbers = `C ${rounded(centre, 1)}  W ${rounded(width, 1)}`;
  const preset = PRESETS.find((one) => one.window === window);
  return preset ? `${numbers}\n${preset.name.toLowerCase()}` : numbers;
}

/** Text with a dark edge, to be read on any grey. */
function written(context, text, x, y, colour) {
  context.font = FONT;
  context.lineWidth = 3;
  context.strokeStyle = "#000000";
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}
