// The order of transfers: the most urgent first, one at a time on a slow connection, so that what is looked at does not
// share the line with what may be looked at later.

/** Smaller is more urgent. Within one urgency, what was scheduled first goes first. */
export const URGENCY = { picture: 0, mask: 1, values: 2, details: 3, neighbour: 4, thumbnail: 5 };

const SLOW_BYTES_PER_MS = 600;
const SMALLEST_MEASURED = 4096;
const MOST_AT_ONCE = 6;

const waiting = [];
let leastUrgent = URGENCY.values;
let running = 0;
let measured = { bytes: 0, ms: 0 };

/** Counts a finished transfer towards the speed of the connection; recent ones weigh more. */
export function recordTransfer(bytes, ms) {
  if (bytes < SMALLEST_MEASURED) return;
  measured = { bytes: measured.bytes / 2 + bytes, ms: measured.ms / 2 + Math.max(ms, 1) };
}

/** Whether transfers take noticeable time. False while nothing is known. */
export const isSlow = () => measured.ms > 0 && measured.bytes / measured.ms < SLOW_BYTES_PER_MS;

/** What is looked at is here, or cannot be: whatever is less urgent may start. */
export function startBackground() {
  leastUrgent = Infinity;
  startNext();
}

/** Runs `start()` when its turn comes; the promise is its result. A transfer that is aborted before does not start.
 * `task.urgency` may be changed meanwhile. */
export function schedule(task, start, signal) {
  return new Promise((resolve, reject) => {
    const run = async () => {
      try {
        signal?.throwIfAborted();
        resolve(await start());
      } catch (problem) {
        reject(problem);
      }
    };
    waiting.push({ task, run });
    // What is scheduled in the same breath is compared before anything starts.
    queueMicrotask(startNext);
  });
}

function startNext() {
  while (waiting.length > 0 && running < (isSlow() ? 1 : MOST_AT_ONCE)) {
    const next = waiting.reduce((best, one) => (one.task.urgency < best.task.urgency ? one : best));
    if (next.task.urgency > leastUrgent) return;
    waiting.splice(waiting.indexOf(next), 1);
    running += 1;
    next.run().finally(() => {
      running -= 1;
      startNext();
    });
  }
}
