"""Cohorts: the attempts that entered a step in one minute, and what became of them.

What one visitor adds is worked out anew from its facts; the difference to what it added before goes to the counts it
shares with others. Money is counted in ten-thousandths, so that sums of differences stay exact.
"""

from __future__ import annotations

from operator import add as plus
from operator import sub as minus
from typing import Final, NamedTuple

from processors.domain.funnels.attempt import Attempt
from processors.domain.funnels.standing import Standing

MINUTE_MS: Final = 60_000
_MONEY_PARTS: Final = 10_000  # four decimals: every currency's smallest unit

CohortKey = tuple[int, str, int, int]
"""(minute as Unix ms, funnel, its version, step index); funnel "", 0 and 0 stand for sessions."""

CellKey = tuple[str, int, int]
"""(funnel, its version, step index)."""

SESSIONS: Final[CellKey] = ("", 0, 0)


class Tally(NamedTuple):
    """Counts of attempts that entered a step. `in_time`: passed within the defined stall time, for the alerts.

    `value` and `value_lost` (of those abandoned) are money in ten-thousandths. Of sessions: `entered` counts them,
    `in_time` those with an error.
    """

    entered: int = 0
    passed: int = 0
    in_time: int = 0
    stalled: int = 0
    abandoned: int = 0
    value: int = 0
    value_lost: int = 0

    def plus(self, other: Tally) -> Tally:
        """The sum."""
        return Tally(*map(plus, self, other))

    def minus(self, other: Tally) -> Tally:
        """The difference."""
        return Tally(*map(minus, self, other))

    @property
    def open(self) -> int:
        """Still on their way and not stalled."""
        return self.entered - self.passed - self.stalled - self.abandoned

    @property
    def money(self) -> tuple[float, float]:
        """`value` and `value_lost` in the currency's main unit."""
        return self.value / _MONEY_PARTS, self.value_lost / _MONEY_PARTS


NOTHING: Final = Tally()
ONE: Final = Tally(entered=1)
ONE_WITH_ERROR: Final = Tally(entered=1, in_time=1)

Steps = dict[CellKey, Tally]


def add(counted: dict[CohortKey, Tally], at: int, cell: CellKey, tally: Tally) -> None:
    """Add a tally to the minute of `at` (Unix ms)."""
    key = (at - at % MINUTE_MS, *cell)
    before = counted.get(key)
    counted[key] = tally if before is None else before.plus(tally)


def count_attempt(counted: dict[CohortKey, Tally], attempt: Attempt, now: Standing) -> None:
    """Count each step entered in the minute of its entry. An excluded attempt counts nowhere."""
    if now.state == "excluded":
        return
    funnel = attempt.funnel
    stall_ms = int(funnel.stall_after_s * 1000)
    money = round((attempt.value or 0.0) * _MONEY_PARTS)
    for reached in attempt.reached:
        at = reached.fact.ts
        passed = reached.left is not None or attempt.complete
        here = not passed
        lost = here and now.state == "abandoned"
        tally = Tally(
            entered=1,
            passed=int(passed),
            in_time=int(passed and (reached.left is None or reached.left - at <= stall_ms)),
            stalled=int(here and now.state == "stalled"),
            abandoned=int(lost),
            value=money,
            value_lost=money if lost else 0,
        )
        add(counted, at, (funnel.name, funnel.version, reached.step), tally)
