// @sentry/node, which says of no event whether it arrived
import * as Sentry from "@sentry/node";
import { order, paced, report } from "./order.mjs";

Sentry.init({
  dsn: `${order.address.replace("://", `://${order.key}@`)}/42`,
  release: "shop@1.0.0",
  environment: "production",
});
for await (const event of paced()) {
  const captureContext = { tags: { visitor_id: event.visitor, session_id: `${event.visitor}-s` } };
  Sentry.captureException(new RangeError(event.error), { event_id: event.id, captureContext });
}
await Sentry.flush(60_000);
report([]);
process.exit(0); // it keeps watching the process
