/** Events that the collector has not confirmed yet. They lie in localStorage, so that a reload, a crash or an offline
 * spell loses none: each under a name of its own, written before anything else happens to the page. Of a burst, more
 * than any person makes, several share a name and are written a moment later. */

import { getConsent, load } from "./ids";
import { names, read, remove, write } from "./storage";

const PREFIX = "snag.o.";
const MINE = PREFIX + load;
const MOST_CHARS = 1_000_000; // of the 5 million that localStorage has for the whole site
const BURST = 10; // writes within a second; a write costs a tenth of a millisecond
const BURST_MS = 200;
const ENTRY_CHARS = 16_000; // several must fit into a request
let count = 0;
let chars = 0;
let writes = 0;
let since = 0;
/** Name of the entry that a burst is being added to and that is not written yet. */
let open = "";

/** Entries by name, oldest first: one or more encoded events, with commas between them. */
export const waiting = new Map<string, string>();

function keep(name: string, events: string): void {
  if (getConsent() !== "pending") write("localStorage", name, events);
}

export function add(event: string): boolean {
  if (chars + event.length > MOST_CHARS) return false;
  chars += event.length;
  const joined = open && `${waiting.get(open)},${event}`;
  if (joined) {
    waiting.set(open, joined);
    if (joined.length > ENTRY_CHARS) seal();
    return true;
  }
  const name = `${MINE}.${count++}`;
  waiting.set(name, event);
  const now = Date.now();
  if (now - since > 1000) [since, writes] = [now, 0];
  if (++writes > BURST) {
    open = name;
    setTimeout(seal, BURST_MS);
  } else {
    keep(name, event);
  }
  return true;
}

/** Write what a burst has left unwritten. */
export function seal(): void {
  if (open) keep(open, waiting.get(open)!);
  open = "";
}

export function done(sent: Iterable<string>): void {
  for (const name of sent) {
    chars -= waiting.get(name)?.length ?? 0;
    waiting.delete(name);
    remove("localStorage", name);
  }
}

/** Consent was given: what waited in memory may be stored. */
export const store = () => waiting.forEach((events, name) => keep(name, events));

export function clear(): void {
  open = "";
  done([...waiting.keys(), ...names(PREFIX)]);
}

let release = () => {};

/** Say that this tab lives. A page that holds a lock when it is left may be kept out of the back/forward cache. */
const hold = () => navigator.locks?.request(MINE, () => new Promise<void>((free) => (release = free)));
addEventListener("pagehide", () => release());
addEventListener("pageshow", ({ persisted }) => persisted && hold());

/** Take over what tabs that are gone have left. Tabs that live hold a lock of their name; where there are no locks
 * everything is taken: sent twice is counted once, since the event's id stays. */
export async function adopt(): Promise<void> {
  void hold();
  const alive = new Set((await navigator.locks?.query())?.held?.map((lock) => lock.name));
  for (const name of names(PREFIX)) {
    const owner = name.slice(0, name.lastIndexOf("."));
    const events = read("localStorage", name);
    if (events && !waiting.has(name) && !alive.has(owner)) {
      waiting.set(name, events);
      chars += events.length;
    }
  }
}
