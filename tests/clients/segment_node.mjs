// @segment/analytics-node
import { Analytics } from "@segment/analytics-node";
import { order, paced, report } from "./order.mjs";

const failed = new Set();
const client = new Analytics({ writeKey: order.key, host: order.address, flushAt: 5, flushInterval: 100 });
const settled = (id) => (error) => error && failed.add(id);
client.on("error", (error) => console.error(error.code, error.reason));
for await (const event of paced()) {
  const common = { messageId: event.id, anonymousId: event.visitor };
  if (event.page) {
    client.page({ ...common, name: event.page, properties: { url: event.url } }, settled(event.id));
  } else {
    const context = { page: { url: event.url } };
    client.track({ ...common, event: event.name, properties: event.props, context }, settled(event.id));
  }
}
await client.closeAndFlush({ timeout: 90_000 });
report(failed);
