/** Page views, also of single-page applications, and leaving. */

import { hashRoutes } from "./config";
import { emit } from "./events";
import { send } from "./sender";

const leaving: (() => void)[] = [];
let shown = "";
let since = 0;
let visibleMs = 0;

/** What makes a page another one: the part after `#` only where it is a route. */
const pageOf = (url: string) => (hashRoutes ? url : url.split("#")[0]);

export const onLeave = (listener: () => void) => leaving.push(listener);

function pause(): void {
  if (since) visibleMs += performance.now() - since;
  since = 0;
}

function resume(): void {
  if (shown && document.visibilityState === "visible") since ||= performance.now();
}

/** What is known only at the end of a page or route. */
function leave(): void {
  if (!shown) return;
  pause();
  for (const listener of leaving) listener();
  emit("page_leave", { visible_ms: Math.round(visibleMs) }, { url: shown });
  shown = "";
  visibleMs = 0;
}

export function view(props?: Record<string, unknown>): void {
  leave();
  shown = location.href;
  resume();
  emit("page_view", props);
}

function routed(): void {
  const moved = () => pageOf(location.href) !== pageOf(shown);
  // The route's title is set after its address as a rule.
  if (moved()) setTimeout(() => moved() && view());
}

function hook(name: "pushState" | "replaceState"): void {
  const original = history[name];
  history[name] = function (...args) {
    original.apply(this, args);
    routed();
  };
}

/** Call `start` once the page is shown to somebody: one that is made ready ahead of a click may never be. */
export function whenShown(start: () => void): void {
  if ((document as { prerendering?: boolean }).prerendering) document.addEventListener("prerenderingchange", start, { once: true });
  else start();
}

/** Send on the way out. Also where nothing is automatic: what was called for must not wait for the next visit. */
export function watchLeaving(): void {
  // On the window and not while capturing: whatever else is told at this moment (web vitals) comes before.
  addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") {
      pause();
      void send(true); // on a phone this is often the last thing that a page gets to do
    } else {
      resume();
    }
  });
  addEventListener("pagehide", () => {
    leave();
    void send(true);
  });
}

export function watchPages(): void {
  hook("pushState");
  hook("replaceState");
  addEventListener("popstate", routed);
  if (hashRoutes) addEventListener("hashchange", routed);
  addEventListener("pageshow", ({ persisted }) => persisted && view());
  view();
}
