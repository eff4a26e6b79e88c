"""Thrashed cursor: shaken to and fro, as the client saw it (OpenReplay's rule, every 225 ms)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Thrashed cursors among `facts`; thresholds: turns, acceleration (px/ms^2), merge_ms.

    A client that measures neither is taken at its word.
    """
    counted: dict[str, int] = {}
    for fact in facts:
        if fact.type != "cursor_thrash":
            continue
        turns, acceleration = fact.number("turns"), fact.number("acceleration")
        if turns is not None and turns <= thresholds["turns"]:
            continue
        if acceleration is not None and acceleration <= thresholds["acceleration"]:
            continue
        before = counted.get(fact.place)
        counted[fact.place] = fact.ts
        if before is None or fact.ts - before > thresholds["merge_ms"]:
            yield Signal("thrashed_cursor", fact, fact, {"turns": turns, "acceleration": acceleration})
