/** What fails: scripts, promises, resources, and requests to the page's own origin. */

import { emit } from "./events";
import type { Props } from "./types";

const SAME_MOST = 5; // of one and the same failure on a page: a loop must not fill the outbox
const seen = new Map<string, number>();

type FailureListener = (signal: string, durationMs?: number) => void;

let told: FailureListener = () => {};

/** Call `listener` for each failure that is sent; a request's with the time since it began. */
export const onFailure = (listener: FailureListener) => (told = listener);

function fail(type: string, message: string, props: Props): void {
  const count = (seen.get(type + message) ?? 0) + 1;
  seen.set(type + message, count);
  if (count > SAME_MOST) return;
  emit(type, props, { message: message.slice(0, 1000), kind: "error" });
  told(type, props.duration_ms as number | undefined);
}

function thrown(error: unknown, message: string, where: Props): void {
  const known = error instanceof Error;
  const text = known ? error.message : message || String(error);
  fail("js_error", text, { ...where, error_type: known ? error.name : undefined, stack: known ? error.stack?.slice(0, 4000) : undefined });
}

function request(url: string, method: string, status: number, started: number): void {
  if (!url.startsWith(`${location.origin}/`) || (status && status < 400)) return;
  const path = new URL(url).pathname;
  // Rounded down, so that no request seems to have begun before the click that made it.
  fail(status ? "http_error" : "network_error", `${method} ${path} ${status || "failed"}`, {
    status: status || undefined,
    url: status ? undefined : path,
    request_path: path,
    method,
    duration_ms: Math.floor(performance.now() - started),
  });
}

function watchFetch(): void {
  const original = window.fetch;
  window.fetch = async function (...args) {
    const started = performance.now();
    let url = "";
    let method = "GET";
    try {
      const [input, init] = args;
      url = new URL(input instanceof Request ? input.url : String(input), document.baseURI).href;
      method = (init?.method ?? (input instanceof Request ? input.method : method)).toUpperCase();
    } catch {
      // not our mistake to report: the original throws
    }
    try {
      const answer = await original.apply(this, args);
      request(url, method, answer.status, started);
      return answer;
    } catch (error) {
      // A request that the page itself or the leaving of it has stopped is no failure.
      if ((error as Error)?.name !== "AbortError") request(url, method, 0, started);
      throw error;
    }
  };
}

function watchXhr(): void {
  const open = XMLHttpRequest.prototype.open as (...args: unknown[]) => void;
  // What an object asks for now; the same one may be opened again.
  const asked = new WeakMap<XMLHttpRequest, [method: string, url: string, started: number]>();
  XMLHttpRequest.prototype.open = function (this: XMLHttpRequest, ...args: unknown[]) {
    if (!asked.has(this)) {
      for (const event of ["load", "error", "timeout"]) {
        this.addEventListener(event, () => {
          const [method, url, started] = asked.get(this)!;
          request(new URL(this.responseURL || url, document.baseURI).href, method, this.status, started);
        });
      }
    }
    asked.set(this, [String(args[0]).toUpperCase(), String(args[1]), performance.now()]);
    open.apply(this, args);
  };
}

export function watchFailures(): void {
  addEventListener(
    "error",
    (event) => {
      const target = event.target as (Element & { src?: string; href?: string }) | null;
      if (event instanceof ErrorEvent) {
        thrown(event.error, event.message, { file: event.filename, line: event.lineno });
      } else if (target?.localName) {
        const src = (target.src ?? target.href ?? "").split("?")[0];
        fail("resource_error", `${target.localName} ${src}`, { src, tag: target.localName });
      }
    },
    true,
  );
  addEventListener("unhandledrejection", (event) => thrown(event.reason, "", { handled: false }));
  watchFetch();
  watchXhr();
}
