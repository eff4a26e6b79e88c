"""Error click: an error that begins within a second of a click on the same page."""

from __future__ import annotations

from typing import Any

from processors.domain.fact import Fact
from tests.unit.friction.facts import clicks, error, fact, find


def failed(at: int, type_: str = "http_error", **props: Any) -> Fact:
    """A request's failure, on the page of `clicks`."""
    return fact(at, type_, path="", **props)


def test_an_error_within_a_second_makes_an_error_click() -> None:
    (found,) = find("error_click", *clicks(0), error(1000))
    assert (found.first.ts, found.at.ts) == (0, 0)
    expected = {"delay_ms": 1000, "duration_ms": 0, "error_class": "js", "fingerprint": "f", "message": "boom"}
    assert found.evidence == expected
    assert find("error_click", *clicks(0), error(1001)) == []


def test_a_request_that_failed_late_counts_from_its_beginning() -> None:
    for type_ in ("http_error", "network_error"):
        (found,) = find("error_click", *clicks(0), failed(31_000, type_, duration_ms=30_000))
        assert (found.evidence["delay_ms"], found.evidence["duration_ms"]) == (1000, 30_000)
        assert find("error_click", *clicks(0), failed(31_001, type_, duration_ms=30_000)) == []
        assert find("error_click", *clicks(0), failed(31_000, type_)) == []


def test_clicks_made_while_the_request_ran_are_not_to_blame() -> None:
    (found,) = find("error_click", *clicks(0, 1500, 2900), failed(3000, duration_ms=2950))
    assert found.first.ts == 0
    assert find("error_click", *clicks(1500, 2900), failed(3000, duration_ms=2950)) == []


def test_a_duration_that_is_rounded_or_odd_hides_no_click() -> None:
    (found,) = find("error_click", *clicks(50), failed(3000, duration_ms=3000))
    assert (found.first.ts, found.evidence["delay_ms"]) == (50, 0)
    assert find("error_click", *clicks(51), failed(3000, duration_ms=3000)) == []
    for odd in (-5000, "soon", None, 0):
        (found,) = find("error_click", *clicks(0), failed(900, duration_ms=odd))
        assert found.evidence["delay_ms"] == 900
    assert find("error_click", *clicks(0), failed(900, duration_ms=1e300)) == []


def test_a_click_answered_by_two_requests_is_told_once_and_each_click_for_itself() -> None:
    found = find(
        "error_click",
        *clicks(0, 2000),
        failed(2100),
        failed(2500, duration_ms=2400),
        failed(2600, duration_ms=2550),
    )
    assert sorted(signal.first.ts for signal in found) == [0, 2000]


def test_an_error_belongs_to_the_last_click_before_it() -> None:
    (found,) = find("error_click", *clicks(0, 400), error(500))
    assert found.first.ts == 400


def test_a_click_is_an_error_click_once() -> None:
    assert len(find("error_click", *clicks(0), error(100), error(200))) == 1


def test_an_error_before_the_click_or_on_another_page_is_none() -> None:
    assert find("error_click", error(0), *clicks(10)) == []
    assert find("error_click", *clicks(0, path="/a"), error(10, path="/b")) == []


def test_what_the_customer_is_told_is_no_error_of_the_page() -> None:
    for type_ in ("form_error", "payment_failed", "login_failed"):
        assert find("error_click", fact(0, "click"), fact(10, type_)) == []
        assert len(find("error_click", fact(0, "click"), fact(10, type_), fact(20, "http_error"))) == 1
