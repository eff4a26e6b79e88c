/** Clicks, seen in the capture phase so that no handler of the page hides one; nothing is ever held up. */

import { control, describe, select } from "./element";
import { emit } from "./events";
import type { ClickListener } from "./types";

const ACTION_MS = 1000; // how long an error counts as the click's, as in the server's rule

const listeners: ClickListener[] = [];
let last = "";
let lastAt = 0;

/** Call `listener` for each click of a person on something that may be looked at. */
export const onClick = (listener: ClickListener) => listeners.push(listener);

/** The element of the click that a failure which began `ago` ms before now belongs to, once a click. */
export function blamed(ago = 0): string {
  const wait = performance.now() - ago - lastAt;
  if (wait < 0 || wait > ACTION_MS) return ""; // clicked while it ran, or long before
  const element = last;
  last = "";
  return element;
}

export function watchClicks(): void {
  document.addEventListener(
    "click",
    (click) => {
      const element = control(click.target);
      if (!element || !click.isTrusted) return;
      const props = describe(element);
      const [x, y] = [Math.round(click.clientX), Math.round(click.clientY)];
      // A click made by a label or by the keyboard has no place; it must not look like rage at one spot.
      if (x || y) {
        last = select(element);
        lastAt = performance.now();
        emit("click", props, { element: last, x, y });
      }
      for (const listener of listeners) listener(element, props, x, y);
    },
    true,
  );
}
