"""Stretches: runs of one visitor's facts that can bear on each other. Their lengths make rows' versions.

Two facts are in one stretch when no more than `link_ms` lies between neighbours, or when the later one falls into the
window of a funnel that the earlier may have opened. What a row says depends on the facts of its stretch only, and more
facts only make stretches longer or join them. So the length of a row's stretch rises with every fact that may change
the row, and it is the same whatever was let go, when, and by whom.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

import msgspec

from processors.domain.fact import Fact


class Stretch(msgspec.Struct, array_like=True):
    """One stretch: event time of its first fact held (Unix ms), its facts so far, and until when the next must come."""

    start: int
    length: int
    reach: int


def find_stretches(
    facts: Sequence[Fact], before: Stretch | None, link_ms: int, window_after: Callable[[Fact], int]
) -> list[Stretch]:
    """The stretches of `facts` (in event order), by start.

    `before`: the stretch as it was when its facts were let go; the first of `facts` may go on with it.
    `window_after`: how long (ms) after a fact others may belong to an attempt that it opens; 0 when it opens none.
    """
    found: list[Stretch] = []
    current = before
    for fact in facts:
        at = fact.ts
        if current is None or at > current.reach:
            current = Stretch(at, 0, at)
            found.append(current)
        elif current is before:
            current = Stretch(at, current.length, current.reach)
            found.append(current)
        current.length += 1
        current.reach = max(current.reach, at + link_ms, at + window_after(fact))
    return found


def length_at(stretches: Sequence[Stretch], at: int) -> int:
    """Length of the stretch that a fact at event time `at` (Unix ms) is in or would go on with; 0 without one."""
    n = bisect_right(stretches, at, key=lambda stretch: stretch.start)
    return stretches[n - 1].length if n and at <= stretches[n - 1].reach else 0
