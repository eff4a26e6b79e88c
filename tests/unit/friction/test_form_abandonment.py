"""Form abandonment: begun, left, never sent; with the field touched last."""

from __future__ import annotations

import pytest

from processors.domain.fact import Fact
from processors.domain.friction import Finders
from schemas.rules import rules_with
from tests.unit.friction.facts import fact, find


def touch(at: int, field: str = "zip", type_: str = "form_field") -> Fact:
    return fact(at, type_, form="address", field=field)


LEAVINGS = [
    fact(9_000, "page_leave"),
    fact(9_000, path="/b"),
    fact(9_000, "form_abandon", form="address", field="zip", filled=1, total=3),
]


@pytest.mark.parametrize("leaving", LEAVINGS, ids=lambda leaving: leaving.type)
def test_a_form_begun_and_left_is_abandoned(leaving: Fact) -> None:
    (found,) = find("form_abandonment", touch(0, "name", "form_start"), touch(100), leaving)
    assert (found.first.ts, found.at.ts, found.evidence["seen_by"]) == (0, 9_000, leaving.type)
    assert (found.evidence["last_field"], found.evidence["fields"]) == ("zip", 2)


def test_the_client_may_count_the_fields() -> None:
    (found,) = find("form_abandonment", touch(0), LEAVINGS[2])
    assert (found.evidence["filled"], found.evidence["total"]) == (1, 3)


def test_a_form_still_open_is_not_abandoned() -> None:
    assert find("form_abandonment", touch(0), touch(100)) == []
    assert find("form_abandonment", touch(0), fact(100, "page_leave", "/elsewhere"), fact(200, path="/a")) == []


@pytest.mark.parametrize("type_", ["form_submit", "form_success", "login", "payment"])
def test_sent_in_the_end_it_is_not(type_: str) -> None:
    sent = fact(20_000, type_, form="address")
    assert find("form_abandonment", touch(0), sent, fact(30_000, "page_leave")) == []
    assert find("form_abandonment", touch(0), LEAVINGS[0], touch(15_000), sent) == []


def test_another_forms_sending_does_not_count() -> None:
    assert len(find("form_abandonment", touch(0), fact(100, "form_submit", form="search"), LEAVINGS[0])) == 1


def test_back_at_the_form_it_is_open_again_until_left_again() -> None:
    back = [touch(0), LEAVINGS[0], touch(15_000, "city")]
    assert find("form_abandonment", *back) == []
    (found,) = find("form_abandonment", *back, fact(16_000, "page_leave"))
    assert (found.first.ts, found.at.ts, found.evidence["last_field"]) == (0, 16_000, "city")


def test_a_field_refused_after_sending_opens_it_again() -> None:
    sent = [touch(0), fact(100, "form_submit", form="address"), touch(200, "zip", "form_error"), LEAVINGS[0]]
    (found,) = find("form_abandonment", *sent)
    assert (found.first.ts, found.evidence["last_field"]) == (200, "zip")


def test_how_many_fields_make_a_start_is_a_setting() -> None:
    begun = [fact(0, "form_start", form="address"), LEAVINGS[0]]
    assert len(find("form_abandonment", *begun)) == 1
    assert Finders(rules_with({"form_abandonment": {"fields": 1}})).find(begun) == []
