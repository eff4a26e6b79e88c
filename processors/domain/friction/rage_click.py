"""Rage click: several clicks in a row on one spot.

PostHog's rule (rageclick.ts): the third click of a chain in which each is less than 1000 ms and 30 px (Manhattan) off
the one before. A chain fires once. Clicks without coordinates are on one spot when they hit the same element.
Clicks into text (a double click selects) and on steppers and pagers are no part of a chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.element import is_clicked_often, is_text_field
from processors.domain.friction.signal import Signal


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Rage clicks among `facts`; thresholds: clicks, gap_ms, distance_px."""
    needed = max(1, int(thresholds["clicks"]))
    clicks = [fact for fact in facts if fact.type == "click"]
    longest_ms = thresholds["gap_ms"] * (needed - 1)
    if needed > 1 and not any(b.ts - a.ts < longest_ms for a, b in zip(clicks, clicks[needed - 1 :], strict=False)):
        return  # most sessions: no time in which so many clicks lie together, whatever they hit
    chain: list[Fact] = []
    for fact in clicks:
        if is_text_field(fact) or is_clicked_often(fact):
            continue
        if chain and not _continues(chain[-1], fact, thresholds):
            yield from _fire(chain, needed)
            chain = []
        chain.append(fact)
    yield from _fire(chain, needed)


def _continues(before: Fact, fact: Fact, thresholds: Mapping[str, float]) -> bool:
    if fact.ts - before.ts >= thresholds["gap_ms"] or fact.path != before.path:
        return False
    if fact.x is None or fact.y is None or before.x is None or before.y is None:
        return bool(fact.element) and fact.element == before.element
    return abs(fact.x - before.x) + abs(fact.y - before.y) < thresholds["distance_px"]


def _fire(chain: Sequence[Fact], needed: int) -> Iterator[Signal]:
    if len(chain) >= needed:
        evidence: dict[str, object] = {"clicks": len(chain), "span_ms": chain[-1].ts - chain[0].ts}
        yield Signal("rage_click", chain[0], chain[needed - 1], evidence)
