/** Dead click: a control was clicked and nothing came of it. PostHog's rule: no DOM mutation for 2500 ms, no scroll and
 * no change of selection within 100 ms; Datadog's exclusions: fields, canvas, links that leave the page. */

import type { Core, Props } from "../types";

const WAIT_MS = 2500;
const SOON_MS = 100;
const SAME_NODE_MS = 1000;
const CLICKABLE = "a,button,summary,[role=button],[role=link],[role=tab],[onclick],input[type=submit],input[type=button]";

interface Pending {
  element: Element;
  props: Props;
  at: number;
  x: number;
  y: number;
}

export function watchDead(core: Core): void {
  const pending = new Set<Pending>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const settle = (matches: (click: Pending) => boolean) => {
    for (const click of pending) if (matches(click)) pending.delete(click);
  };
  const any = () => pending.clear();
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

  /** Tell of those that have waited long enough, and look again when the next one has. */
  const look = () => {
    timer = undefined;
    for (const click of pending) {
      const left = click.at + WAIT_MS - performance.now();
      if (left > 0) {
        timer = setTimeout(look, left);
        return;
      }
      pending.delete(click);
      const selector = core.select(click.element);
      core.emit("dead_click", { ...click.props, effect_ms: null }, { element: selector, x: click.x, y: click.y });
      core.friction("dead_click", selector);
    }
  };

  core.onClick((control, props, x, y) => {
    const element = control.closest(CLICKABLE);
    if (!element || excluded(element)) return;
    const at = performance.now();
    for (const click of pending) if (click.element === element && at - click.at < SAME_NODE_MS) return;
    pending.add({ element, props, at, x, y });
    timer ??= setTimeout(look, WAIT_MS);
  });
}

function excluded(element: Element): boolean {
  const link = element.closest("a");
  return !!link && (link.hasAttribute("download") || !/^(_self)?$/.test(link.target) || /^(mailto|tel|javascript):/.test(link.href));
}
