"""How often visitors are spoken of: soon when the partition keeps up, seldom in a backlog, where rows change again."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

SLOW_FACTS: Final = 500
"""A visitor with more facts (a bot, mostly) is recomputed that much less often."""

_BACKLOG_MS: Final = 10_000  # behind by more, rows are about to change again: saying them less often catches up sooner
_BACKLOG_EMIT_MS: Final = 15_000
_DEEP_BACKLOG_MS: Final = 300_000  # behind by more, visitors are not spoken of before they pause
_PAUSE_MS: Final = 60_000


class Pace(NamedTuple):
    """`every_ms`: how often a visitor is spoken of at most, in a `backlog` also how often anybody is.

    In a `deep` backlog those heard of after `active_since` (event time, Unix ms) are left alone; the others rest when
    they have been spoken of.
    """

    every_ms: int
    backlog: bool
    deep: bool
    active_since: float

    def waits_ms(self, facts: int) -> int:
        """How long a visitor of so many facts has to wait between two times."""
        return self.every_ms * (1 + facts // SLOW_FACTS)


def pace_at(now: int, frontier: int, emit_interval_ms: int) -> Pace:
    """The pace at tick time `now` when everything received up to `frontier` has been seen (Unix ms)."""
    behind_ms = now - frontier
    backlog, deep = behind_ms > _BACKLOG_MS, behind_ms > _DEEP_BACKLOG_MS
    every_ms = max(emit_interval_ms, _BACKLOG_EMIT_MS) if backlog else emit_interval_ms
    return Pace(every_ms, backlog, deep, frontier - _PAUSE_MS if deep else math.inf)
