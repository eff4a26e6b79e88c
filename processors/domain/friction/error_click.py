"""Error click: a click that a technical error follows at once, on the same page.

Datadog counts an error during the click's action; here the action is the first `delay_ms` after the click. What the
customer is told (a field, a payment, a password refused) is no defect of the page and has rules of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from processors.domain.fact import ERROR, Fact
from processors.domain.friction.signal import Signal

_TOLD_TO_CUSTOMER: Final = frozenset({"form_error", "payment_failed", "login_failed"})


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Error clicks among `facts`: the last click before each error, once per click; threshold: delay_ms."""
    click: Fact | None = None
    for fact in facts:
        if fact.type == "click":
            click = fact
        elif fact.kind != ERROR or fact.type in _TOLD_TO_CUSTOMER:
            continue
        elif click is not None and fact.path == click.path:
            delay = fact.ts - click.ts
            if delay <= thresholds["delay_ms"]:
                evidence = {
                    "delay_ms": delay,
                    "error_class": fact.error_class,
                    "fingerprint": fact.fingerprint,
                    "message": fact.message,
                }
                yield Signal("error_click", click, click, evidence)
            click = None
