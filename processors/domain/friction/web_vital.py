"""What the three web-vitals rules share: a metric above the limit from which web-vitals calls it poor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal


def poor(signal: str, metric: str, limit: float, facts: Sequence[Fact]) -> Iterator[Signal]:
    """A signal for each page load whose `metric` was above `limit`; a metric may be reported again as it grows.

    The metric's `id` names the page load; without one the place does, once a session.
    """
    counted: set[str] = set()
    for fact in facts:
        if fact.type != "web_vital" or fact.text("name").upper() != metric:
            continue
        value = fact.number("value")
        load = fact.text("id") or fact.place
        if value is None or value <= limit or load in counted:
            continue
        counted.add(load)
        yield Signal(signal, fact, fact, {"metric": metric, "value": value})
