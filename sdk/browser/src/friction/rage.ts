/** Rage clicks, for the page's own use at once (the server finds them again from the clicks). PostHog's rule: three
 * clicks, each less than 1000 ms and 30 px (Manhattan) off the one before; fires once a chain. */

import type { Core } from "../types";

const CLICKS = 3;
const GAP_MS = 1000;
const DISTANCE_PX = 30;

export function watchRage(core: Core): void {
  let count = 0;
  let at = 0;
  let x = 0;
  let y = 0;
  core.onClick((control, { editable }, clickX, clickY) => {
    // Double and triple clicks select text; steppers are made to be clicked often.
    if (editable || (!clickX && !clickY) || /^[+\-–−<>‹›«»]$/.test(control.textContent?.trim() ?? "")) return;
    const now = performance.now();
    const near = Math.abs(clickX - x) + Math.abs(clickY - y) < DISTANCE_PX;
    count = near && now - at < GAP_MS ? count + 1 : 1;
    [at, x, y] = [now, clickX, clickY];
    if (count === CLICKS) core.friction("rage_click", core.select(control));
  });
}
