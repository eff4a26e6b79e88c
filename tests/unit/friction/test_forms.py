"""Forms sent again, and fields refused again."""

from __future__ import annotations

import pytest

from processors.domain.fact import Fact
from tests.unit.friction.facts import fact, find


def submit(at: int, form: str = "address", path: str = "/a") -> Fact:
    return fact(at, "form_submit", path, form=form)


def refused(at: int, field: str = "zip", form: str = "address") -> Fact:
    return fact(at, "form_error", form=form, field=field, message="Please check")


SUCCESSES = [
    fact(5_000, "form_success", form="address"),
    fact(5_000, path="/b"),
    fact(5_000, "login"),
    fact(5_000, "shipping"),
    fact(5_000, "order_completed"),
]
NO_SUCCESSES = [
    fact(5_000, "form_success", form="other"),
    fact(5_000, path="/a"),
    fact(5_000, "product_viewed"),
    fact(5_000, "login_failed"),
]


def test_sent_again_is_a_retry_once() -> None:
    assert find("form_retry", submit(0)) == []
    (found,) = find("form_retry", submit(0), submit(9_000), submit(12_000))
    assert (found.first.ts, found.at.ts) == (0, 9_000)
    assert found.evidence == {"form": "address", "attempts": 3, "span_ms": 12_000}


def test_a_double_click_on_the_button_is_one_attempt() -> None:
    assert find("form_retry", submit(0), submit(1_000)) == []
    assert len(find("form_retry", submit(0), submit(1_001))) == 1


def test_two_forms_are_two() -> None:
    assert find("form_retry", submit(0), submit(5_000, form="other")) == []
    assert find("form_retry", fact(0, "form_submit", element="#a"), fact(5_000, "form_submit", element="#b")) == []
    assert len(find("form_retry", fact(0, "form_submit"), fact(5_000, "form_submit"))) == 1
    assert find("form_retry", fact(0, "form_submit"), fact(5_000, "form_submit", path="/b")) == []


@pytest.mark.parametrize("success", SUCCESSES, ids=lambda success: success.type)
def test_after_success_it_is_another_attempt(success: Fact) -> None:
    assert find("form_retry", submit(0), success, submit(9_000)) == []
    assert len(find("form_retry", submit(0), submit(3_000), success, submit(9_000), submit(20_000))) == 2
    assert find("repeated_field_error", refused(0), success, refused(9_000)) == []


@pytest.mark.parametrize("other", NO_SUCCESSES, ids=lambda other: other.type)
def test_anything_else_is_no_success(other: Fact) -> None:
    assert len(find("form_retry", submit(0), other, submit(9_000))) == 1
    assert len(find("repeated_field_error", refused(0), other, refused(9_000))) == 1


def test_the_same_field_refused_again() -> None:
    assert find("repeated_field_error", refused(0), refused(9_000, field="city")) == []
    (found,) = find("repeated_field_error", refused(0), refused(9_000), refused(20_000))
    assert (found.first.ts, found.at.ts) == (0, 9_000)
    assert found.evidence == {"form": "address", "field": "zip", "errors": 3, "message": "Please check"}


def test_one_refusal_reported_again_is_one() -> None:
    assert find("repeated_field_error", refused(0), refused(1_000)) == []


def test_a_field_without_a_name_is_known_by_its_element() -> None:
    unnamed = [fact(at, "form_error", form="f", element="#zip") for at in (0, 5_000)]
    assert len(find("repeated_field_error", *unnamed)) == 1
    assert find("repeated_field_error", fact(0, "form_error", form="f"), fact(5_000, "form_error", form="f")) == []
