// Windows: which stored value is black and which is white. Worked out here from the stored values, so that dragging
// requests nothing.

import { getBounds } from "./api.js";

export const PRESETS = [
  { window: "auto", name: "Auto", key: "a", about: "the foreground of the scan, without its extremes" },
  { window: "full", name: "Full", key: "f", about: "smallest to largest value: nothing is clipped" },
  { window: "p1,99", name: "1–99 %", key: "p", about: "from the scan's 1st to its 99th percentile" },
];

/** The window of a scan as text: the one dragged for scans of its type, or the preset. */
export const windowOf = (state, scan) => state.windows[scan.scan_type] ?? state.window;

const percentiles = new Map();

/** Black and white of a window, in stored values; null while they are being requested; `onKnown` is called then. */
export function boundsOf(window, scan, onKnown) {
  if (window === "auto") return scan.intensity.auto_window;
  if (window === "full") return { low: scan.intensity.min, high: scan.intensity.max };
  if (!window.startsWith("p")) return fromCentre(...window.split(",").map(Number));
  const key = `${scan.scan_id} ${scan.files.revision} ${window}`;
  if (!percentiles.has(key)) {
    percentiles.set(key, null);
    const keep = (bounds) => {
      percentiles.set(key, bounds);
      onKnown();
    };
    // A percentile that the server does not take is shown as the automatic window.
    getBounds(scan.scan_id, window).then(keep, () => keep(scan.intensity.auto_window));
  }
  return percentiles.get(key);
}

/** DICOM PS3.3 C.11.2.1.2, as the service reads `window=C,W`. */
const fromCentre = (centre, width) => ({ low: centre - width / 2, high: centre + width / 2 - 1 });

/** Centre and width of bounds. */
export const toCentre = ({ low, high }) => ({ centre: (low + high + 1) / 2, width: high - low + 1 });

/** The window after a drag of so many pixels: to the right widens it, upwards darkens it. The whole range is worth
 * some 600 pixels. */
export function dragged(bounds, scan, right, down) {
  const { centre, width } = toCentre(bounds);
  const range = scan.intensity.max - scan.intensity.min || 1;
  const step = Math.min(Math.max(width, range / 50), range) / 300;
  const round = range > 50 ? Math.round : (value) => Number(value.toPrecision(4));
  return [round(centre + down * step), Math.max(round(width + right * step), 2)].join(",");
}

/** The window after a step of the keyboard, worth a drag of twenty pixels. */
export const adjusted = (bounds, scan, right, down) => dragged(bounds, scan, 20 * right, 20 * down);

/** Greys, opaque, of stored values. */
export function paint(values, bounds, pixels) {
  const { BYTES_PER_ELEMENT: bytes, buffer } = values;
  if (bytes > 2) {
    for (let n = 0; n < values.length; n += 1) pixels[n] = greyOf(values[n], bounds);
    return;
  }
  const bits = bytes === 2 ? new Uint16Array(buffer, values.byteOffset, values.length) : new Uint8Array(buffer, values.byteOffset, values.length);
  const table = tableOf(values.constructor, bounds);
  for (let n = 0; n < bits.length; n += 1) pixels[n] = table[bits[n]];
}

function greyOf(value, { low, high }) {
  const share = high > low ? (value - low) / (high - low) : value > low ? 1 : 0;
  return 0xff000000 | (Math.round(Math.min(1, Math.max(0, share)) * 255) * 0x010101);
}

let lastTable = {}; // {Values, low, high, table}

/** The greys of every value there can be, by its bits; the same for every slice while the window stays. */
function tableOf(Values, { low, high }) {
  if (lastTable.Values === Values && lastTable.low === low && lastTable.high === high) return lastTable.table;
  const count = 2 ** (8 * Values.BYTES_PER_ELEMENT);
  const isSigned = Values === Int16Array || Values === Int8Array;
  const table = new Uint32Array(count);
  for (let n = 0; n < count; n += 1) table[n] = greyOf(isSigned && n >= count / 2 ? n - count : n, { low, high });
  lastTable = { Values, low, high, table };
  return table;
}
