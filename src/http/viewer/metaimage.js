// The header of MetaImage files (.mha): lines of `key = value`, then the voxels, raw or as one zlib or gzip stream.

const LAST_KEY = "ElementDataFile";
const LONGEST_HEADER = 1 << 16;
const ELEMENTS = {
  MET_CHAR: "i1", MET_UCHAR: "u1", MET_SHORT: "i2", MET_USHORT: "u2", MET_INT: "i4", MET_UINT: "u4", MET_LONG: "i4",
  MET_ULONG: "u4", MET_LONG_LONG: "i8", MET_ULONG_LONG: "u8", MET_FLOAT: "f4", MET_DOUBLE: "f8",
};
const ORIGINS = ["Offset", "Position", "Origin", "ImagePosition"];
const MATRICES = ["TransformMatrix", "Rotation", "Orientation"];

/** Whether bytes look like such a header. */
export const isMetaImage = (bytes) => textOf(bytes).includes("NDims");

/** `{shape, affine, element, isBigEndian, isCompressed, start}`: the shape as (k, j, i), an affine from (k, j, i, 1) to LPS
 * millimetres; voxels begin at `start`. */
export function readMetaImageHeader(bytes) {
  const { fields, start } = fieldsOf(bytes);
  const get = (...keys) => keys.map((key) => fields.get(key)).find((value) => value !== undefined);
  const only = { ObjectType: "Image", NDims: "3", ElementNumberOfChannels: "1", HeaderSize: "0", [LAST_KEY]: "LOCAL" };
  for (const [key, allowed] of Object.entries(only)) {
    const value = get(key);
    const isAllowed = value === undefined ? key !== "NDims" : value.toLowerCase() === allowed.toLowerCase();
    if (!isAllowed) throw new Error(`the MetaImage header has ${key} = ${value ?? "nothing"}, expected ${allowed}`);
  }
  const flag = (...keys) => /^[Tt1]/.test(get(...keys) ?? "");
  if (get("BinaryData") !== undefined && !flag("BinaryData")) throw new Error("MetaImage files with voxels as text are not supported");
  const numbers = (keys, count, initial) => {
    const value = get(...keys);
    const found = value === undefined ? initial : value.split(/\s+/).map(Number);
    if (found?.length !== count || !found.every(Number.isFinite)) throw new Error(`the MetaImage header has ${keys[0]} = ${value ?? "nothing"}, expected ${count} numbers`);
    return found;
  };
  const element = ELEMENTS[get("ElementType")];
  if (!element) throw new Error(`the MetaImage header has ElementType = ${get("ElementType") ?? "nothing"}, which is not supported`);
  const size = numbers(["DimSize"], 3);
  if (!size.every((n) => Number.isInteger(n) && n > 0)) throw new Error(`the MetaImage header has DimSize = ${get("DimSize")}, expected three whole numbers above 0`);
  const origin = numbers(ORIGINS, 3, [0, 0, 0]);
  const spacing = numbers(["ElementSpacing", "ElementSize"], 3, [1, 1, 1]);
  // One direction after the other: of the i, the j and the k axis.
  const matrix = numbers(MATRICES, 9, [1, 0, 0, 0, 1, 0, 0, 0, 1]);
  const affine = [0, 1, 2].map((world) => [2, 1, 0].map((axis) => matrix[3 * axis + world] * spacing[axis]).concat(origin[world]));
  const isBigEndian = flag("BinaryDataByteOrderMSB", "ElementByteOrderMSB");
  return { shape: size.reverse(), affine, element, isBigEndian, isCompressed: flag("CompressedData"), start };
}

/** One character for each byte. */
const textOf = (bytes) => new TextDecoder("latin1").decode(bytes.subarray(0, LONGEST_HEADER));

function fieldsOf(bytes) {
  const text = textOf(bytes);
  const fields = new Map();
  for (let at = 0, end; (end = text.indexOf("\n", at)) >= 0; at = end + 1) {
    const [, key, value] = /^\s*([^=:]*?)\s*[=:]\s*(.*?)\s*$/.exec(text.slice(at, end)) ?? [];
    if (key === undefined) continue;
    if (!fields.has(key)) fields.set(key, value);
    if (key === LAST_KEY) return { fields, start: end + 1 };
  }
  throw new Error("the MetaImage header does not end; the file is truncated or no MetaImage");
}
