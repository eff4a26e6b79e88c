/** Who it is: a session for as long as the tab and 30 minutes of silence allow; a visitor only with consent. */

import { firstConsent, refused } from "./config";
import { read, remove, write } from "./storage";
import type { Consent } from "./types";

const IDLE_MS = 1_800_000; // 30 min of silence end a session, as in GA4 and on the server
const STEP_MS = 5_000; // what is stored is read and written again this often: a write costs a tenth of a millisecond
const CONSENT = "snag.c";
const SESSION = "snag.s";
const VISITOR = "snag.v";
const USER = "snag.u";

const randomId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Names this load of the page. */
export const load = randomId();

let consent: Consent = refused ? "denied" : ((read("localStorage", CONSENT) as Consent | null | undefined) ?? firstConsent);
let session = "";
let visitor: string | undefined;
let user: string | undefined;
let lastSeen = 0;
let lookedUp = 0;

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
    visitor = user = undefined;
    return;
  }
  if (user) write(store(), USER, user);
  lookedUp = 0;
  if (session) sessionId();
}

/** Call `listener` when another tab of the site has been told "denied", at once or when this page is shown again. */
export function onDenied(listener: () => void): void {
  const look = () => {
    if (consent !== "denied" && read("localStorage", CONSENT) === "denied") listener();
  };
  addEventListener("storage", look);
  addEventListener("pageshow", look);
}

/** The session of now; a new one after the silence that ends one. Looks up the other ids with it. */
export function sessionId(): string {
  const now = Date.now();
  if (session && now - lookedUp < STEP_MS) return session;
  const [id, seen] = (read(store(), SESSION) ?? "").split(" ");
  if (id && Number(seen) >= lastSeen) [session, lastSeen] = [id, Number(seen)];
  if (!session || now - lastSeen > IDLE_MS) session = randomId();
  lookedUp = lastSeen = now;
  user = read(store(), USER) ?? user;
  visitor = undefined;
  if (consent === "granted") {
    visitor = read("localStorage", VISITOR) ?? randomId();
    write("localStorage", VISITOR, visitor);
  }
  if (consent !== "pending") write(store(), SESSION, `${session} ${now}`);
  return session;
}

/** As of the last `sessionId()`; only with consent. */
export const visitorId = () => visitor;

export function setUser(id: string): void {
  user = id;
  if (consent !== "pending" && consent !== "denied") write(store(), USER, id);
}

/** As of the last `sessionId()`. */
export const userId = () => user;
