"""Error click: an error within a second of a click on the same page."""

from __future__ import annotations

from tests.unit.friction.facts import clicks, error, fact, find


def test_an_error_within_a_second_makes_an_error_click() -> None:
    (found,) = find("error_click", *clicks(0), error(1000))
    assert (found.first.ts, found.at.ts) == (0, 0)
    expected = {"delay_ms": 1000, "error_class": "js", "fingerprint": "f", "message": "boom"}
    assert found.evidence == expected
    assert find("error_click", *clicks(0), error(1001)) == []


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
