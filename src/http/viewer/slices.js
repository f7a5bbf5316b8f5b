// Slices in memory: stored values and mask, fetched when they are wanted, ahead of being looked at.

import { getBitmap, getNpy, getPng, slicePath, withQuery } from "./api.js";
import { canReadPng } from "./png.js";
import { URGENCY, isSlow, schedule } from "./transfers.js";

const MOST_KEPT = 60;
const PREVIEW_HEIGHT = 320;
const SIXTEEN_BITS = 2 ** 16;

const keyOf = ({ scan, slice }) => `${scan.scan_id} ${slice}`;

export class Slices {
  #entries = new Map();
  #onArrival;

  /** `onArrival()` is called when something arrived of a slice that is shown. */
  constructor(onArrival) {
    this.#onArrival = onArrival;
  }

  /** `{image, mask, preview, progress, problem}`: what has arrived of a slice. */
  get(scan, slice) {
    return this.#entries.get(keyOf({ scan, slice })) ?? {};
  }

  /** Fetches these `{scan, slice, window, isShown, isNew}`, the most urgent first; gives up fetching others. A slice in
   * a `window` has a small picture, too, where that is there noticeably sooner than the values. */
  want(wanted) {
    const keys = new Set(wanted.map(keyOf));
    for (const [key, entry] of this.#entries) {
      if (keys.has(key)) continue;
      for (const part of Object.keys(entry.fetching)) this.#cancel(entry, part);
      // What could not be fetched is requested again when it is wanted again.
      if (entry.problem) this.#entries.delete(key);
    }
    wanted.forEach((one, n) => this.#fetch(one, n));
    for (const key of this.#entries.keys()) {
      if (this.#entries.size <= MOST_KEPT) break;
      if (!keys.has(key)) this.#entries.delete(key);
    }
  }

  /** Forgets what could not be fetched, so that it is requested again. */
  retry() {
    for (const [key, entry] of this.#entries) if (entry.problem) this.#entries.delete(key);
  }

  #fetch(one, place) {
    const key = keyOf(one);
    const entry = this.#entries.get(key) ?? { fetching: {} };
    // The ones used last are dropped last.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.isShown = Boolean(one.isShown);
    if (entry.problem) return;
    const slow = isSlow();
    const isComplete = entry.image && entry.mask;
    if (!isComplete && !entry.image && (slow || one.isNew)) this.#start(entry, "preview", one, place);
    this.#start(entry, "mask", one, place);
    // On a slow connection the values of what nobody looks at yet would take the line.
    if (one.isShown || !slow) this.#start(entry, "image", one, place);
    else this.#cancel(entry, "image");
  }

  /** Schedules a part that is neither here nor on its way; makes it as urgent as it is now. */
  #start(entry, part, one, place) {
    const urgency = urgencyOf(part, one, place);
    if (entry.fetching[part]) entry.fetching[part].urgency = urgency;
    if (entry[part] || entry.fetching[part] || (part === "preview" && entry.image)) return;
    const task = (entry.fetching[part] = { urgency, controller: new AbortController() });
    const { signal } = task.controller;
    const onProgress = part === "image" && ((received, total) => {
      entry.progress = { received, total };
      this.#arrived(entry);
    });
    schedule(task, () => REQUESTS[part](one, { signal, onProgress: onProgress || undefined }), signal)
      .then((value) => (entry[part] = value))
      .catch((problem) => {
        // A preview is only a foretaste: what is wrong with it, the values will report.
        if (!signal.aborted && part !== "preview") entry.problem = problem;
      })
      .finally(() => {
        if (entry.fetching[part] === task) delete entry.fetching[part];
        if (entry.image) {
          this.#cancel(entry, "preview");
          delete entry.preview;
          delete entry.progress;
        }
        if (!signal.aborted) this.#arrived(entry);
      });
  }

  #arrived({ isShown }) {
    if (isShown) this.#onArrival();
  }

  #cancel(entry, part) {
    entry.fetching[part]?.controller.abort();
    delete entry.fetching[part];
    if (part === "image") delete entry.progress;
  }
}

function urgencyOf(part, { isShown }, place) {
  if (!isShown) return URGENCY.neighbour + place / 100;
  return { preview: URGENCY.picture, mask: URGENCY.mask, image: URGENCY.values }[part];
}

/** Requests by part. PNG is exact and half as long as .npy or less, but takes longer to decode. */
const REQUESTS = {
  preview: ({ scan, slice, window }, options) =>
    getBitmap(pathOf(scan, slice, "image.png", { height: PREVIEW_HEIGHT, bits: 8, window }), options),
  mask: ({ scan, slice }, options) =>
    isSlow() && canReadPng
      ? getPng(pathOf(scan, slice, "mask.png", { size: "native" }), options)
      : getNpy(pathOf(scan, slice, "mask.npy", { size: "native", dtype: "uint8" }), options),
  image: ({ scan, slice }, options) =>
    isSlow() && canReadPng && fitsSixteenBits(scan)
      ? getValues(scan, slice, options)
      : getNpy(pathOf(scan, slice, "image.npy", { size: "native" }), options),
};

const pathOf = (scan, slice, file, query) => withQuery(slicePath(scan.scan_id, slice, file), query);

function fitsSixteenBits({ intensity: { element_type, min, max } }) {
  return /^u?int(8|16|32)$/.test(element_type) && max - min < SIXTEEN_BITS;
}

/** Stored values by way of a PNG whose window gives each value a grey of its own, 0 for the smallest of the scan. */
async function getValues(scan, slice, options) {
  const { min, max } = scan.intensity;
  const window = `${min + SIXTEEN_BITS / 2},${SIXTEEN_BITS}`;
  const { data, shape } = await getPng(pathOf(scan, slice, "image.png", { size: "native", bits: 16, window }), options);
  const Values = min >= 0 && max < SIXTEEN_BITS ? Uint16Array : min >= -(2 ** 15) && max < 2 ** 15 ? Int16Array : Int32Array;
  const values = new Values(data.length);
  for (let n = 0; n < data.length; n += 1) values[n] = data[n] + min;
  return { data: values, shape };
}
