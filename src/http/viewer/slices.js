// Slices in memory: stored values and mask, fetched when they are wanted, ahead of being looked at.

import { askNpy, askPicture, slicePath, withQuery } from "./api.js";

const MOST_KEPT = 60;
const QUICK_HEIGHT = 320;

const keyOf = ({ scan, slice }) => `${scan} ${slice}`;

export class Slices {
  #entries = new Map();
  #onArrival;

  constructor(onArrival) {
    this.#onArrival = onArrival;
  }

  /** `{image, mask, quick, problem}`: what has arrived of a slice. */
  get(scan, slice) {
    return this.#entries.get(keyOf({ scan, slice })) ?? {};
  }

  /** Fetches these slices, the most urgent first; gives up fetching others. A `quick` window asks for a small picture
   * too, which is there sooner than the values. */
  want(wanted) {
    const keys = new Set(wanted.map(keyOf));
    for (const [key, entry] of this.#entries) {
      // What could not be fetched is asked for again when one comes back to it.
      if (keys.has(key) || !(entry.fetching || entry.problem)) continue;
      entry.fetching?.abort();
      this.#entries.delete(key);
    }
    for (const one of wanted) this.#fetch(one);
    for (const key of this.#entries.keys()) {
      if (this.#entries.size <= MOST_KEPT) break;
      if (!keys.has(key)) this.#entries.delete(key);
    }
  }

  /** Forgets what could not be fetched, so that it is asked for again. */
  retry() {
    for (const [key, entry] of this.#entries) if (entry.problem) this.#entries.delete(key);
  }

  #fetch(one) {
    const key = keyOf(one);
    const known = this.#entries.get(key);
    if (known) {
      // The ones used last are dropped last.
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return;
    }
    const entry = { fetching: new AbortController() };
    this.#entries.set(key, entry);
    const { signal } = entry.fetching;
    const arrived = (part) => (value) => {
      entry[part] = value;
      this.#onArrival(one);
    };
    if (one.quick) {
      const query = { height: QUICK_HEIGHT, bits: 8, window: one.quick };
      // Only a foretaste: what is wrong with it, the values themselves will tell.
      askPicture(withQuery(slicePath(one.scan, one.slice, "image.png"), query), signal).then(arrived("quick"), () => {});
    }
    const file = (name, query) => askNpy(withQuery(slicePath(one.scan, one.slice, name), query), signal);
    const image = file("image.npy", { size: "native" }).then(arrived("image"));
    const mask = file("mask.npy", { size: "native", dtype: "uint8" }).then(arrived("mask"));
    Promise.all([image, mask])
      .then(() => delete entry.quick)
      .catch((problem) => signal.aborted || arrived("problem")(problem))
      .finally(() => delete entry.fetching);
  }
}
