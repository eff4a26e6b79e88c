"""Slow step: a checkout step that took much longer than most need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.checkout import STEPS
from processors.domain.friction.signal import Signal


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Slow steps among `facts`: more than step_ms from entering a step to the next. A step seen again is the same."""
    entered: Fact | None = None
    for fact in facts:
        if fact.type not in STEPS:
            continue
        if entered is not None and _step(fact) == _step(entered):
            continue
        if entered is not None and fact.ts - entered.ts > thresholds["step_ms"]:
            evidence = {"step": _step(entered), "next": _step(fact), "elapsed_ms": fact.ts - entered.ts}
            yield Signal("slow_step", entered, fact, evidence)
        entered = None if fact.type == "order_completed" else fact


def _step(fact: Fact) -> str:
    named = fact.text("step") if fact.type.startswith("checkout_step") else ""
    return f"{fact.type} {named}".rstrip()
