/** Core Web Vitals by Google's own library, each metric when it is final. */

import { onCLS, onFCP, onINP, onLCP, onTTFB, type Metric } from "web-vitals";
import type { Core } from "../types";

export function watchVitals(core: Core): void {
  const report = ({ name, value, id, rating }: Metric) => {
    core.emit("web_vital", { name, value: Math.round(value * 1000) / 1000, id, rating });
    if (rating === "poor") core.friction(name === "INP" ? "slow_interaction" : "slow_page", "");
  };
  for (const on of [onLCP, onCLS, onFCP, onTTFB]) on(report);

  // The library's last word on INP comes before it has looked at an interaction of the last moment, often the one that
  // made the visitor leave. It says each change; the last one is told when all its listeners have been called.
  let last: Metric | undefined;
  onINP((metric) => (last = metric), { reportAllChanges: true });
  document.addEventListener("visibilitychange", () => {
    if (!last || document.visibilityState !== "hidden") return;
    report(last);
    last = undefined;
  });
}
