// Requests to the service. A request that cannot be delivered waits until the server is back.

import { serverReturns } from "./connection.js";
import { readNpy } from "./npy.js";
import { readPng } from "./png.js";
import { recordTransfer } from "./transfers.js";

/** A server that sends nothing for so long is taken to be away. The whole transfer may take as long as it needs. */
const SILENCE_MS = 30_000;
const BUSY_ATTEMPTS = 5;

/** A response that reports a problem. */
export class ApiError extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** The request was not answered: not sent, not received, or broken off. */
class NetworkError extends Error {}

export const scanPath = (scan) => `/v1/scans/${encodeURIComponent(scan)}`;
export const slicePath = (scan, slice, file) => `${scanPath(scan)}/slices/${slice}/${file}`;

/** A path with a query; missing values are left out. */
export function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString().replaceAll("%2C", ",");
  return text ? `${path}?${text}` : path;
}

export const getJson = async (path, signal) => JSON.parse(new TextDecoder().decode((await get(path, { signal })).bytes));

/** `{data, shape}` of a .npy file. `onProgress(received, total)` is called for every piece; total may be null. */
export const getNpy = async (path, options) => readNpy((await get(path, options)).bytes.buffer);

/** `{data, shape}` of a grey PNG, the samples as they are stored. */
export const getPng = async (path, options) => readPng((await get(path, options)).bytes);

/** A picture to be shown; its pixels are not exact. */
export const getBitmap = async (path, options) => createImageBitmap(new Blob([(await get(path, options)).bytes]));

/** The stored values that a window's first and last grey stand for, as the server renders them. */
export async function getBounds(scan, window) {
  const { headers } = await get(withQuery(slicePath(scan, 0, "image.png"), { height: 1, bits: 8, window }), {});
  const [slope, intercept] = ["slope", "intercept"].map((name) => Number(headers.get(`x-sagittal-${name}`)));
  return { low: intercept, high: intercept + slope * 255 };
}

/** Sends a body and gives the JSON of the response. It is sent once: whether to send it again is for the user to decide. */
export async function postJson(path, body, signal) {
  const sent = fetch(location.origin + path, { method: "POST", body, signal, headers: { "content-type": "application/octet-stream" } });
  const response = await sent.catch(unanswered);
  const { ok, status } = response;
  const bytes = new Uint8Array(await response.arrayBuffer().catch(unanswered));
  if (!ok) throw errorOf({ status, bytes });
  return JSON.parse(new TextDecoder().decode(bytes));
}

async function get(path, { signal, onProgress }) {
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    let received;
    try {
      received = await receive(path, signal, onProgress);
    } catch (problem) {
      signal?.throwIfAborted();
      if (!(problem instanceof NetworkError)) throw problem;
      await serverReturns();
      continue;
    }
    if (received.ok) return received;
    const error = errorOf(received);
    if (error.status !== 503 || attempt === BUSY_ATTEMPTS) throw error;
    await new Promise((resolve) => setTimeout(resolve, attempt * 500));
  }
}

/** One attempt: `{ok, status, headers, bytes}`. */
async function receive(path, signal, onProgress) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  signal?.addEventListener("abort", abort);
  let timer = setTimeout(abort, SILENCE_MS);
  const restartTimer = () => {
    clearTimeout(timer);
    timer = setTimeout(abort, SILENCE_MS);
  };
  try {
    // From the origin: the page's own URL may hold a name and a token, and fetch takes no relative path from such a URL.
    const response = await fetch(location.origin + path, { signal: controller.signal }).catch(unanswered);
    const { ok, status, headers } = response;
    const total = headers.has("content-encoding") ? null : Number(headers.get("content-length")) || null;
    // From the first byte on: how long the server computes says nothing about the connection.
    const started = performance.now();
    const pieces = [];
    let length = 0;
    for (const reader = response.body.getReader(); ; ) {
      restartTimer();
      const { done, value } = await reader.read().catch(unanswered);
      if (done) break;
      pieces.push(value);
      length += value.length;
      onProgress?.(length, total);
    }
    recordTransfer(length, performance.now() - started);
    return { ok, status, headers, bytes: joined(pieces, length) };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

function unanswered(problem) {
  throw new NetworkError(problem.message);
}

function joined(pieces, length) {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function errorOf({ status, bytes }) {
  let problem = {};
  try {
    problem = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // A proxy's own page, for instance.
  }
  return new ApiError(status, problem.code, problem.detail ?? `the server responded with status ${status}`);
}
