"""Coupon denied: a customer with a code was told no."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Denied coupons among `facts`; no thresholds."""
    for fact in facts:
        if fact.type == "coupon_denied":
            evidence: dict[str, object] = {
                "coupon": fact.text("coupon", "coupon_id", "coupon_code"),
                "reason": fact.text("reason") or fact.message,
            }
            yield Signal("coupon_denied", fact, fact, evidence)
