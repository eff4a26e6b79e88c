/** Events that the collector has not confirmed yet. Each lies under a name of its own in localStorage, so that adding
 * one costs the same with a thousand waiting, and a reload, a crash or an offline spell loses none. */

import { getConsent } from "./ids";
import { names, read, remove, write } from "./storage";

const PREFIX = "snag.o.";
const MOST = 1000; // some hundred kB of the 5 MB that localStorage has for the whole site
const tab = Math.random().toString(36).slice(2);
let count = 0;

/** Encoded events by name, oldest first. */
export const waiting = new Map<string, string>();

const keep = (name: string, event: string) => write("localStorage", name, event);

export function add(event: string): boolean {
  if (waiting.size >= MOST) return false;
  const name = `${PREFIX}${tab}.${count++}`;
  waiting.set(name, event);
  if (getConsent() !== "pending") keep(name, event);
  return true;
}

export function done(sent: Iterable<string>): void {
  for (const name of sent) {
    waiting.delete(name);
    remove("localStorage", name);
  }
}

/** Consent was given: what waited in memory may be stored. */
export const store = () => waiting.forEach((event, name) => keep(name, event));

export const clear = () => done([...waiting.keys(), ...names(PREFIX)]);

/** Take over what tabs that are gone have left. Tabs that live hold a lock of their name; where there are no locks
 * everything is taken: sent twice is counted once, since the event's id stays. */
export async function adopt(): Promise<void> {
  const locks = navigator.locks as LockManager | undefined;
  const alive = new Set<string | undefined>();
  if (locks) {
    void locks.request(PREFIX + tab, () => new Promise(() => {}));
    for (const lock of (await locks.query()).held ?? []) alive.add(lock.name);
  }
  for (const name of names(PREFIX)) {
    const owner = name.slice(0, name.lastIndexOf("."));
    const event = read("localStorage", name);
    if (event && !waiting.has(name) && !alive.has(owner)) waiting.set(name, event);
  }
}
