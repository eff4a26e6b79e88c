// @rudderstack/rudder-sdk-node
import Analytics from "@rudderstack/rudder-sdk-node";
import { order, paced, report } from "./order.mjs";

const failed = new Set();
const waiting = new Set();
const client = new Analytics(order.key, { dataPlaneUrl: order.address, flushAt: 5, flushInterval: 100 });
client.errorHandler = (error) => console.error(error.code, error.message);
const settled = (id) => (error) => {
  waiting.delete(id);
  if (error) failed.add(id);
};
for await (const event of paced()) {
  waiting.add(event.id);
  const common = { messageId: event.id, anonymousId: event.visitor };
  if (event.page) {
    client.page({ ...common, name: event.page, properties: { url: event.url } }, settled(event.id));
  } else {
    const context = { page: { url: event.url } };
    client.track({ ...common, event: event.name, properties: event.props, context }, settled(event.id));
  }
}
while (waiting.size) {
  await client.flush().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 50));
}
report(failed);
