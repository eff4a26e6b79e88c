/** Dead click: a control was clicked and nothing came of it. PostHog's rule: no DOM mutation for 2500 ms, no scroll and
 * no change of selection within 100 ms; Datadog's exclusions: fields, canvas, links that leave the page. */

import type { Core } from "../types";

const WAIT_MS = 2500;
const SOON_MS = 100;
const SAME_NODE_MS = 1000;
const CLICKABLE = "a,button,summary,[role=button],[role=link],[role=tab],[onclick],input[type=submit],input[type=button]";

interface Pending {
  element: Element;
  at: number;
  x: number;
  y: number;
  timer: ReturnType<typeof setTimeout>;
}

export function watchDead(core: Core): void {
  const pending = new Set<Pending>();
  const settle = (matches: (click: Pending) => boolean) => {
    for (const click of pending) {
      if (matches(click)) {
        clearTimeout(click.timer);
        pending.delete(click);
      }
    }
  };
  const any = () => settle(() => true);
  const soon = () => settle((click) => performance.now() - click.at < SOON_MS);

  new MutationObserver(any).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  // A request counts as an effect: its answer may take longer than anyone would wait here.
  if (PerformanceObserver.supportedEntryTypes?.includes("resource")) {
    new PerformanceObserver((list) => {
      for (const { name, startTime } of list.getEntries()) {
        if (name !== core.endpoint) settle((click) => startTime >= click.at);
      }
    }).observe({ type: "resource" });
  }
  document.addEventListener("scroll", soon, { capture: true, passive: true });
  document.addEventListener("selectionchange", soon);
  for (const event of ["input", "change", "submit", "toggle"]) document.addEventListener(event, any, true);
  for (const event of ["pagehide", "beforeunload", "popstate", "hashchange", "blur"]) addEventListener(event, any);
  core.onLeave(any);

  document.addEventListener(
    "click",
    (event) => {
      const element = core.control(event.target)?.closest(CLICKABLE);
      if (!element || !event.isTrusted || excluded(element)) return;
      const at = performance.now();
      if ([...pending].some((click) => click.element === element && at - click.at < SAME_NODE_MS)) return;
      const click: Pending = {
        element,
        at,
        x: Math.round(event.clientX),
        y: Math.round(event.clientY),
        timer: setTimeout(() => {
          pending.delete(click);
          const selector = core.select(element);
          core.emit("dead_click", { ...core.describe(element), effect_ms: null }, { element: selector, x: click.x, y: click.y });
          core.friction("dead_click", selector);
        }, WAIT_MS),
      };
      pending.add(click);
    },
    true,
  );
}

function excluded(element: Element): boolean {
  const link = element.closest("a");
  return !!link && (link.hasAttribute("download") || !/^(_self)?$/.test(link.target) || /^(mailto|tel|javascript):/.test(link.href));
}
