"""CloudEvents as the `cloudevents` package writes them: structured, or binary, as the first argument says."""

from __future__ import annotations

import sys
from typing import Final

from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from order import Order, report
from patient import patient

WRITE: Final = {"structured": to_structured_event, "binary": to_binary_event}

order = Order()
write = WRITE[sys.argv[1]]
failed: set[str] = set()
for event in order.paced():
    name = "page_view" if "page" in event else event["name"].lower().replace(" ", "_")
    attributes = {
        "id": event["id"],
        "source": "https://shop.example/backend",
        "type": f"example.shop.{name}",
        "visitorid": event["visitor"],
    }
    message = write(CloudEvent(attributes, {"url": event["url"], "props": event.get("props", {})}))
    headers = {**message.headers, "X-Write-Key": order.key}
    if not patient("POST", f"{order.address}/v1/cloudevents", bytes(message.body), headers):
        failed.add(event["id"])
report(failed)
