/** Elements as text: a selector that stays the same between visits and releases, and what a click needs to be judged. */

import { maskText } from "./config";
import type { Props } from "./types";

const CONTROLS = "a,button,summary,[role=button],[role=tab],[role=link],[onclick],label,input,textarea,select";
const EDITABLE = "input:not([type=button],[type=submit],[type=checkbox],[type=radio],[type=image],[type=reset]),textarea,select,[contenteditable]:not([contenteditable=false])";
const LEVELS = 4;
const NAMES = ["data-snag", "data-testid", "data-test", "name", "aria-label"];

const LABELLED = "a,button,summary,[role=button],[role=tab]";

// Names with many digits or of a hash's look are made anew by every build or visit; one with an address is a person's.
const stable = (name: string | null) => name && !/\d{3}|[a-z]\d[a-z\d]|__|[:@]/i.test(name);

/** A short selector: nearest stable id or name, and the way down from it. */
export function select(element: Element): string {
  const path: string[] = [];
  for (let node: Element | null = element; node && path.length < LEVELS && node !== document.body; ) {
    const tag = node.localName;
    const id = node.getAttribute("id"); // the property of a form is its field of that name, where there is one
    if (stable(id)) {
      path.unshift(`${tag}#${id}`);
      break;
    }
    const named = NAMES.find((name) => stable(node!.getAttribute(name)));
    if (named) {
      path.unshift(`${tag}[${named}="${node.getAttribute(named)}"]`);
      break;
    }
    const classes = [...node.classList].filter(stable).slice(0, 2);
    const place = classes.length ? "" : placeOf(node);
    path.unshift([tag, ...classes].join(".") + place);
    node = node.parentElement;
  }
  return path.join(" > ").slice(0, 200);
}

/** Its place among its siblings of the same kind, if there are any. */
function placeOf(node: Element): string {
  let place = 1;
  let before = node.previousElementSibling;
  for (; before; before = before.previousElementSibling) if (before.localName === node.localName) place++;
  if (place > 1) return `:nth-of-type(${place})`;
  let after = node.nextElementSibling;
  while (after && after.localName !== node.localName) after = after.nextElementSibling;
  return after ? ":nth-of-type(1)" : "";
}

/** The control around a click's target, else the target itself; null where the page asks not to look. */
export function control(target: EventTarget | null): Element | null {
  if (!(target instanceof Element) || target.closest("[data-snag-ignore]")) return null;
  return target.closest(CONTROLS) ?? target;
}

/** Evidence for the rules of clicks. Labels of links and buttons only, digits and addresses masked; never a value. */
export function describe(element: Element): Props {
  const link = element instanceof HTMLAnchorElement ? element : undefined;
  const label = element.matches(LABELLED);
  return {
    tag: element.localName,
    text: label && !maskText && !element.closest("[data-snag-mask]") ? mask(element.textContent ?? "") : undefined,
    href: link?.href.split(/[?#]/)[0] || undefined,
    target: link?.target || undefined,
    download: link?.hasAttribute("download") || undefined,
    editable: (!label && !!element.closest(EDITABLE)) || undefined,
  };
}

const mask = (text: string) =>
  text.trim().replace(/\S+@\S+/g, "@").replace(/\d/g, "#").replace(/\s+/g, " ").slice(0, 40) || undefined;
