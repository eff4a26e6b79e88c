"""Slow step: more than five minutes from entering a checkout step to the next."""

from __future__ import annotations

from tests.unit.friction.facts import fact, find


def test_more_than_five_minutes_is_slow() -> None:
    assert find("slow_step", fact(0, "checkout_started"), fact(300_000, "shipping")) == []
    (found,) = find("slow_step", fact(0, "checkout_started"), fact(300_001, "shipping"))
    assert (found.first.ts, found.at.ts) == (0, 300_001)
    assert found.evidence == {"step": "checkout_started", "next": "shipping", "elapsed_ms": 300_001}


def test_a_step_seen_again_is_the_same_step() -> None:
    seen = [fact(0, "payment"), fact(200_000, "payment"), fact(400_000, "order_completed")]
    (found,) = find("slow_step", *seen)
    assert found.evidence["elapsed_ms"] == 400_000


def test_numbered_steps_are_told_apart_by_their_number() -> None:
    steps = [fact(n * 200_000, "checkout_step_viewed", step=number) for n, number in enumerate((1, 1, 2))]
    (found,) = find("slow_step", *steps)
    assert (found.evidence["step"], found.evidence["next"]) == ("checkout_step_viewed 1", "checkout_step_viewed 2")


def test_after_an_order_the_next_checkout_is_another() -> None:
    assert find("slow_step", fact(0, "order_completed"), fact(900_000, "checkout_started")) == []
    assert find("slow_step", fact(0, "page_view"), fact(900_000, "checkout_started")) == []
