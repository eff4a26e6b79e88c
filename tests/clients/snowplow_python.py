"""snowplow-tracker: every second event over GET."""

from __future__ import annotations

import time

from order import Order, report
from snowplow_tracker import Emitter, PageView, SelfDescribing, SelfDescribingJson, Subject, Tracker


def settle(emitter: Emitter) -> None:
    """Send until everything is taken."""
    while True:
        emitter.flush()  # does nothing while it waits for its next try
        with emitter.lock:
            if not emitter.event_store.size():
                return
        time.sleep(0.05)


order = Order()
emitters = [Emitter(order.address, method=method, max_retry_delay_seconds=1) for method in ("post", "get")]
trackers = [Tracker(namespace="test", emitters=emitter, app_id=order.key) for emitter in emitters]
ids: dict[str, str] = {}
for number, event in enumerate(order.paced()):
    common = {"event_subject": Subject().set_platform("web").set_domain_user_id(event["visitor"])}
    if "page" in event:
        made = PageView(page_url=event["url"], page_title=event["page"], **common)
    else:
        contexts = [SelfDescribingJson(*context) for context in event["contexts"]]
        made = SelfDescribing(event_json=SelfDescribingJson(*event["described"]), context=contexts, **common)
    ids[event["id"]] = trackers[number % 2].track(made)
    if number % 2:
        # Version 1.1.0 tries again only if the last GET of a batch failed, and forgets the others: a batch of one each.
        settle(emitters[1])
for emitter in emitters:
    settle(emitter)
report(set(), ids)
