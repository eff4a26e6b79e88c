"""Quick back: from a page to another and at once back, because the other was not what was looked for (Clarity)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Quick backs among `facts`: the view that was left again within dwell_ms for the page before it."""
    views = [(fact.path or fact.page, fact) for fact in facts if fact.type == "page_view"]
    visits = [visit for n, visit in enumerate(views) if n == 0 or visit[0] != views[n - 1][0]]
    for (place, _), (_, here), (back, fact) in zip(visits, visits[1:], visits[2:], strict=False):
        if place == back and fact.ts - here.ts < thresholds["dwell_ms"]:
            evidence = {"dwell_ms": fact.ts - here.ts, "left": here.page, "back_to": fact.page}
            yield Signal("quick_back", here, fact, evidence)
