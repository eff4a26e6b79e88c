"""Quick back: from a page to another and at once back, because the other was not what was looked for (Clarity)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Quick backs among `facts`: the view that was left again within dwell_ms for the page before it."""
    before: Fact | None = None
    here: Fact | None = None
    for fact in facts:
        if fact.type != "page_view" or (here is not None and fact.place == here.place):
            continue
        if before is not None and here is not None and fact.place == before.place:
            dwell = fact.ts - here.ts
            if dwell < thresholds["dwell_ms"]:
                yield Signal("quick_back", here, fact, {"dwell_ms": dwell, "left": here.page, "back_to": fact.page})
        before, here = here, fact
