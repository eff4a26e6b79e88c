// posthog-node
import { PostHog } from "posthog-node";
import { order, paced, report } from "./order.mjs";

const client = new PostHog(order.key, { host: order.address, flushAt: 5, flushInterval: 100 });
client.on("error", (error) => console.error(error));
for await (const event of paced()) {
  client.capture({
    uuid: event.id,
    distinctId: event.visitor,
    event: event.page ? "$pageview" : event.name,
    properties: { $current_url: event.url, ...event.props },
  });
}
await client.shutdown(90_000);
report([]);
