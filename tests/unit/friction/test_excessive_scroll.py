"""Excessive scroll: six turns of at least a fifth of the page."""

from __future__ import annotations

from collections.abc import Sequence

from processors.domain.fact import Fact
from tests.unit.friction.facts import fact, find


def scrolls(depths: Sequence[object], start: int = 0, path: str = "/a") -> list[Fact]:
    return [fact(start + n * 100, "scroll", path, depth=depth) for n, depth in enumerate(depths)]


def test_six_turns_are_too_many() -> None:
    assert find("excessive_scroll", *scrolls([20, 40] * 4)[:7]) == []
    (found,) = find("excessive_scroll", *scrolls([20, 40] * 5))
    assert (found.first.ts, found.at.ts) == (0, 700)
    assert found.evidence == {"turns": 8, "span_ms": 900}


def test_small_movements_are_no_turns_and_big_ones_in_parts_are() -> None:
    assert find("excessive_scroll", *scrolls([20, 39.9] * 20)) == []
    assert len(find("excessive_scroll", *scrolls([20, 30, 40, 30] * 5))) == 1


def test_a_page_viewed_anew_is_another() -> None:
    first, second = scrolls([20, 60] * 3), scrolls([20, 60] * 3, 2_000)
    assert len(find("excessive_scroll", *first, *second)) == 1
    assert find("excessive_scroll", *first, fact(1_000), *second) == []
    assert find("excessive_scroll", *first, *scrolls([20, 60] * 3, 2_000, "/b")) == []


def test_scrolls_of_no_depth_say_nothing() -> None:
    assert find("excessive_scroll", *scrolls([None, "x", True] * 9)) == []
