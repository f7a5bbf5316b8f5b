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

/** label → the edges of its pixels as a path, in columns and rows from the corner of the first pixel. */
export function outlines(mask) {
  const [rows, columns] = mask.shape;
  const { data } = mask;
  const paths = new Map();
  const at = (row, column) => (row < 0 || column < 0 || row >= rows || column >= columns ? 0 : data[row * columns + column]);
  const edge = (label, x, y, toX, toY) => {
    if (label === 0) return;
    let path = paths.get(label);
    if (!path) paths.set(label, (path = new Path2D()));
    path.moveTo(x, y);
    path.lineTo(toX, toY);
  };
  for (let row = 0; row <= rows; row += 1) {
    for (let column = 0; column <= columns; column += 1) {
      const [here, left, above] = [at(row, column), at(row, column - 1), at(row - 1, column)];
      if (here !== left) for (const label of [here, left]) edge(label, column, row, column, row + 1);
      if (here !== above) for (const label of [here, above]) edge(label, column, row, column + 1, row);
    }
  }
  return paths;
}

/** The labels of a slice, in order, with how many pixels each has. */
export function counts(mask) {
  const found = new Map();
  for (const label of mask.data) if (label !== 0) found.set(label, (found.get(label) ?? 0) + 1);
  return new Map([...found].sort(([a], [b]) => a - b));
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
