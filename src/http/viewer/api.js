// Asks the service. An answer is waited for, however long the server is away.

import { serverReturns } from "./connection.js";
import { readNpy } from "./npy.js";

const PATIENCE_MS = 30_000;
const BUSY_ATTEMPTS = 5;

/** What the server said was wrong with a request. */
export class Refusal extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export const scanPath = (scan) => `/v1/scans/${encodeURIComponent(scan)}`;
export const slicePath = (scan, slice, file) => `${scanPath(scan)}/slices/${slice}/${file}`;

/** A path with a query; missing values are left out. */
export function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString().replaceAll("%2C", ",");
  return text ? `${path}?${text}` : path;
}

export const askJson = (path, signal) => ask(path, signal, (answer) => answer.json());
/** `{data, shape}` of a .npy file. */
export const askNpy = (path, signal) => ask(path, signal, async (answer) => readNpy(await answer.arrayBuffer()));
export const askPicture = (path, signal) =>
  ask(path, signal, async (answer) => createImageBitmap(await answer.blob()));

/** The stored values that a window's first and last grey stand for, as the server has them. */
export function askBounds(scan, window) {
  const path = withQuery(slicePath(scan, 0, "image.png"), { height: 1, bits: 8, window });
  return ask(path, undefined, async (answer) => {
    await answer.arrayBuffer();
    const [slope, intercept] = ["slope", "intercept"].map((name) => Number(answer.headers.get(`x-sagittal-${name}`)));
    return { low: intercept, high: intercept + slope * 255 };
  });
}

async function ask(path, signal, read) {
  for (let attempt = 1; ; attempt += 1) {
    const limit = AbortSignal.timeout(PATIENCE_MS);
    let answer;
    try {
      // From the origin: an address that brings a name and a token along is none that fetch takes paths from.
      answer = await fetch(location.origin + path, { signal: signal ? AbortSignal.any([signal, limit]) : limit });
      if (answer.ok) return await read(answer);
    } catch (error) {
      signal?.throwIfAborted();
      // fetch says TypeError when the server cannot be reached or breaks off; anything else is an answer we cannot read.
      if (!(error instanceof TypeError) && error.name !== "TimeoutError") throw error;
      await serverReturns();
      signal?.throwIfAborted();
      continue;
    }
    const refusal = await refusalOf(answer);
    if (answer.status !== 503 || attempt === BUSY_ATTEMPTS) throw refusal;
    await new Promise((resolve) => setTimeout(resolve, attempt * 500));
    signal?.throwIfAborted();
  }
}

async function refusalOf(answer) {
  const problem = await answer.json().catch(() => ({}));
  return new Refusal(answer.status, problem.code, problem.detail ?? `the server answered with status ${answer.status}`);
}
