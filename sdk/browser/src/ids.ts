/** Who it is: a session for as long as the tab and 30 minutes of silence allow; a visitor only with consent. */

import { firstConsent, refused } from "./config";
import { read, remove, write } from "./storage";
import type { Consent } from "./types";

const IDLE_MS = 1_800_000; // 30 min of silence end a session, as in GA4 and on the server
const STEP_MS = 5_000; // the time last seen is stored this exactly: a write costs a tenth of a millisecond
const CONSENT = "snag.c";
const SESSION = "snag.s";
const VISITOR = "snag.v";
const USER = "snag.u";

export function randomId(): string {
  // randomUUID exists in secure contexts only
  return (
    crypto.randomUUID?.() ??
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")
  );
}

let consent: Consent = refused ? "denied" : ((read("localStorage", CONSENT) as Consent | null) ?? firstConsent);
let session = "";
let lastSeen = 0;
let user: string | undefined;

const store = () => (consent === "granted" ? "localStorage" : "sessionStorage");

export const getConsent = () => consent;

export function setConsent(next: Consent): void {
  if (refused) return;
  consent = next;
  write("localStorage", CONSENT, next);
  if (next !== "granted") {
    for (const name of [VISITOR, SESSION, USER]) remove("localStorage", name);
  }
  if (next === "denied") {
    for (const name of [SESSION, USER]) remove("sessionStorage", name);
    session = "";
  } else if (session) {
    remember();
  }
}

const remember = () => write(store(), SESSION, `${session} ${lastSeen}`);

/** The session of now; a new one after the silence that ends one. */
export function sessionId(): string {
  const now = Date.now();
  const [id, seen] = (read(store(), SESSION) ?? "").split(" ");
  if (id && Number(seen) >= lastSeen) [session, lastSeen] = [id, Number(seen)];
  const known = session && now - lastSeen <= IDLE_MS;
  if (!known) session = randomId();
  if (!known || now - lastSeen > STEP_MS) {
    lastSeen = now;
    if (consent !== "pending") remember();
  }
  return session;
}

export function visitorId(): string | undefined {
  if (consent !== "granted") return undefined;
  let id = read("localStorage", VISITOR);
  if (!id) write("localStorage", VISITOR, (id = randomId()));
  return id;
}

export function setUser(id: string): void {
  user = id;
  if (consent !== "pending") write(store(), USER, id);
}

export const userId = () => (user ??= read(store(), USER) ?? undefined);
