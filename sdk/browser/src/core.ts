/** The first file: the public API, and what is watched from the start. */

import { automatic, base, endpoint, key, script, withFriction } from "./config";
import { blamed, onClick, watchClicks } from "./clicks";
import { control, select } from "./element";
import { emit } from "./events";
import { onFailure, watchFailures } from "./failures";
import { getConsent, onDenied, sessionId, setConsent, setUser, visitorId } from "./ids";
import * as outbox from "./outbox";
import { onLeave, view, watchLeaving, watchPages, whenShown } from "./pages";
import { send } from "./sender";
import type { Core, Friction, Props, Snag } from "./types";

declare const VERSION: string;
declare const FRICTION_FILE: string;
declare const FRICTION_INTEGRITY: string;

type Call = [method: string, ...args: unknown[]];
type Plugin = (core: Core) => void;

// Segment's e-commerce names; "Payment Info Entered" and "Products Searched" are types of another name.
const COMMERCE = [
  "productViewed", "productAdded", "productRemoved", "cartViewed", "checkoutStarted", "checkoutStepViewed",
  "checkoutStepCompleted", "paymentFailed", "couponEntered", "couponApplied", "couponRemoved", "couponDenied",
  "orderCompleted", "orderRefunded",
];
const typeOf = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const listeners = new Set<(friction: Friction) => void>();

function friction(signal: string, element: string): void {
  for (const listener of listeners) {
    try {
      listener({ signal, element, page: location.pathname });
    } catch (error) {
      setTimeout(() => console.error(error)); // the page's mistake, said where its author looks; ours goes on
    }
  }
}

function consent(state: "granted" | "denied" | "anonymous"): void {
  setConsent(state);
  if (getConsent() === "denied") return outbox.clear();
  outbox.store();
  void send();
}

const core: Core = { endpoint, emit, friction, select, control, onClick, onLeave };

const api: Record<string, unknown> = {
  version: VERSION,
  track: emit,
  page: view,
  identify(userId: string, traits?: Props) {
    setUser(String(userId));
    emit("identify", traits);
  },
  consent,
  survey: (id: string, answer: string | number, props?: Props) => emit("survey_answered", { survey: id, answer, ...props }),
  on(_: "friction", listener: (friction: Friction) => void) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  ids: () => (getConsent() === "denied" ? {} : { session_id: sessionId(), visitor_id: visitorId() }),
  flush: () => send(),
  paymentInfoEntered: (props: Props) => emit("payment", props),
  productsSearched: (props: Props) => emit("search", props),
  // How the second file and calls made before this one was loaded get in: snag.push(["track", "x"]).
  push(call: Call | Plugin) {
    if (typeof call === "function") return call(core);
    const [method, ...args] = call;
    return (api[method] as ((...args: unknown[]) => unknown) | undefined)?.(...args);
  },
};
for (const name of COMMERCE) api[name] = (props?: Props) => emit(typeOf(name), props);

/** The second file, once the page has what it needs itself. */
function loadFriction(): void {
  const tag = document.createElement("script");
  tag.src = base + FRICTION_FILE;
  tag.crossOrigin = "anonymous";
  tag.integrity = FRICTION_INTEGRITY;
  tag.nonce = script?.nonce ?? "";
  document.head.append(tag);
}

const global = window as unknown as { snag?: Snag | Call[] };
const early = global.snag;
if (key && !(early && "version" in early)) {
  global.snag = api as unknown as Snag;
  try {
    if (automatic) {
      onFailure((signal, durationMs) => {
        friction(signal, "");
        const element = blamed(durationMs);
        if (element) friction("error_click", element);
      });
      watchFailures();
      watchClicks();
      whenShown(watchPages);
    }
    watchLeaving();
    onDenied(() => consent("denied"));
    if (Array.isArray(early)) early.forEach((call) => (api.push as (call: Call) => void)(call));
    void outbox.adopt().then(() => send());
    if (automatic && withFriction) {
      const idle = window.requestIdleCallback ?? setTimeout;
      if (document.readyState === "complete") idle(loadFriction);
      else addEventListener("load", () => idle(loadFriction));
    }
  } catch (error) {
    console.warn("snag", error); // ours must never break the page
  }
} else if (!key) {
  console.warn("snag: the script tag needs data-key, a write key of your site");
}
