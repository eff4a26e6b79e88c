/** Thrashed cursor. OpenReplay's rule: looked at every 225 ms, more than 4 changes of direction with an acceleration
 * above 0.008 px/ms². Told at most once in ten seconds. */

import type { Core } from "../types";

const SLICE_MS = 225;
const TURNS = 4;
const ACCELERATION = 0.008;
const QUIET_MS = 10_000;

export function watchThrash(core: Core): void {
  let turns = 0;
  let distance = 0;
  let direction = 0;
  let lastX = 0;
  let speed = 0;
  let began = 0;
  let told = -QUIET_MS;
  document.addEventListener(
    "mousemove",
    (move) => {
      const dx = move.screenX - lastX;
      lastX = move.screenX;
      distance += Math.abs(dx) + Math.abs(move.movementY);
      if (dx && Math.sign(dx) !== direction) {
        direction = Math.sign(dx);
        turns++;
      }
      const now = performance.now();
      const elapsed = now - began;
      if (elapsed < SLICE_MS) return;
      const next = distance / elapsed;
      const acceleration = Math.abs(next - speed) / elapsed;
      // A long pause between two moves is no slice.
      if (elapsed < 2 * SLICE_MS && turns > TURNS && acceleration > ACCELERATION && now - told > QUIET_MS) {
        told = now;
        const element = core.control(move.target);
        const selector = element ? core.select(element) : "";
        core.emit("cursor_thrash", { turns, acceleration: Math.round(acceleration * 1e4) / 1e4 }, { element: selector });
        core.friction("cursor_thrash", selector);
      }
      [began, speed, turns, distance] = [now, next, 0, 0];
    },
    { passive: true },
  );
}
