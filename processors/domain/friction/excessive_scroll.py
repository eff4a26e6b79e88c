"""Excessive scroll: up and down the page, again and again (Clarity), counted in turns of some size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Excessive scrolls among `facts`, once per page view; thresholds: turns, least_percent (of the page)."""
    needed = max(1, int(thresholds["turns"]))
    stay: list[Fact] = []
    for fact in facts:
        if fact.type == "page_view" or (fact.type == "scroll" and stay and fact.place != stay[-1].place):
            yield from _fire(stay, needed, thresholds["least_percent"])
            stay = []
        if fact.type == "scroll" and fact.number("depth") is not None:
            stay.append(fact)
    yield from _fire(stay, needed, thresholds["least_percent"])


def _fire(stay: Sequence[Fact], needed: int, least: float) -> Iterator[Signal]:
    turns = _turns(stay, least)
    if len(turns) >= needed:
        evidence: dict[str, object] = {"turns": len(turns), "span_ms": stay[-1].ts - stay[0].ts}
        yield Signal("excessive_scroll", stay[0], turns[needed - 1], evidence)


def _turns(stay: Sequence[Fact], least: float) -> list[Fact]:
    """The scrolls at which the direction was seen to have changed: `least` percent back from the farthest point."""
    turns: list[Fact] = []
    low = high = 0.0
    direction = 0
    for n, fact in enumerate(stay):
        depth = fact.number("depth") or 0.0
        if n == 0:
            low = high = depth
            continue
        low, high = min(low, depth), max(high, depth)
        if direction >= 0 and high - depth >= least:
            if direction > 0:
                turns.append(fact)
            direction, low, high = -1, depth, depth
        elif direction <= 0 and depth - low >= least:
            if direction < 0:
                turns.append(fact)
            direction, low, high = 1, depth, depth
    return turns
