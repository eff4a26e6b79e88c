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
    form ? form.getAttribute("data-snag-form") || form.id || form.getAttribute("name") || core.select(form) : "";
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

  document.addEventListener("change", (event) => {
    const found = seen(event);
    if (!found) return;
    const [field, form] = found;
    const state = started.get(form)!;
    state.field = fieldOf(field);
    state.touched.add(state.field);
    core.emit("form_field", { form: nameOf(form), field: state.field }, { element: core.select(field) });
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
  const marked = (field: Element) => field.getAttribute("aria-invalid") === "true" && wrong(field, "aria-invalid");
  document.querySelectorAll("[aria-invalid]").forEach(marked);
  new MutationObserver((changes) => {
    for (const { target } of changes) marked(target as Element);
  }).observe(document, { subtree: true, attributes: true, attributeFilter: ["aria-invalid"] });

  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target as HTMLFormElement;
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
