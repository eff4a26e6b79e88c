"""Surprise cost: the total at payment against the one shown before, like with like."""

from __future__ import annotations

from typing import Any

import pytest

from processors.domain.fact import Fact
from tests.unit.friction.facts import fact, find


def surprise(before: dict[str, Any], at_payment: dict[str, Any], *between: Fact) -> list[dict[str, object]]:
    facts = [fact(0, "checkout_started", **before), *between, fact(9_000, "payment", **at_payment)]
    return [found.evidence for found in find("surprise_cost", *facts)]


def test_a_tenth_more_than_shown_is_a_surprise() -> None:
    assert surprise({"total": 50}, {"total": 55}) == []
    assert surprise({"total": 50}, {"total": "55.01"}) == [
        {"kind": "total", "shown": 50, "now": 55.01, "shipping": None}
    ]
    assert surprise({"total": 5}, {"total": 6}) == [], "less than one unit of money is none"
    assert surprise({"total": 60}, {"total": 50}) == []


def test_shipping_shown_at_last_is_a_surprise_however_small() -> None:
    (found,) = surprise({"total": 100}, {"total": 102, "shipping": 2})
    assert (found["kind"], found["shipping"]) == ("shipping", 2)
    assert surprise({"total": 100, "shipping": 2}, {"total": 102, "shipping": 2}) == []
    assert surprise({"total": 100}, {"total": 100, "shipping": 2}) == [], "it was in the total before"
    assert len(surprise({"shipping": 0}, {"shipping": 2})) == 1, "it was said to be free"
    assert surprise({}, {"shipping": 2}) == [], "nothing is known of what was shown"


@pytest.mark.parametrize("change", ["product_added", "product_removed", "coupon_applied", "coupon_removed"])
def test_a_cart_that_changed_is_another(change: str) -> None:
    assert surprise({"total": 50}, {"total": 90}, fact(10, change)) == []
    assert len(surprise({"total": 50}, {"total": 90}, fact(10, change), fact(20, "shipping", total=60))) == 1


@pytest.mark.parametrize(
    ("before", "at_payment"),
    [
        ({"total": 50, "currency": "EUR"}, {"total": 90, "currency": "USD"}),
        ({"value": 50}, {"total": 90}),
        ({"value": 50}, {"total": 90, "value": 90}),
        ({"revenue": 50, "value": 50}, {"revenue": 50, "total": 90, "value": 90}),
        ({"total": "NaN"}, {"total": 90}),
        ({}, {"total": 90}),
    ],
)
def test_unlike_amounts_are_not_compared(before: dict[str, Any], at_payment: dict[str, Any]) -> None:
    assert surprise(before, at_payment) == []


def test_values_are_compared_where_there_is_nothing_else() -> None:
    assert len(surprise({"value": 50}, {"value": 90})) == 1
    assert len(surprise({"value": 50, "total": 55}, {"value": 90})) == 1


def test_a_cart_surprises_once_and_the_first_amount_counts() -> None:
    facts = [
        fact(0, "cart_viewed", total=50),
        fact(1, "shipping", total=70),
        fact(2, "payment", total=70),
        fact(3, "payment", total=90),
        fact(4, "order_completed", total=90),
    ]
    (found,) = find("surprise_cost", *facts)
    assert (found.at.ts, found.evidence["shown"], found.evidence["now"]) == (2, 50, 70)
    after = [fact(10, "cart_viewed", total=10), fact(11, "payment", total=30)]
    assert len(find("surprise_cost", *facts, *after)) == 2
