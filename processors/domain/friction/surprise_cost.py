"""Surprise cost: at payment the total is above the one shown before, or shipping appears for the first time.

Like is compared with like: `total`, else `revenue`, else `value`, whichever both events carry, in one currency and of
one cart. Shipping that was never told before counts when the total rose with it, or when it was told to be free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal

_SHOWS: Final = frozenset(
    {"cart_viewed", "checkout_started", "checkout_step_viewed", "checkout_step_completed", "shipping"}
)
_LAST: Final = frozenset({"payment", "order_completed"})
_CHANGES: Final = frozenset({"product_added", "product_removed", "coupon_applied", "coupon_removed", "order_completed"})
_AMOUNTS: Final = ("total", "revenue", "value")


@dataclass
class _Cart:
    """What was told of the cart as it is now: the first event that showed an amount, and the shipping."""

    shown: Fact | None = None
    shipping_told: bool = False
    told_free: bool = False
    fired: bool = False


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Surprise costs among `facts`, once per cart; thresholds: share (of the earlier total), least (money)."""
    cart = _Cart()
    for fact in facts:
        if fact.type in _SHOWS:
            shipping = fact.number("shipping")
            cart.shipping_told |= shipping is not None and shipping > 0
            cart.told_free |= shipping == 0
            if cart.shown is None and fact.number(*_AMOUNTS) is not None:
                cart.shown = fact
        elif fact.type in _LAST and not cart.fired:
            evidence = _surprise(cart, fact, thresholds)
            if evidence is not None:
                cart.fired = True
                yield Signal("surprise_cost", fact, fact, evidence)
        if fact.type in _CHANGES:
            cart = _Cart()


def _surprise(cart: _Cart, fact: Fact, thresholds: Mapping[str, float]) -> dict[str, object] | None:
    shown, now = _comparable(cart.shown, fact)
    rise = now - shown
    shipping = fact.number("shipping")
    late = shipping is not None and shipping > 0 and not cart.shipping_told and (rise > 0 or cart.told_free)
    if rise > max(thresholds["share"] * shown, thresholds["least"]) or late:
        return {"kind": "shipping" if late else "total", "shown": shown, "now": now, "shipping": shipping}
    return None


def _comparable(shown: Fact | None, fact: Fact) -> tuple[float, float]:
    """The same amount of both events; zeros when they have none in common."""
    if shown is None:
        return 0.0, 0.0
    before, after = shown.text("currency"), fact.text("currency")
    if before and after and before != after:
        return 0.0, 0.0
    for name in _AMOUNTS:
        one, other = shown.number(name), fact.number(name)
        if one is not None and other is not None and not (name == "value" and _only_one_is_a_total(shown, fact)):
            return one, other
    return 0.0, 0.0


def _only_one_is_a_total(shown: Fact, fact: Fact) -> bool:
    """Whether the `value` of one event is its total while the other has none: a cart's worth against a whole bill."""
    totals = [event.number("total") for event in (shown, fact)]
    return (totals[0] is None) != (totals[1] is None) and any(
        total is not None and total == event.number("value") for total, event in zip(totals, (shown, fact), strict=True)
    )
