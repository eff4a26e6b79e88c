"""segment-analytics-python."""

from __future__ import annotations

from order import Order, report
from segment.analytics.client import Client

order = Order()
failed: set[str] = set()
client = Client(
    order.key,
    host=order.address,
    gzip=True,
    upload_size=5,
    upload_interval=0.1,
    on_error=lambda _error, batch: failed.update(message["messageId"] for message in batch),
)
for event in order.paced():
    common = {"message_id": event["id"], "anonymous_id": event["visitor"]}
    if "page" in event:
        client.page(name=event["page"], properties={"url": event["url"]}, **common)
    else:
        context = {"page": {"url": event["url"]}}
        client.track(event=event["name"], properties=event["props"], context=context, **common)
client.flush()
client.join()
report(failed)
