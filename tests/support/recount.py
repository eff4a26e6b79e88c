"""Sessions and funnel attempts counted again from raw rows, by plain scans and none of the project's rules' code.

For loads in which a visitor has one session id and never pauses for half an hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

STEPS = ("product_added", "checkout_started", "shipping", "payment", "order_completed")
ERRORS = ("js_error", "form_error", "login_failed", "payment_failed")

Row = Mapping[str, Any]


def sessions(rows: Iterable[Row]) -> dict[str, tuple[Any, ...]]:
    """By visitor: (events, page views, clicks, errors, checkout events, orders, first ts, last ts)."""
    by_visitor: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_visitor[row["visitor_id"]].append(row)
    return {
        visitor: (
            len(own),
            sum(r["type"] == "page_view" for r in own),
            sum(r["type"] == "click" for r in own),
            sum(r["type"] in ERRORS for r in own),
            sum(r["type"] in STEPS for r in own),
            sum(r["type"] == "order_completed" for r in own),
            min(r["ts"] for r in own),
            max(r["ts"] for r in own),
        )
        for visitor, own in by_visitor.items()
    }


def attempts(rows: Iterable[Row]) -> dict[tuple[str, str], tuple[int, float]]:
    """By (visitor, start): (number of the step where it stands, value last seen).

    The cart, shipping and payment may be left out, the checkout may not. A complete attempt is followed by a new one.
    """
    steps = [r for r in rows if r["type"] in STEPS]
    steps.sort(key=lambda r: (r["ts"], STEPS.index(r["type"]), r["event_id"]))
    checkout, order = STEPS.index("checkout_started"), STEPS.index("order_completed")
    found: dict[tuple[str, str], tuple[int, float]] = {}
    current: dict[str, tuple[str, int]] = {}
    for row in steps:
        visitor, step, value = row["visitor_id"], STEPS.index(row["type"]), float(row["value"])
        start, position = current.get(visitor, ("", order))
        if position == order:
            if step > checkout:
                continue
            start, position = row["ts"], step
        elif step > position and not position < checkout < step:
            position = step
        current[visitor] = (start, position)
        found[visitor, start] = (position + 1, value)
    return found
