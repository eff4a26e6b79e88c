"""Forced registration: an account asked for in the middle of the checkout."""

from __future__ import annotations

import pytest

from processors.domain.fact import Fact
from tests.unit.friction.facts import fact, find

START = fact(0, "checkout_started")


@pytest.mark.parametrize(
    "asked",
    [
        fact(1, "registration_required"),
        fact(1, path="/checkout/register"),
        fact(1, path="/Sign-Up?next=/checkout"),
        fact(1, "form_start", "/account/create-account", form="x"),
    ],
)
def test_an_account_asked_for_in_the_checkout(asked: Fact) -> None:
    (found,) = find("forced_registration", START, asked)
    assert found.evidence == {"seen_by": asked.type}
    assert find("forced_registration", asked) == []
    assert find("forced_registration", START, fact(0, "order_completed"), asked) == []
    assert find("forced_registration", START, fact(0, "product_viewed"), asked) == []


@pytest.mark.parametrize("path", ["/checkout/login", "/registered-trademarks", "/cash-registers", "/checkout"])
def test_other_pages_are_none(path: str) -> None:
    assert find("forced_registration", START, fact(1, path=path)) == []


def test_guests_are_not_forced() -> None:
    guest = fact(0, "checkout_started", account_type="guest checkout")
    assert find("forced_registration", guest, fact(1, "registration_required")) == []
    member = fact(0, "checkout_started", account_type="existing user")
    assert len(find("forced_registration", member, fact(1, "registration_required"))) == 1


def test_once_a_checkout() -> None:
    asked = [fact(n, "registration_required") for n in (1, 2, 3)]
    assert len(find("forced_registration", START, *asked)) == 1
    again = [fact(4, "order_completed"), fact(5, "checkout_started"), fact(6, "registration_required")]
    assert len(find("forced_registration", START, *asked, *again)) == 2
