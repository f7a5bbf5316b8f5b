// Whether the server answers. While it does not, it is asked again and again, at growing intervals, and everybody who
// waits goes on once it does.

const LONGEST_WAIT_SECONDS = 15;

let returning = null;
let askNow = () => {};
const listeners = [];

/** `listener(seconds)` while the server is away, seconds until it is asked again; `listener(null)` when it is back. */
export const onConnection = (listener) => listeners.push(listener);

/** Asks at once. */
export const tryNow = () => askNow();

/** The server did not answer: fulfilled when it does again. */
export function serverReturns() {
  returning ??= askUntilAnswered().finally(() => (returning = null));
  return returning;
}

const tell = (seconds) => listeners.forEach((listener) => listener(seconds));

async function askUntilAnswered() {
  for (let wait = 1; ; wait = Math.min(wait * 2, LONGEST_WAIT_SECONDS)) {
    for (let left = wait; left > 0; left -= 1) {
      tell(left);
      if (await secondOrSooner()) break;
    }
    tell(0);
    if (await answers()) break;
  }
  tell(null);
}

/** Whether somebody did not want to wait for the whole second. */
function secondOrSooner() {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 1000, false);
    askNow = () => {
      clearTimeout(timer);
      resolve(true);
    };
  });
}

async function answers() {
  try {
    const answer = await fetch(`${location.origin}/healthz`, { cache: "no-store", signal: AbortSignal.timeout(5000) });
    return answer.ok;
  } catch {
    return false;
  }
}
