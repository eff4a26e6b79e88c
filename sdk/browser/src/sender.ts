/** From the outbox to the collector: batches, one request at a time, retries with backoff. */

import { debug, endpoint } from "./config";
import { getConsent } from "./ids";
import * as outbox from "./outbox";

const LINGER_MS = 1000; // long enough to make batches, short enough to be live
const BATCH_EVENTS = 50;
const BATCH_BYTES = 60_000; // keepalive requests share 64 KiB in a page (Fetch standard)
const TIMEOUT_MS = 15_000;
const LONGEST_WAIT_MS = 60_000;

let timer: ReturnType<typeof setTimeout> | undefined;
let busy = false;
let failures = 0;
let notBefore = 0;
/** Names of events in a request that has not been answered. */
const underWay = new Set<string>();

/** Ask for a batch to be sent soon. */
export function schedule(delayMs = LINGER_MS): void {
  timer ??= setTimeout(
    () => {
      timer = undefined;
      void send();
    },
    Math.max(delayMs, notBefore - Date.now()),
  );
}

function batch(): string[] {
  const taken: string[] = [];
  let size = 0;
  for (const [name, event] of outbox.waiting) {
    if (underWay.has(name)) continue;
    size += event.length * (/[^\x00-\x7f]/.test(event) ? 3 : 1) + 1; // UTF-8 has at most 3 bytes for a UTF-16 unit
    if (taken.length && (taken.length >= BATCH_EVENTS || size > BATCH_BYTES)) break;
    taken.push(name);
  }
  return taken;
}

/** Post events; resolves to 0 when the collector has dealt with them, else to the milliseconds that it asks to wait. */
async function post(taken: string[], leaving?: boolean): Promise<number> {
  for (const name of taken) underWay.add(name);
  const body = `{"sent_at":"${new Date().toISOString()}","batch":[${taken.map((name) => outbox.waiting.get(name)).join()}]}`;
  const abort = new AbortController();
  const timeout = setTimeout(() => abort.abort(), TIMEOUT_MS);
  try {
    // text/plain needs no preflight; ids travel in the body, so no cookie is wanted.
    const answer = await fetch(endpoint, { method: "POST", body, keepalive: true, credentials: "omit", signal: abort.signal });
    const { status } = answer;
    if (debug) console.log("snag", status, await answer.text());
    if (status >= 500 || status === 408 || status === 429) return Number(answer.headers.get("retry-after")) * 1000 || 1;
    outbox.done(taken);
    return 0;
  } catch {
    if (leaving) navigator.sendBeacon?.(endpoint, body); // keepalive was refused: too much under way
    return 1;
  } finally {
    clearTimeout(timeout);
    for (const name of taken) underWay.delete(name);
  }
}

/** Send one batch, then the next; resolves when nothing is left or a failure asks for patience. */
export async function send(): Promise<void> {
  const taken = batch();
  if (busy || !taken.length || getConsent() === "pending") return;
  busy = true;
  const wait = await post(taken);
  busy = false;
  if (!wait) {
    failures = 0;
    return send();
  }
  const backoff = Math.min(1000 * 2 ** failures++, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
  notBefore = Date.now() + Math.max(wait, backoff);
  schedule();
}

/** The page is going: send what waits without waiting for the answer. What is not confirmed stays in the outbox. */
export function sendLast(): void {
  const taken = batch();
  if (taken.length && getConsent() !== "pending") void post(taken, true);
}

addEventListener("online", () => {
  notBefore = failures = 0;
  void send();
});
