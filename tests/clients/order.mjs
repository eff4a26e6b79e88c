// What every Node.js program here begins and ends with: the order it reads, and the report it prints.
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

export const order = JSON.parse(readFileSync(0, "utf8"));

export async function* paced() {
  for (const event of order.events) {
    yield event;
    if (order.pause_s) await pause(order.pause_s * 1000);
  }
}

// `ids`: by ordered id the client's own, where it takes none from outside
export function report(failed, ids = {}) {
  console.log(JSON.stringify({ failed: [...failed].sort(), ids }));
}
