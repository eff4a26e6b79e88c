"""What clients that speak of other things than Segment's events send, and the rows that it has to become."""

from __future__ import annotations

import uuid
from typing import Any, Final

_COMMERCE: Final = "iglu:com.snowplowanalytics.snowplow.ecommerce"
_ACTION: Final = f"{_COMMERCE}/snowplow_ecommerce_action/jsonschema/1-0-2"
_MONEY: Final = {"currency": "EUR"}
_STEPS: Final[tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...]] = (
    # action, context, its data; and the row's type and properties
    ("add_to_cart", "cart", {"total_value": 30.5, **_MONEY}, {"type": "product_added", "value": "30.5"}),
    ("checkout_step", "checkout_step", {"step": 1}, {"type": "checkout_started", "step": "1"}),
    ("checkout_step", "checkout_step", {"step": 2, "payment_method": "card"}, {"type": "payment", "step": "2"}),
    (
        "transaction",
        "transaction",
        {"transaction_id": "T1", "revenue": 30.5, "payment_method": "card", **_MONEY},
        {"type": "order_completed", "value": "30.5", "order_id": "T1", "checkout_id": "T1"},
    ),
)


def snowplow_story(run: str, visits: int) -> list[dict[str, Any]]:
    """A page and the e-commerce accelerator's actions of some visitors. The client gives the ids."""
    found: list[dict[str, Any]] = []
    for visit in range(visits):
        common = {"visitor": f"{run}-v{visit}"}
        url = f"https://shop.example/checkout?visit={visit}"
        found.append(common | {"id": str(uuid.uuid4()), "page": "Checkout", "url": url})
        for action, context, data, _row in _STEPS:
            contexts = [[f"{_COMMERCE}/{context}/jsonschema/1-0-0", data]]
            described = [_ACTION, {"type": action}]
            found.append(common | {"id": str(uuid.uuid4()), "described": described, "contexts": contexts})
    return found


def snowplow_row(sent: dict[str, Any]) -> dict[str, Any]:
    """The row that an event of `snowplow_story` has to become."""
    row = {"event_id": sent["id"], "visitor_id": sent["visitor"], "site": "shop"}
    if "page" in sent:
        return row | {"type": "page_view", "kind": "clickstream", "url": sent["url"], "title": sent["page"]}
    ((_schema, said),) = sent["contexts"]
    wanted = next(wanted for _action, _context, data, wanted in _STEPS if data == said)
    props = {name: value for name, value in wanted.items() if name != "type"}
    return row | {"type": wanted["type"], "kind": "checkout", "props": props}


def sentry_story(run: str, visits: int) -> list[dict[str, Any]]:
    """Five errors of each visitor, each another message."""
    return [
        {"id": uuid.uuid4().hex, "visitor": f"{run}-v{visit}", "error": f"the cart {number} of {run} is empty"}
        for visit in range(visits)
        for number in range(5)
    ]


def sentry_row(sent: dict[str, Any]) -> dict[str, Any]:
    """The row that an event of `sentry_story` has to become."""
    return {
        "event_id": sent["id"],
        "visitor_id": sent["visitor"],
        "session_id": f"{sent['visitor']}-s",
        "site": "shop",
        "kind": "error",
        "type": "exception",
        "error_class": "other",
        "message": sent["error"],
        "release": "shop@1.0.0",
        "props": {"handled": "true", "environment": "production"},
    }
