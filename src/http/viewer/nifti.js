// The header of NIfTI-1 files: one volume in one file, in either byte order.

const HEADER_BYTES = 352;
const STATED_BYTES = 348;
const STATED_BYTES_OF_NIFTI_2 = 540;
const LONGEST_EXTENSIONS = 16 << 20;
/** Elements by `datatype`. */
const ELEMENTS = { 2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8" };
/** Millimetres of one unit of `xyzt_units`. */
const UNITS_MM = { 1: 1000, 3: 1e-3 };

/** Whether bytes begin like such a file, or like one of its relatives. */
export function isNifti(bytes) {
  if (bytes.length < 4) return false;
  const view = viewOf(bytes);
  return [true, false].some((little) => [STATED_BYTES, STATED_BYTES_OF_NIFTI_2].includes(view.getInt32(0, little)));
}

/** `{shape, affine, element, isBigEndian, scaling, start}`: the shape as (k, j, i); an affine from (k, j, i, 1) to LPS
 * millimetres by `sform` or else `qform`, null when the header has neither; voxels begin at `start`. */
export function readNiftiHeader(bytes) {
  const view = viewOf(bytes);
  const isBigEndian = [STATED_BYTES, STATED_BYTES_OF_NIFTI_2].includes(view.getInt32(0, false));
  const little = !isBigEndian;
  if (view.getInt32(0, little) === STATED_BYTES_OF_NIFTI_2) throw unsupported("NIfTI-2");
  if (bytes.length < HEADER_BYTES) throw new Error("the NIfTI file ends within its header; the file is truncated");
  const magic = String.fromCharCode(...bytes.subarray(344, 347));
  if (magic === "ni1") throw unsupported("a NIfTI header with its voxels in another file");
  if (magic !== "n+1") throw unsupported("the Analyze 7.5 format");
  const short = (offset) => view.getInt16(offset, little);
  const floats = (offset, count) => Array.from({ length: count }, (_, n) => view.getFloat32(offset + 4 * n, little));
  const shape = shapeOf(short);
  const element = ELEMENTS[short(70)];
  if (!element) throw wrong("datatype", short(70), "an integer or floating-point type of at most 64 bits");
  const [start] = floats(108, 1);
  if (!Number.isInteger(start) || start < HEADER_BYTES || start > LONGEST_EXTENSIONS) throw wrong("vox_offset", start, "a whole number of bytes from 352");
  const [slope, intercept] = floats(112, 2);
  const isScaled = Number.isFinite(slope) && Number.isFinite(intercept) && slope !== 0 && !(slope === 1 && intercept === 0);
  const ras = short(254) > 0 ? [280, 296, 312].map((row) => floats(row, 4)) : short(252) > 0 ? affineOfQuaternion(floats) : null;
  return { shape, affine: ras && toLps(ras, UNITS_MM[bytes[123] & 7] ?? 1), element, isBigEndian, scaling: isScaled ? [slope, intercept] : null, start };
}

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const unsupported = (what) => new Error(`${what} is not supported; save the mask as one NIfTI-1 file (.nii or .nii.gz)`);
const wrong = (field, value, expected) => new Error(`the NIfTI header has ${field} = ${value}, expected ${expected}`);

function shapeOf(short) {
  const dimensions = short(40);
  const lengths = Array.from({ length: Math.min(Math.max(dimensions, 0), 7) }, (_, n) => short(42 + 2 * n));
  const isVolume = dimensions >= 3 && dimensions <= 7 && lengths.slice(0, 3).every((n) => n > 0) && lengths.slice(3).every((n) => n <= 1);
  if (!isVolume) throw wrong("dim", [dimensions, ...lengths].join(", "), "3 axes, and no more that are longer than 1");
  return lengths.slice(0, 3).reverse();
}

/** Rows (i, j, k, 1) → RAS, as rows (k, j, i, 1) → LPS millimetres. */
function toLps(ras, unit) {
  const rows = ras.map((row, world) => row.map((part) => part * unit * (world < 2 ? -1 : 1)));
  return rows.map(([i, j, k, origin]) => [k, j, i, origin]);
}

/** `qform`: a unit quaternion without its first part, spacings, and the sign of the third axis. */
function affineOfQuaternion(floats) {
  const [b, c, d] = floats(256, 3);
  const squares = b * b + c * c + d * d;
  if (!(squares <= 1 + 1e-3)) throw wrong("the quaternion", [b, c, d].join(", "), "three parts of a unit quaternion");
  const a = Math.sqrt(Math.max(0, 1 - squares));
  const [sign, i, j, k] = floats(76, 4);
  const spacing = [i, j, sign < 0 ? -k : k];
  const offset = floats(268, 3);
  const rotation = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
  ];
  return rotation.map((row, world) => [...row.map((part, n) => part * spacing[n]), offset[world]]);
}
