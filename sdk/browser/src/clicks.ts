/** Clicks, seen in the capture phase so that no handler of the page hides one; nothing is ever held up. */

import { control, describe, select } from "./element";
import { emit } from "./events";

export function watchClicks(): void {
  document.addEventListener(
    "click",
    (click) => {
      const element = control(click.target);
      // A click made by a label or by the keyboard has no place; it must not look like rage at one spot.
      if (!element || !click.isTrusted || (!click.clientX && !click.clientY)) return;
      emit("click", describe(element), {
        element: select(element),
        x: Math.round(click.clientX),
        y: Math.round(click.clientY),
      });
    },
    true,
  );
}
