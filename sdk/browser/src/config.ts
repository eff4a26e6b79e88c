/** What the script tag says. Everything has a default but the key. */

import type { Consent } from "./types";

// An ES module or a tag manager leaves no currentScript; then the tag is found by its key.
export const script = (document.currentScript ?? document.querySelector("script[data-key]")) as HTMLScriptElement | null;
const data = script?.dataset ?? {};

export const base = script?.src ? new URL(".", script.src).href : "/";
export const key = data.key ?? "";
/** Neutral by default: ad blockers match paths with words such as "events" or "analytics". */
export const endpoint = `${new URL(data.path ?? "s", base).href}?cookie=no&writeKey=${encodeURIComponent(key)}`;
export const release = data.release;
export const hashRoutes = "hash" in data;
export const debug = "debug" in data;
export const automatic = data.auto !== "off";
export const withFriction = data.friction !== "off";
export const maskText = data.mask === "all";
/** `data-consent="required"`: nothing leaves the page before `snag.consent(..)`. */
export const firstConsent: Consent = data.consent === "required" ? "pending" : "anonymous";

interface Signals extends Navigator {
  globalPrivacyControl?: boolean;
}
/** Do Not Track and Global Privacy Control count as "denied", unless the site says that it has asked by other means. */
export const refused =
  data.dnt !== "ignore" && ((navigator as Signals).globalPrivacyControl === true || navigator.doNotTrack === "1");
