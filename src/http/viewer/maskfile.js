// A mask in a local file, recognised by its content: MetaImage, NIfTI-1 (also gzipped), npy. The header is read first, so
// that a file is refused before its voxels are. Voxels are read piece by piece and kept as one byte each.

import { isMetaImage, readMetaImageHeader } from "./metaimage.js";
import { isNifti, readNiftiHeader } from "./nifti.js";
import { isNpy, readNpyHeader } from "./npy.js";

export const MASK_FILES = ".nii.gz, .nii, .mha, .npy";
const MOST_FILE_BYTES = 2 ** 30;
/** Bytes in which every header ends. */
const HEAD_BYTES = 1 << 16;
const MOST_VALUES = 1 << 16;
const MOST_LABELS = 255;
const SCALING_TOLERANCE = 1e-3;
/** The page answers to the user at least so often. */
const PIECE_MS = 40;
const ARRAYS = { u1: Uint8Array, b1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, u4: Uint32Array, i4: Int32Array, f4: Float32Array, f8: Float64Array, i8: Uint32Array, u8: Uint32Array };

/** `{file, shape, affine, isArray, isFortran, element, isBigEndian, scaling, voxels()}` of a file: the shape as numpy has it, an
 * affine from those axes to LPS millimetres, or null. `voxels()` is a stream of bytes. */
export async function openMask(file) {
  if (file.size > MOST_FILE_BYTES) throw new Error(`${file.name} has ${megabytes(file.size)} MB; at most ${megabytes(MOST_FILE_BYTES)} MB are read. Save it compressed, or as uint8`);
  const head = await firstBytes(file.stream(), HEAD_BYTES);
  if (isGzip(head)) return ofGzip(file);
  if (isNpy(head)) return ofArray(file, readNpyHeader(head));
  if (isNifti(head)) return ofVolume(file, readNiftiHeader(head));
  if (!isMetaImage(head)) throw new Error(`the format of ${file.name} is not known; expected a mask as ${MASK_FILES}`);
  const header = readMetaImageHeader(head);
  if (!header.isCompressed) return ofVolume(file, header);
  const format = isGzip(head.subarray(header.start)) ? "gzip" : "deflate";
  return { ...ofVolume(file, header, false), voxels: () => inflated(file.slice(header.start), format) };
}

const megabytes = (bytes) => Math.ceil(bytes / 1e6);
const isGzip = (bytes) => bytes[0] === 0x1f && bytes[1] === 0x8b;

async function ofGzip(file) {
  const head = await firstBytes(inflated(file, "gzip"), HEAD_BYTES);
  if (!isNifti(head)) throw new Error(`${file.name} is a gzip file without a NIfTI file in it; of gzipped formats only .nii.gz is read`);
  const header = readNiftiHeader(head);
  return { ...ofVolume(file, header, false), voxels: () => after(inflated(file, "gzip"), header.start) };
}

function ofArray(file, { descr, shape, isFortran, start }) {
  const [, order, element] = /^([<>|])(\w+)$/.exec(descr ?? "") ?? [];
  if (!ARRAYS[element]) throw new Error(`the array has elements of type ${descr ?? "several kinds"}; save it as integers, such as array.astype("uint8")`);
  if (shape.length !== 3) throw new Error(`the array has shape [${shape.join(", ")}]; a mask is a whole volume with three axes`);
  return { ...ofVolume(file, { shape, affine: null, element, isBigEndian: order === ">", start }), isArray: true, isFortran };
}

function ofVolume(file, header, isPlain = true) {
  const { shape, element, start } = header;
  const expected = shape.reduce((a, b) => a * b, ARRAYS[element].BYTES_PER_ELEMENT * wordsOf(element));
  const found = file.size - start;
  if (isPlain && found !== expected) throw new Error(`the header of ${file.name} states ${expected} bytes of voxels but ${found} follow it; the file is truncated or damaged`);
  return { scaling: null, ...header, file, isArray: false, isFortran: false, voxels: () => file.slice(start).stream() };
}

/** 64-bit integers are read as two words: of labels, one is 0. */
const wordsOf = (element) => (element.endsWith("8") && element !== "f8" ? 2 : 1);

function inflated(blob, format) {
  if (typeof DecompressionStream !== "function") throw new Error("this browser cannot inflate compressed files; save the mask uncompressed");
  return blob.stream().pipeThrough(new DecompressionStream(format));
}

/** At most so many bytes from the beginning of a stream, which is given up. */
async function firstBytes(stream, count) {
  const bytes = new Uint8Array(count);
  let length = 0;
  const reader = stream.getReader();
  while (length < count) {
    const { done, value } = await reader.read();
    if (done) break;
    const piece = value.subarray(0, count - length);
    bytes.set(piece, length);
    length += piece.length;
  }
  reader.cancel().catch(() => {});
  return bytes.subarray(0, length);
}

/** A stream without its first bytes. */
function after(stream, count) {
  let left = count;
  return stream.pipeThrough(
    new TransformStream({
      transform(piece, controller) {
        const skipped = Math.min(left, piece.length);
        left -= skipped;
        if (skipped < piece.length) controller.enqueue(piece.subarray(skipped));
      },
    }),
  );
}

/** `{labels, values}`: a byte for each voxel in the file's order, and the value that each byte stands for; 0 is background.
 * `onProgress(share)` is called now and then; stops with the signal's reason when that is aborted. */
export async function readLabels(mask, signal, onProgress) {
  const count = mask.shape.reduce((a, b) => a * b, 1);
  const Elements = ARRAYS[mask.element];
  const width = Elements.BYTES_PER_ELEMENT * wordsOf(mask.element);
  const labels = new Uint8Array(count);
  const numbers = new Numbers(mask.scaling);
  let [at, rest, pause] = [0, new Uint8Array(0), performance.now()];
  for (const reader = mask.voxels().getReader(); ; ) {
    signal.throwIfAborted();
    const { done, value } = await reader.read();
    if (done) break;
    const bytes = joined(rest, value);
    const whole = Math.floor(bytes.length / width);
    if (at + whole > count) throw new Error(`the file has more voxels than its header says, which are ${count}`);
    rest = bytes.slice(whole * width);
    const piece = bytes.slice(0, whole * width);
    if (mask.isBigEndian) swapBytes(piece, width);
    numbers.convert(new Elements(piece.buffer), wordsOf(mask.element), labels, at);
    at += whole;
    if (performance.now() - pause < PIECE_MS) continue;
    onProgress(at / count);
    await new Promise((resolve) => setTimeout(resolve));
    pause = performance.now();
  }
  if (at < count) throw new Error(`the file has ${at} voxels and its header says ${count}; the file is truncated`);
  return { labels, values: numbers.values };
}

function joined(first, second) {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function swapBytes(bytes, width) {
  for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
}

/** Numbers of one byte for the values of a mask, in the order in which they appear. */
class Numbers {
  values = [0];
  #of = new Uint8Array(MOST_VALUES);

  constructor(scaling) {
    this.scaling = scaling;
  }

  convert(elements, words, labels, at) {
    // Neighbours are mostly equal, above all in the background.
    let [last, lastHigh, number] = [0, 0, this.scaling ? null : 0];
    for (let n = 0; n < elements.length; n += words) {
      const value = elements[n];
      const high = words === 2 ? elements[n + 1] : 0;
      if (value !== last || high !== lastHigh || number === null) {
        number = this.#number(high === 0 ? value : value + high * 2 ** 32);
        [last, lastHigh] = [value, high];
      }
      labels[at] = number;
      at += 1;
    }
  }

  #number(stored) {
    const value = this.scaling ? this.scaling[0] * stored + this.scaling[1] : stored;
    const label = Math.round(value);
    if (!(Math.abs(value - label) <= (this.scaling ? SCALING_TOLERANCE : 0))) {
      throw new Error(`the mask holds ${value}; labels are whole numbers. Is it a probability map, or resampled with interpolation?`);
    }
    if (label < 0 || label >= MOST_VALUES) throw new Error(`the mask holds ${label}; labels are whole numbers from 0 to ${MOST_VALUES - 1}. Is it an image and not a mask?`);
    if (label === 0 || this.#of[label] !== 0) return this.#of[label];
    if (this.values.length > MOST_LABELS) throw new Error(`the mask holds more than ${MOST_LABELS} different labels. Is it an image and not a mask?`);
    this.#of[label] = this.values.length;
    this.values.push(label);
    return this.#of[label];
  }
}
