"""What the checkout rules share: which events are in the checkout, and which are steps forward."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from processors.domain.fact import Fact

STEPS: Final = frozenset(
    {"checkout_started", "checkout_step_viewed", "checkout_step_completed", "shipping", "payment", "order_completed"}
)
"""Steps forward in a checkout."""

_LEAVES: Final = frozenset({"order_completed", "product_viewed", "product_added"})


def checkouts(facts: Iterable[Fact]) -> Iterator[tuple[Fact, int]]:
    """The facts that lie in a checkout, each with the checkout's number.

    It lasts from its first step to the order, or to shopping on.
    """
    number, inside = 0, False
    for fact in facts:
        if fact.type in _LEAVES:
            inside = False
        elif fact.type in STEPS:
            if not inside:
                number += 1
            inside = True
        if inside:
            yield fact, number
