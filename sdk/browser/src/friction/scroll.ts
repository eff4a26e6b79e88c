/** Scrolling: how far down, told whenever it comes to rest; up and down again is for the server to judge. */

import type { Core } from "../types";

const REST_MS = 400;
const STEP_PERCENT = 10; // smaller moves say nothing
const MOST = 100; // events of a page: a page that scrolls by itself must not fill the outbox

export function watchScroll(core: Core): void {
  let last = 0;
  let count = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const rest = () => {
    const page = document.documentElement;
    const depth = Math.min(100, Math.round((100 * (scrollY + innerHeight)) / Math.max(page.scrollHeight, 1)));
    if (Math.abs(depth - last) < STEP_PERCENT || count++ >= MOST) return;
    last = depth;
    core.emit("scroll", { depth });
  };

  addEventListener(
    "scroll",
    () => {
      clearTimeout(timer);
      timer = setTimeout(rest, REST_MS);
    },
    { passive: true },
  );
  core.onLeave(() => {
    clearTimeout(timer);
    if (last || scrollY) rest();
    last = count = 0;
  });
}
