/** Making events: every one of them goes through `emit`. */

import { debug, release } from "./config";
import { getConsent, randomId, sessionId, userId, visitorId } from "./ids";
import * as outbox from "./outbox";
import { schedule } from "./sender";
import type { Fields, Props } from "./types";

export function emit(type: string, props?: Props, fields?: Fields): void {
  if (getConsent() === "denied") return;
  const event = JSON.stringify({
    event_id: randomId(),
    type,
    ts: new Date().toISOString(),
    session_id: sessionId(),
    visitor_id: visitorId(),
    user_id: userId(),
    url: location.href,
    title: document.title,
    referrer: document.referrer || undefined,
    release,
    is_bot: navigator.webdriver || undefined,
    ...fields,
    props,
  });
  const kept = outbox.add(event);
  if (debug) console.log("snag", kept ? type : "outbox full", event);
  schedule();
}
