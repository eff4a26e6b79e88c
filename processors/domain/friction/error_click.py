"""Error click: a click that a technical error follows at once, on the same page.

Datadog counts an error during the click's action; here the action is what begins in the first `delay_ms` after the
click. A request that failed (`duration_ms`) began so much earlier than its failure was told. What the customer is told
(a field, a payment, a password refused) is no defect of the page and has rules of its own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Final

from processors.domain.fact import ERROR, Fact
from processors.domain.friction.signal import Signal

_TOLD_TO_CUSTOMER: Final = frozenset({"form_error", "payment_failed", "login_failed"})
_time: Final = attrgetter("ts")


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Error clicks among `facts`: the last click before each error began, once per click.

    Thresholds: delay_ms from the click to the beginning; early_ms by which that may seem to lie before the click.
    """
    clicks: list[Fact] = []
    told: set[str] = set()
    for fact in facts:
        if fact.type == "click":
            clicks.append(fact)
        elif clicks and fact.kind == ERROR and fact.type not in _TOLD_TO_CUSTOMER:
            duration = max(0, int(fact.number("duration_ms") or 0))
            began = fact.ts - duration
            before = bisect_right(clicks, began + thresholds["early_ms"], key=_time)
            click = clicks[before - 1]
            if not before or click.path != fact.path or click.event_id in told:
                continue
            delay = max(0, began - click.ts)
            if delay <= thresholds["delay_ms"]:
                told.add(click.event_id)
                evidence = {
                    "delay_ms": delay,
                    "duration_ms": duration,
                    "error_class": fact.error_class,
                    "fingerprint": fact.fingerprint,
                    "message": fact.message,
                }
                yield Signal("error_click", click, click, evidence)
