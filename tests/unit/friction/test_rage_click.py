"""Rage click: three clicks on one spot, at the rule's exact limits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.friction.facts import clicks, fact, find


def test_three_clicks_rage_and_two_do_not() -> None:
    assert find("rage_click", *clicks(0, 100)) == []
    (rage,) = find("rage_click", *clicks(0, 100, 200))
    assert (rage.first.ts, rage.at.ts, rage.evidence) == (0, 200, {"clicks": 3, "span_ms": 200})


def test_a_chain_fires_once_at_its_third_click() -> None:
    (rage,) = find("rage_click", *clicks(*range(0, 700, 100)))
    assert (rage.at.ts, rage.evidence["clicks"], rage.evidence["span_ms"]) == (200, 7, 600)


def test_a_gap_below_1000_ms_continues_and_one_of_1000_ends_the_chain() -> None:
    assert len(find("rage_click", *clicks(0, 999, 1998))) == 1
    assert find("rage_click", *clicks(0, 999, 1999)) == []


def test_two_chains_fire_twice() -> None:
    assert len(find("rage_click", *clicks(0, 100, 200, 1200, 1300, 1400))) == 2


@pytest.mark.parametrize(("dx", "dy", "rages"), [(29, 0, 1), (15, 14, 1), (15, 15, 0), (30, 0, 0), (-29, 0, 1)])
def test_clicks_lie_within_30_px_of_the_one_before_by_manhattan(dx: float, dy: float, rages: int) -> None:
    chain = [fact(n * 100, "click", x=100 + n * dx, y=100 + n * dy) for n in range(3)]
    assert len(find("rage_click", *chain)) == rages


def test_without_coordinates_the_element_is_the_spot() -> None:
    assert len(find("rage_click", *clicks(0, 100, 200, x=None, y=None, element="#buy"))) == 1
    assert find("rage_click", *clicks(0, 100, 200, x=None, y=None)) == []
    mixed = [*clicks(0, 100, x=None, element="#buy"), *clicks(200, x=None, element="#pay")]
    assert find("rage_click", *mixed) == []


def test_clicks_on_two_pages_are_no_chain() -> None:
    assert find("rage_click", *clicks(0, 100, path="/a"), *clicks(200, path="/b")) == []


def test_other_facts_between_clicks_do_not_break_a_chain() -> None:
    assert len(find("rage_click", *clicks(0, 100), fact(150, "scroll"), *clicks(200))) == 1


@pytest.mark.parametrize(
    "click",
    [
        {"tag": "input", "input_type": "text"},
        {"tag": "INPUT"},
        {"tag": "textarea"},
        {"tag": "div", "editable": True},
        {"element": "form > textarea.note"},
        {"element": "div[contenteditable=true] > p"},
        {"text": "+"},
        {"text": " - "},
        {"text": "Next page"},
        {"element": "div.carousel > button"},
        {"element": "main > .ph-no-rageclick a"},
    ],
)
def test_clicks_that_the_makers_leave_out_are_no_rage(click: dict[str, Any]) -> None:
    assert find("rage_click", *(fact(n * 100, "click", x=1.0, y=1.0, **click) for n in range(5))) == []


@pytest.mark.parametrize(
    "click",
    [
        {"tag": "input", "input_type": "submit"},
        {"element": "form > input[type=checkbox]"},
        {"text": "C++"},
        {"text": "sign-up"},
        {"text": "5 > 3"},
        {"tag": "div", "editable": False},
        {"element": "button.carousel-like"},
    ],
)
def test_other_clicks_are(click: dict[str, Any]) -> None:
    assert len(find("rage_click", *(fact(n * 100, "click", x=1.0, y=1.0, **click) for n in range(5)))) == 1
