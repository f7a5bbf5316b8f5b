// Whether the server can be reached. While it cannot, it is probed at growing intervals, and every request that waits
// goes on once it answers.

const LONGEST_WAIT_SECONDS = 15;
const PROBE_MS = 5000;

let returning = null;
let probeNow = () => {};
const listeners = [];

/** `listener(seconds)` while the server is away, seconds until the next probe; `listener(null)` when it is back. */
export const onConnection = (listener) => listeners.push(listener);

/** Probes at once. */
export const tryNow = () => probeNow();

/** Fulfilled when the server answers again. Call it after a request that could not be delivered. */
export function serverReturns() {
  returning ??= probeUntilAnswered().finally(() => (returning = null));
  return returning;
}

const notify = (seconds) => listeners.forEach((listener) => listener(seconds));

async function probeUntilAnswered() {
  for (let wait = 1; ; wait = Math.min(wait * 2, LONGEST_WAIT_SECONDS)) {
    for (let left = wait; left > 0; left -= 1) {
      notify(left);
      if (await secondOrSooner()) break;
    }
    notify(0);
    if (await answers()) break;
  }
  notify(null);
}

/** Whether the user did not want to wait for the whole second. */
function secondOrSooner() {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 1000, false);
    probeNow = () => {
      clearTimeout(timer);
      resolve(true);
    };
  });
}

async function answers() {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), PROBE_MS);
  try {
    return (await fetch(`${location.origin}/healthz`, { cache: "no-store", signal: limit.signal })).ok;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
