"""Dead click: what the client says it saw, without the clicks that have their effect elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.friction.facts import fact, find


@pytest.mark.parametrize(
    ("effect_ms", "dead"), [(None, 1), (2500, 1), (2499, 0), ("2500", 1), (0, 0), ("", 0), (True, 0)]
)
def test_no_effect_within_2500_ms_is_dead(effect_ms: Any, dead: int) -> None:
    assert len(find("dead_click", fact(0, "click", effect_ms=effect_ms, tag="button"))) == dead


def test_a_click_of_which_nothing_is_said_is_not_dead() -> None:
    assert find("dead_click", fact(0, "click", tag="button"), fact(1, "click")) == []


def test_a_client_may_send_its_own_verdict_beside_the_click() -> None:
    (found,) = find("dead_click", fact(0, "click", element="#buy"), fact(2500, "dead_click", element="#buy", tag="a"))
    assert (found.at.ts, found.evidence) == (2500, {"effect_ms": None, "tag": "a"})
    assert find("dead_click", fact(0, "dead_click", effect_ms=100)) == []


def test_one_node_counts_once_within_a_second() -> None:
    def dead(*at: int, element: str = "#buy") -> int:
        return len(find("dead_click", *(fact(ms, "click", effect_ms=None, element=element) for ms in at)))

    assert (dead(0, 999), dead(0, 1000), dead(0, 600, 1200)) == (1, 2, 2)
    assert len(find("dead_click", *(fact(n, "click", effect_ms=None, element=f"#b{n}") for n in range(3)))) == 3
    assert len(find("dead_click", *(fact(n, "click", effect_ms=None, x=n, y=0) for n in range(3)))) == 3


@pytest.mark.parametrize(
    "click",
    [
        {"tag": "select"},
        {"tag": "canvas"},
        {"tag": "HTML"},
        {"tag": "input"},
        {"element": "form textarea"},
        {"tag": "a", "target": "_blank"},
        {"tag": "a", "download": True},
        {"tag": "a", "href": "tel:123"},
        {"tag": "a", "href": "MAILTO:a@b.c"},
        {"tag": "a", "href": "sms:+49123"},
        {"element": "div.snag-no-dead > a"},
    ],
)
def test_clicks_with_their_effect_elsewhere_are_left_out(click: dict[str, Any]) -> None:
    assert find("dead_click", fact(0, "click", effect_ms=None, **click)) == []


@pytest.mark.parametrize(
    "click", [{"tag": "a", "target": "_self"}, {"tag": "a", "download": False}, {"tag": "div"}, {}]
)
def test_others_are_not(click: dict[str, Any]) -> None:
    assert len(find("dead_click", fact(0, "click", effect_ms=None, **click))) == 1
