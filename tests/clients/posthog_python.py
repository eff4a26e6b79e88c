"""posthog, with capture version 0 or 1 as the first argument says."""

from __future__ import annotations

import sys

from order import Order, report
from posthog import Posthog

order = Order()
failed: set[str] = set()
client = Posthog(
    order.key,
    host=order.address,
    gzip=True,
    flush_at=5,
    flush_interval=0.1,
    capture_mode=sys.argv[1],
    on_error=lambda _error, batch: failed.update(event["uuid"] for event in batch),
)
for event in order.paced():
    name = "$pageview" if "page" in event else event["name"]
    properties = {"$current_url": event["url"], **event.get("props", {})}
    client.capture(name, distinct_id=event["visitor"], uuid=event["id"], properties=properties)
client.flush()
client.shutdown()
report(failed)
