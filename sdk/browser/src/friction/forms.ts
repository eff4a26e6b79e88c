/** Forms: started, fields left, errors shown, sent, given up. Names and counts, never a value. */

import type { Core } from "../types";

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

const FIELDS = "input:not([type=hidden],[type=submit],[type=button],[type=image],[type=reset]),select,textarea";

interface Started {
  field: string;
  touched: Set<string>;
}

export function watchForms(core: Core): void {
  const started = new Map<HTMLFormElement, Started>();
  const nameOf = (form: Element | null) =>
    form ? form.getAttribute("data-snag-form") || form.getAttribute("id") || form.getAttribute("name") || core.select(form) : "";
  const fieldOf = (field: Field) => field.name || field.id || field.type;

  const seen = (event: Event): [Field, HTMLFormElement] | undefined => {
    const field = event.target as Field;
    const form = field.form;
    if (!form || !field.matches?.(FIELDS) || form.closest("[data-snag-ignore]") || form.role === "search") return undefined;
    if (!started.has(form)) {
      started.set(form, { field: fieldOf(field), touched: new Set() });
      core.emit("form_start", { form: nameOf(form), field: fieldOf(field) }, { element: core.select(field) });
    }
    return [field, form];
  };

  /** Fields told as wrong since they were last changed or sent: a page that checks at every key says it once. */
  let refused = new WeakSet<Element>();

  // At the first key: a page closed before the field is left says no "change".
  document.addEventListener("input", (event) => {
    const found = seen(event);
    if (!found) return;
    const [field, form] = found;
    const state = started.get(form)!;
    state.field = fieldOf(field);
    state.touched.add(state.field);
  });
  document.addEventListener("change", (event) => {
    refused.delete(event.target as Element);
    const found = seen(event);
    if (found) core.emit("form_field", { form: nameOf(found[1]), field: fieldOf(found[0]) }, { element: core.select(found[0]) });
  });

  const wrong = (field: Element & { name?: string; id: string }, message: string) => {
    const form = field.closest("form");
    const name = field.name || field.id;
    core.emit(
      "form_error",
      { form: nameOf(form), field: name },
      { element: core.select(field), kind: "error", message },
    );
    core.friction("form_error", core.select(field));
  };
  // What the browser refuses, told by the kind of refusal: its message may quote the value.
  document.addEventListener(
    "invalid",
    (event) => {
      const field = event.target as Field;
      const flags = field.validity;
      for (const flag in flags) {
        if (flag !== "valid" && flags[flag as keyof ValidityState]) return wrong(field, flag);
      }
    },
    true,
  );
  // What the page itself marks as wrong, by a script or, where forms are checked by the server, from the start.
  const marked = (field: Element) => {
    if (field.getAttribute("aria-invalid") !== "true") refused.delete(field);
    else if (!refused.has(field) && !field.closest("[data-snag-ignore]")) {
      refused.add(field);
      wrong(field, "aria-invalid");
    }
  };
  const markedWithin = (root: ParentNode) => root.querySelectorAll("[aria-invalid]").forEach(marked);
  markedWithin(document);
  new MutationObserver((changes) => {
    for (const { target, type, addedNodes } of changes) {
      if (type === "attributes") marked(target as Element);
      for (const node of addedNodes) {
        if (!(node instanceof Element)) continue;
        if (node.hasAttribute("aria-invalid")) marked(node);
        markedWithin(node);
      }
    }
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-invalid"] });

  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target as HTMLFormElement;
      refused = new WeakSet();
      core.emit("form_submit", { form: nameOf(form) }, { element: core.select(form) });
      started.delete(form);
    },
    true,
  );
  core.onLeave(() => {
    for (const [form, { field, touched }] of started) {
      if (touched.size) {
        const total = form.querySelectorAll(FIELDS).length;
        core.emit("form_abandon", { form: nameOf(form), field, filled: touched.size, total });
      }
    }
    started.clear();
  });
}
