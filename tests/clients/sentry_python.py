"""sentry-sdk, which says of no event whether it arrived."""

from __future__ import annotations

import sys

import sentry_sdk
from order import Order, report
from sentry_sdk.utils import event_from_exception

order = Order()
sentry_sdk.init(
    dsn=order.address.replace("://", f"://{order.key}@") + "/42", release="shop@1.0.0", environment="production"
)
options = sentry_sdk.get_client().options
for event in order.paced():
    with sentry_sdk.new_scope() as scope:
        scope.set_tags({"visitor_id": event["visitor"], "session_id": f"{event['visitor']}-s"})
        try:
            raise ValueError(event["error"])
        except ValueError:
            # As capture_exception does, but for the id, which the test has to know.
            found, hint = event_from_exception(sys.exc_info(), client_options=options)
            sentry_sdk.capture_event({**found, "event_id": event["id"]}, hint)
sentry_sdk.flush(60)
report(set())
