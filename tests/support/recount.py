"""Sessions and funnel attempts counted again from raw rows, by plain scans and none of the project's rules' code.

For loads in which a visitor has one session id and never pauses for half an hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

STEPS = ("product_added", "checkout_started", "shipping", "payment", "order_completed")

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
            sum(r["type"] == "js_error" for r in own),
            sum(r["type"] in STEPS for r in own),
            sum(r["type"] == "order_completed" for r in own),
            min(r["ts"] for r in own),
            max(r["ts"] for r in own),
        )
        for visitor, own in by_visitor.items()
    }


def attempts(rows: Iterable[Row]) -> dict[tuple[str, str], tuple[int, float]]:
    """By (visitor, start): (steps reached, value last seen). A complete attempt is followed by a new one."""
    steps = [r for r in rows if r["type"] in STEPS]
    steps.sort(key=lambda r: (r["ts"], STEPS.index(r["type"]), r["event_id"]))
    found: dict[tuple[str, str], tuple[int, float]] = {}
    current: dict[str, tuple[str, int]] = {}
    for row in steps:
        visitor, step, value = row["visitor_id"], STEPS.index(row["type"]), float(row["value"])
        start, reached = current.get(visitor, ("", 0))
        if reached in {0, len(STEPS)}:
            if step == 0:
                current[visitor] = (row["ts"], 1)
                found[visitor, row["ts"]] = (1, value)
            continue
        reached += step == reached
        current[visitor] = (start, reached)
        found[visitor, start] = (reached, value)
    return found
