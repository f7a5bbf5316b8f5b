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

/** `{data, shape}` of a .npy file in C order. */
export function readNpy(buffer) {
  const view = new DataView(buffer);
  if (view.getUint32(0) !== 0x934e554d) throw new Error("this is not a .npy file");
  const isLong = view.getUint8(6) > 1;
  const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (isLong ? 12 : 10) + length;
  const header = new TextDecoder().decode(new Uint8Array(buffer, start - length, length));
  const descr = header.match(/'descr': *'([^']+)'/)?.[1];
  const shape = header.match(/'shape': *\(([^)]*)\)/)?.[1];
  const Values = ARRAYS[descr];
  if (!Values || shape === undefined || header.includes("'fortran_order': True")) {
    throw new Error(`this .npy file cannot be shown: ${header.trim()}`);
  }
  return { data: new Values(buffer.slice(start)), shape: shape.split(",").filter((n) => n.trim()).map(Number) };
}
