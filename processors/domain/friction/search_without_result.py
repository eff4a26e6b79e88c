"""Search without result: the visitor said what they want, and the site had nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Searches without result among `facts`; threshold: typing_ms, within which another search shows mere typing."""
    searches = [fact for fact in facts if fact.type == "search"]
    for n, fact in enumerate(searches):
        if fact.number("results", "total_results") != 0:
            continue
        if n + 1 < len(searches) and searches[n + 1].ts - fact.ts <= thresholds["typing_ms"]:
            continue
        yield Signal("search_without_result", fact, fact, {"query": fact.text("query")})
