// A mask as colours and outlines.

/** Its labels as a picture: `colours` gives 0xAABBGGRR by label, 0 for what is not shown. */
export function fill(mask, colours) {
  const [rows, columns] = mask.shape;
  const picture = new ImageData(columns, rows);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let n = 0; n < pixels.length; n += 1) pixels[n] = colours[mask.data[n]];
  const canvas = new OffscreenCanvas(columns, rows);
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

/** Where two masks of a slice agree and differ, as a picture: `colours` gives 0xAABBGGRR by first × 256 + second label. */
export function difference(mask, second, colours) {
  const [rows, columns] = mask.shape;
  const picture = new ImageData(columns, rows);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let n = 0; n < pixels.length; n += 1) pixels[n] = colours[mask.data[n] * 256 + second.data[n]];
  const canvas = new OffscreenCanvas(columns, rows);
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

/** label → the edges of its pixels as a path of closed lines, in columns and rows from the corner of the first pixel. A line
 * has points at its corners only: fewer of them are drawn faster. */
export function outlines({ data, shape: [rows, columns] }) {
  const paths = new Map();
  const isFollowed = new Uint8Array(data.length); // the upper edges of these pixels
  for (let n = 0; n < data.length; n += 1) {
    const label = data[n];
    // Every line has an upper edge; background above the first row.
    if (label === 0 || isFollowed[n] || (n >= columns && data[n - columns] === label)) continue;
    let path = paths.get(label);
    if (!path) paths.set(label, (path = new Path2D()));
    follow(data, rows, columns, n, path, isFollowed);
  }
  return paths;
}

/** Steps to the right, down, to the left and up. */
const STEPS = [[1, 0], [0, 1], [-1, 0], [0, -1]];

/** Follows an edge clockwise around the pixels of a label, from the upper edge of a pixel until it is there again. */
function follow(data, rows, columns, first, path, isFollowed) {
  const label = data[first];
  const has = (x, y) => x >= 0 && y >= 0 && x < columns && y < rows && data[y * columns + x] === label;
  const [startX, startY] = [first % columns, Math.floor(first / columns)];
  let [x, y, heading] = [startX, startY, 0];
  path.moveTo(x, y);
  for (;;) {
    const [right, down] = STEPS[heading];
    if (heading === 0) isFollowed[y * columns + x] = 1;
    x += right;
    y += down;
    // The pixels ahead, to the right and the left of the line. Pixels that meet at a corner only are not connected.
    const rightX = x + ((right - down - 1) >> 1);
    const rightY = y + ((down + right - 1) >> 1);
    const turn = !has(rightX, rightY) ? 1 : has(rightX + down, rightY - right) ? 3 : 0;
    heading = (heading + turn) % 4;
    if (x === startX && y === startY && heading === 0) break;
    if (turn !== 0) path.lineTo(x, y);
  }
  path.closePath();
}

/** The labels of a slice, in order, with how many pixels each has. */
export function counts(mask) {
  const pixels = new Uint32Array(256);
  for (let n = 0; n < mask.data.length; n += 1) pixels[mask.data[n]] += 1;
  return new Map([...pixels.entries()].filter(([label, count]) => label !== 0 && count > 0));
}

/** Colours by label: `colours` packed, 0 for what is hidden, and `palette` as text. `opacity` is that of a class in relation
 * to the others'. */
export function coloursBy(labelOf, hidden, opacity = {}) {
  const colours = new Uint32Array(256);
  const palette = new Map();
  for (let label = 1; label < 256; label += 1) {
    const { colour, group } = labelOf(label);
    palette.set(label, colour);
    if (!hidden.includes(group) && !hidden.includes(label)) colours[label] = packed(colour, opacity[group] ?? 1);
  }
  return { colours, palette };
}

/** 0xAABBGGRR of "#rrggbb". */
function packed(colour, opacity) {
  const [red, green, blue] = [1, 3, 5].map((n) => parseInt(colour.slice(n, n + 2), 16));
  return ((Math.round(255 * opacity) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
