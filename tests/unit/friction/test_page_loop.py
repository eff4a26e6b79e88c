"""Page loop: two full rounds between two pages, or three reloads, within five minutes."""

from __future__ import annotations

from typing import Any

from tests.unit.friction.facts import fact, find


def loop(pages: str, step_ms: int = 10_000) -> list[dict[str, Any]]:
    views = [fact(n * step_ms, path=f"/{page}") for n, page in enumerate(pages)]
    return [{"first": s.first.ts // step_ms, "at": s.at.ts // step_ms, **s.evidence} for s in find("page_loop", *views)]


def test_two_rounds_are_a_loop() -> None:
    assert loop("ABA") == []
    assert loop("ABAB") == [
        {"first": 0, "at": 3, "kind": "circle", "pages": ["/A", "/B"], "views": 4, "span_ms": 30_000}
    ]
    assert loop("ABAC") == loop("ABCABC") == []


def test_a_loop_fires_once_however_long_it_goes_on() -> None:
    (found,) = loop("CABABABAB")
    assert (found["first"], found["at"], found["views"]) == (1, 4, 8)
    assert len(loop("ABABCBCB")) == 2


def test_three_reloads_are_a_loop() -> None:
    assert loop("AAA") == []
    (found,) = loop("BAAAAA")
    assert (found["kind"], found["pages"], found["first"], found["at"], found["views"]) == ("refresh", ["/A"], 1, 4, 5)


def test_a_reload_ends_a_circle() -> None:
    assert loop("ABBAB") == []


def test_the_rounds_lie_within_five_minutes() -> None:
    assert len(loop("ABAB", 100_000)) == 1
    assert loop("ABAB", 100_001) == []
    times = (0, 290_000, 300_000, 310_000, 320_000)
    late = [fact(at, path=f"/{page}") for at, page in zip(times, "ABABA", strict=True)]
    (found,) = find("page_loop", *late)
    assert (found.first.ts, found.at.ts) == (290_000, 320_000)


def test_a_view_reported_twice_is_one() -> None:
    assert loop("AAAAAA", 1000) == []
    assert len(loop("AAAAAA", 1001)) == 1
