/** Making events: every one of them goes through `emit`. */

import { debug, release } from "./config";
import { getConsent, load, sessionId, userId, visitorId } from "./ids";
import * as outbox from "./outbox";
import { schedule } from "./sender";
import type { Fields, Props } from "./types";

const unchanging = { referrer: document.referrer || undefined, release, is_bot: navigator.webdriver || undefined };
let count = 100_000; // all of one length, so that they sort as text

/** As JSON. What it has no word for (a BigInt, a circle) must neither break the page nor cost the event. */
function encode(event: object, props: Props = {}): string {
  try {
    return JSON.stringify(event);
  } catch {
    return JSON.stringify(event, (name, value) => (name in props ? String(value) : value));
  }
}

export function emit(type: string, props?: Props, fields?: Fields): void {
  if (getConsent() === "denied") return;
  const event = encode({
    event_id: `${load}.${count++}`, // in the order of the events: it decides between two of one millisecond
    type,
    ts: new Date().toISOString(),
    session_id: sessionId(),
    visitor_id: visitorId(),
    user_id: userId(),
    url: location.href,
    title: document.title,
    ...unchanging,
    ...fields,
    props,
  }, props);
  const kept = outbox.add(event);
  if (debug) console.log("snag", kept ? type : "outbox full", event);
  schedule();
}
