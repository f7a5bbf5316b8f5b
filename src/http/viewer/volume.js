// A whole scan in memory: values and labels of every slice, each loaded once when something needs it. One scan is kept; the
// values of another one that are still on their way are given up.

import { getNpy, scanPath, withQuery } from "./api.js";

const QUERIES = { image: {}, mask: { dtype: "uint8" } };

let held = null; // {key, controller, parts: {image, mask}}, each {promise, received, listeners}

/** `{image, mask}`, each `{data, shape}` as (slice, row, column). `onProgress(received, total)` counts bytes. */
export async function loadVolume(scan, onProgress = () => {}) {
  const received = { image: 0, mask: 0 };
  const total = bytesOf(scan, "image") + bytesOf(scan, "mask");
  const load = (part) =>
    loadPart(scan, part, (bytes) => {
      received[part] = bytes;
      onProgress(received.image + received.mask, total);
    });
  const [image, mask] = await Promise.all([load("image"), load("mask")]);
  return { image, mask };
}

/** The labels alone. */
export const loadMask = (scan, onProgress) => loadPart(scan, "mask", (bytes) => onProgress(bytes, bytesOf(scan, "mask")));

/** How many megabytes are loaded of a scan, or of one part of it. */
export const megabytesOf = (scan, ...parts) => Math.ceil((parts.length ? parts : ["image", "mask"]).reduce((sum, part) => sum + bytesOf(scan, part), 0) / 1e6);

function loadPart(scan, part, onProgress) {
  const key = `${scan.scan_id} ${scan.files.revision}`;
  if (held?.key !== key) {
    held?.controller.abort();
    held = { key, controller: new AbortController(), parts: {} };
  }
  const { parts, controller } = held;
  parts[part] ??= started(scan, part, part === "image" ? controller.signal : undefined);
  const loading = parts[part];
  loading.listeners.push(onProgress);
  onProgress(loading.received);
  loading.promise.catch(() => delete parts[part]);
  return loading.promise;
}

function started(scan, part, signal) {
  const loading = { received: 0, listeners: [] };
  const onProgress = (received) => {
    loading.received = received;
    for (const listener of loading.listeners) listener(received);
  };
  const path = withQuery(`${scanPath(scan.scan_id)}/${part}.npy`, QUERIES[part]);
  loading.promise = getNpy(path, { signal, onProgress });
  return loading;
}

function bytesOf(scan, part) {
  const width = part === "mask" ? 1 : Number(/\d+$/.exec(scan.intensity.element_type)?.[0] ?? 16) / 8;
  return scan.shape.reduce((a, b) => a * b, width);
}
