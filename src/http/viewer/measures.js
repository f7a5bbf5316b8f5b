// Rulers and angles over a slice: {kind, slice, points}. A ruler has the (row, column) of two ends, an angle those of two
// lines; an angle whose second line is still to be drawn has two.

import { distance } from "./geometry.js";

const POINTS = { ruler: [4], angle: [4, 8] };
const LETTERS = { ruler: "r", angle: "a" };
const KINDS = { r: "ruler", a: "angle" };

/** "r7:60,40,260,120;a3:…": kind, slice, rows and columns. What cannot be read is left out. */
export function parseMeasures(text) {
  const found = text.split(";").map((part) => {
    const [, letter, slice, list] = /^([ra])(\d{1,4}):([-\d.,]+)$/.exec(part) ?? [];
    const points = list?.split(",").map(Number) ?? [];
    return { kind: KINDS[letter], slice: Number(slice), points };
  });
  return found.filter(({ kind, points }) => POINTS[kind]?.includes(points.length) && points.every(Number.isFinite));
}

export function formatMeasures(measures) {
  const numbers = (points) => points.map((n) => Number(n.toFixed(1))).join(",");
  return measures.map(({ kind, slice, points }) => `${LETTERS[kind]}${slice}:${numbers(points)}`).join(";");
}

/** The lines of a measure: pairs of (row, column). */
export function linesOf({ points }) {
  const lines = [];
  for (let n = 0; n + 3 < points.length; n += 4) lines.push([points.slice(n, n + 2), points.slice(n + 2, n + 4)]);
  return lines;
}

const isComplete = ({ kind, points }) => points.length === POINTS[kind].at(-1);

/** The measures after a line was drawn: a new measure, or the second line of an angle. */
export function withLine(measures, kind, slice, line) {
  const last = measures.at(-1);
  const goesOn = last && kind === "angle" && last.kind === kind && last.slice === slice && !isComplete(last);
  if (goesOn) return [...measures.slice(0, -1), { ...last, points: [...last.points, ...line] }];
  return [...measures.filter(isComplete), { kind, slice, points: line }];
}

/** The measures with one end moved; `end` counts (row, column) pairs. */
export function withMoved(measures, index, end, [row, column]) {
  const points = [...measures[index].points];
  points.splice(2 * end, 2, row, column);
  return measures.map((one, n) => (n === index ? { ...one, points } : one));
}

/** "31.4 mm" or "12.3°". */
export function resultOf(scan, measure) {
  const lines = linesOf(measure);
  if (measure.kind === "ruler") return `${distance(scan, ...lines[0]).toFixed(1)} mm`;
  return lines.length < 2 ? "draw the second line" : `${angleBetween(scan, ...lines).toFixed(1)}°`;
}

/** Degrees between two lines in the patient, 0 to 90 (Cobb). */
function angleBetween(scan, line, other) {
  const [[down, across], [otherDown, otherAcross]] = [line, other].map(([[row, column], [toRow, toColumn]]) => [
    (toRow - row) * scan.spacing_mm[1],
    (toColumn - column) * scan.spacing_mm[2],
  ]);
  const lengths = Math.hypot(down, across) * Math.hypot(otherDown, otherAcross);
  if (lengths === 0) return 0;
  const cosine = Math.abs(down * otherDown + across * otherAcross) / lengths;
  return (Math.acos(Math.min(1, cosine)) * 180) / Math.PI;
}
