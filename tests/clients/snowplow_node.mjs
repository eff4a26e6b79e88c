// @snowplow/node-tracker: every second event over GET
import { buildPageView, buildSelfDescribingEvent, newTracker } from "@snowplow/node-tracker";
import { order, paced, report } from "./order.mjs";

const ids = {};
const failed = new Set();
const waiting = new Set();
const settled = (events) => events.forEach((event) => waiting.delete(event.eid));
const configuration = (eventMethod) => ({
  endpoint: order.address,
  eventMethod,
  bufferSize: eventMethod === "post" ? 5 : 1,
  onRequestSuccess: settled,
  onRequestFailure: ({ events, willRetry }) => {
    if (willRetry) return;
    settled(events);
    events.forEach((event) => failed.add(event.eid));
  },
});
const trackers = ["post", "get"].map((method) =>
  newTracker({ namespace: method, appId: order.key, encodeBase64: method === "post" }, configuration(method)),
);
let number = 0;
for await (const event of paced()) {
  const tracker = trackers[number++ % 2];
  tracker.setDomainUserId(event.visitor);
  const described = ([schema, data]) => ({ schema, data });
  const built = event.page
    ? buildPageView({ pageUrl: event.url, pageTitle: event.page })
    : buildSelfDescribingEvent({ event: described(event.described) });
  const { eid } = tracker.track(built, (event.contexts ?? []).map(described));
  ids[event.id] = eid;
  waiting.add(eid);
}
while (waiting.size) {
  await Promise.all(trackers.map((tracker) => tracker.flush()));
  await new Promise((resolve) => setTimeout(resolve, 50));
}
report(failed, ids);
process.exit(0); // its retries leave timers behind
