"""The pace: soon when the partition keeps up, seldom in a backlog, and in a deep one only of those who have paused."""

from __future__ import annotations

import pytest

from processors.domain.pace import SLOW_FACTS, pace_at

FRONTIER = 1_000_000_000


@pytest.mark.parametrize(
    ("behind_ms", "every_ms", "backlog", "deep"),
    [
        (0, 3_000, False, False),
        (10_000, 3_000, False, False),
        (10_001, 15_000, True, False),
        (300_001, 15_000, True, True),
    ],
)
def test_the_further_behind_the_less_is_said(behind_ms: int, every_ms: int, backlog: bool, deep: bool) -> None:
    pace = pace_at(FRONTIER + behind_ms, FRONTIER, 3_000)
    assert (pace.every_ms, pace.backlog, pace.deep) == (every_ms, backlog, deep)
    assert (pace.active_since == FRONTIER - 60_000) == deep
    assert pace.active_since > FRONTIER or deep


def test_an_interval_that_is_longer_than_a_backlogs_holds_there_too() -> None:
    assert pace_at(FRONTIER + 20_000, FRONTIER, 30_000).every_ms == 30_000


def test_a_visitor_of_many_facts_waits_longer() -> None:
    pace = pace_at(FRONTIER, FRONTIER, 3_000)
    assert [pace.waits_ms(facts) for facts in (1, SLOW_FACTS - 1, SLOW_FACTS, 3 * SLOW_FACTS)] == [
        3_000,
        3_000,
        6_000,
        12_000,
    ]
