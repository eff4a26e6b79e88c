"""Thrashed cursor: more than 4 turns in 225 ms, faster than 0.008 px/ms^2, once in five seconds."""

from __future__ import annotations

import pytest

from tests.unit.friction.facts import fact, find


@pytest.mark.parametrize(
    ("turns", "acceleration", "found"),
    [(5, 0.0081, 1), (4, 0.01, 0), (5, 0.008, 0), (None, None, 1), (5, None, 1), (None, 0.001, 0), ("9", "0.1", 1)],
)
def test_limits_are_openreplays(turns: object, acceleration: object, found: int) -> None:
    assert len(find("thrashed_cursor", fact(0, "cursor_thrash", turns=turns, acceleration=acceleration))) == found


def test_one_shaking_on_one_page_is_one_signal() -> None:
    shaken = [fact(ms, "cursor_thrash", turns=9) for ms in (0, 225, 5_000, 10_001)]
    assert [found.at.ts for found in find("thrashed_cursor", *shaken)] == [0, 10_001]
    elsewhere = fact(300, "cursor_thrash", "/b", turns=9)
    assert len(find("thrashed_cursor", shaken[0], elsewhere)) == 2
