/** From the outbox to the collector: batches, one request at a time, retries with backoff. */

import { debug, endpoint } from "./config";
import { getConsent } from "./ids";
import * as outbox from "./outbox";

const LINGER_MS = 1000; // long enough to make batches, short enough to be live
const BATCH_BYTES = 60_000; // keepalive requests share 64 KiB in a page (Fetch standard)
const TIMEOUT_MS = 15_000;
const LONGEST_WAIT_MS = 60_000;

// As it is now: what watches the page's own requests is not to see these.
const { fetch } = window;
/** Firefox before 133 has none: there requests end with their page, and only beacons outlive it. */
const keepsAlive = "keepalive" in Request.prototype;

let timer: ReturnType<typeof setTimeout> | undefined;
let failures = 0;
let notBefore = 0;
/** Names of entries in requests that have not been answered, with their bytes. */
const underWay = new Map<string, number>();

/** Ask for a batch to be sent soon. */
export function schedule(): void {
  timer ??= setTimeout(
    () => {
      timer = undefined;
      if (Date.now() < notBefore) schedule(); // asked for before the collector said how long to wait
      else void send();
    },
    Math.max(LINGER_MS, notBefore - Date.now()),
  );
}

/** The oldest entries that go into one request. One larger than a request kept alive may be goes alone, but not while
 * the page is left: it would not arrive. */
function batch(leaving?: boolean): string[] {
  if (getConsent() === "pending") return [];
  outbox.seal();
  if (leaving && !keepsAlive) underWay.clear(); // it ends with the page
  let room = BATCH_BYTES;
  if (leaving) underWay.forEach((bytes) => (room -= bytes));
  const taken: string[] = [];
  for (const [name, events] of outbox.waiting) {
    const bytes = events.length * (/[^\x00-\x7f]/.test(events) ? 3 : 1) + 1; // UTF-8 has at most 3 bytes for a UTF-16 unit
    if (underWay.has(name) || (bytes > room && (leaving || taken.length))) continue;
    underWay.set(name, bytes);
    taken.push(name);
    room -= bytes;
  }
  return taken;
}

/** Post entries; resolves to 0 when the collector has dealt with them, else to the milliseconds that it asks to wait. */
async function post(taken: string[], leaving?: boolean): Promise<number> {
  const body = `{"sent_at":"${new Date().toISOString()}","batch":[${taken.map((name) => outbox.waiting.get(name)).join()}]}`;
  // A beacon is never answered; the request beside it is, if the page lives on. What comes twice is counted once.
  if (leaving && !keepsAlive) navigator.sendBeacon(endpoint, body);
  try {
    // text/plain needs no preflight; ids travel in the body, so no cookie is wanted.
    const answer = await fetch(endpoint, {
      method: "POST",
      body,
      keepalive: underWay.get(taken[0]!)! <= BATCH_BYTES,
      credentials: "omit",
      signal: AbortSignal.timeout?.(TIMEOUT_MS), // without it (Safari before 16) the browser's own limit holds
    });
    const { status } = answer;
    if (debug) console.log("snag", status, await answer.text());
    if (status >= 500 || status === 408 || status === 429) return Number(answer.headers.get("retry-after")) * 1000 || 1;
    outbox.done(taken);
    return 0;
  } catch {
    return 1;
  } finally {
    for (const name of taken) underWay.delete(name);
  }
}

/** Send one batch, then the next; resolves when nothing is left or a failure asks for patience. `leaving`: the page is
 * going, so at once, whatever is under way. What is not confirmed stays in the outbox. */
export async function send(leaving?: boolean): Promise<void> {
  const taken = underWay.size && !leaving ? [] : batch(leaving);
  if (!taken.length) return;
  const wait = await post(taken, leaving);
  if (!wait) {
    failures = 0;
    return send();
  }
  const backoff = Math.min(1000 * 2 ** failures++, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
  notBefore = Date.now() + Math.max(wait, backoff);
  schedule();
}

addEventListener("online", () => {
  notBefore = failures = 0;
  void send();
});
