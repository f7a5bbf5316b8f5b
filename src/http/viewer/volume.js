// A whole scan in memory: values and labels of every slice, loaded once when something needs them.

import { getNpy, scanPath, withQuery } from "./api.js";

let held = null; // {key, promise}: the last one that was loaded

/** `{image, mask}`, each `{data, shape}` as (slice, row, column). `onProgress(received, total)` counts bytes. */
export function loadVolume(scan, onProgress = () => {}) {
  const key = `${scan.scan_id} ${scan.files.revision}`;
  if (held?.key === key) return held.promise;
  const [slices, rows, columns] = scan.shape;
  const total = slices * rows * columns * (1 + bytesOf(scan));
  const received = { image: 0, mask: 0 };
  const load = (part, query) =>
    getNpy(withQuery(`${scanPath(scan.scan_id)}/${part}.npy`, query), {
      onProgress: (length) => {
        received[part] = length;
        onProgress(received.image + received.mask, total);
      },
    });
  const promise = Promise.all([load("image", {}), load("mask", { dtype: "uint8" })]).then(([image, mask]) => ({ image, mask }));
  held = { key, promise };
  promise.catch(() => (held = null));
  return promise;
}

/** How many megabytes are loaded. */
export const megabytesOf = (scan) => Math.ceil((scan.shape.reduce((a, b) => a * b, 1) * (1 + bytesOf(scan))) / 1e6);

const bytesOf = (scan) => Number(/\d+$/.exec(scan.intensity.element_type)?.[0] ?? 16) / 8;
