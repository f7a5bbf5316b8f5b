// Grey PNG files, 8 or 16 bits, decoded here: what a browser's canvas gives back has 8 bits, and some browsers alter it.

const SIGNATURE = 0x89504e47;
const GREY = 0;

/** Whether this browser can decode them. */
export const canReadPng = typeof DecompressionStream === "function";

/** `{data, shape}`: samples as Uint8Array or Uint16Array, row by row. */
export async function readPng(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== SIGNATURE) throw new Error("this is not a PNG file");
  const [columns, rows] = [view.getUint32(16), view.getUint32(20)];
  const [depth, colourType, , , interlace] = bytes.subarray(24, 29);
  if (colourType !== GREY || ![8, 16].includes(depth) || interlace !== 0) {
    throw new Error(`this PNG file cannot be read: colour type ${colourType}, ${depth} bits, interlace ${interlace}`);
  }
  const stream = new Blob(dataOf(view, bytes)).stream().pipeThrough(new DecompressionStream("deflate"));
  const filtered = new Uint8Array(await new Response(stream).arrayBuffer());
  const width = depth / 8;
  const stored = unfiltered(filtered, rows, columns * width, width);
  return { data: depth === 8 ? stored : bigEndian(stored), shape: [rows, columns] };
}

/** The contents of the IDAT chunks. */
function dataOf(view, bytes) {
  const parts = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (name === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  return parts;
}

/** Undoes the filters (PNG specification, 9.2). `width`: bytes of a pixel. */
function unfiltered(filtered, rows, stride, width) {
  const out = new Uint8Array(rows * stride);
  for (let row = 0; row < rows; row += 1) {
    const from = row * (stride + 1) + 1;
    const to = row * stride;
    const above = to - stride;
    const filter = filtered[from - 1];
    for (let n = 0; n < stride; n += 1) {
      const left = n < width ? 0 : out[to + n - width];
      const up = row === 0 ? 0 : out[above + n];
      let predicted = 0;
      if (filter === 1) predicted = left;
      else if (filter === 2) predicted = up;
      else if (filter === 3) predicted = (left + up) >> 1;
      else if (filter === 4) predicted = paeth(left, up, row === 0 || n < width ? 0 : out[above + n - width]);
      out[to + n] = filtered[from + n] + predicted;
    }
  }
  return out;
}

function paeth(left, up, corner) {
  const estimate = left + up - corner;
  const [a, b, c] = [Math.abs(estimate - left), Math.abs(estimate - up), Math.abs(estimate - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

function bigEndian(bytes) {
  const samples = new Uint16Array(bytes.length / 2);
  for (let n = 0; n < samples.length; n += 1) samples[n] = (bytes[2 * n] << 8) | bytes[2 * n + 1];
  return samples;
}
