// NumPy's file format, version 1 to 3: a magic number, a header that is a Python literal, then the values.

const ARRAYS = {
  "|u1": Uint8Array,
  "|b1": Uint8Array,
  "|i1": Int8Array,
  "<u2": Uint16Array,
  "<i2": Int16Array,
  "<u4": Uint32Array,
  "<i4": Int32Array,
  "<f4": Float32Array,
  "<f8": Float64Array,
};
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const LONGEST_HEADER = 1 << 16;

/** Whether bytes begin like such a file. */
export const isNpy = (bytes) => MAGIC.every((byte, n) => bytes[n] === byte);

/** `{descr, shape, isFortran, start, text}`; the values begin at `start`. */
export function readNpyHeader(bytes) {
  if (!isNpy(bytes)) throw new Error("this is not a .npy file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLong = bytes[6] > 1;
  const from = isLong ? 12 : 10;
  if (bytes.length < from) throw new Error("the .npy file ends within its header");
  const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  if (length > LONGEST_HEADER || bytes.length < from + length) throw new Error("the .npy file ends within its header");
  const text = new TextDecoder().decode(bytes.subarray(from, from + length)).trim();
  const descr = text.match(/['"]descr['"]: *['"]([^'"]+)['"]/)?.[1];
  const shape = text.match(/['"]shape['"]: *\(([^)]*)\)/)?.[1];
  if (shape === undefined) throw new Error(`the header of the .npy file cannot be read: ${text}`);
  const isFortran = /['"]fortran_order['"]: *True/.test(text);
  return { descr, shape: shape.split(",").filter((n) => n.trim()).map(Number), isFortran, start: from + length, text };
}

/** `{data, shape}` of a .npy file in C order. */
export function readNpy(buffer) {
  const { descr, shape, isFortran, start, text } = readNpyHeader(new Uint8Array(buffer));
  const Values = ARRAYS[descr];
  if (!Values || isFortran) throw new Error(`this .npy file cannot be shown: ${text}`);
  // NumPy aligns the values, so that they need no copy.
  const isAligned = start % Values.BYTES_PER_ELEMENT === 0;
  return { data: isAligned ? new Values(buffer, start) : new Values(buffer.slice(start)), shape };
}
