"""Stuck login: refused twice without success in between."""

from __future__ import annotations

from processors.domain.fact import Fact
from tests.unit.friction.facts import fact, find


def refused(*at: int) -> list[Fact]:
    return [fact(ms, "login_failed", reason="wrong_password") for ms in at]


def test_one_refusal_is_a_typing_error() -> None:
    assert find("stuck_login", *refused(0)) == []
    assert find("stuck_login", *refused(0), fact(1, "login"), *refused(2)) == []


def test_two_are_stuck_and_the_end_is_told() -> None:
    (found,) = find("stuck_login", *refused(0, 10, 20))
    assert (found.first.ts, found.at.ts) == (0, 10)
    assert found.evidence == {"failures": 3, "resolved": False, "reason": "wrong_password"}
    (found,) = find("stuck_login", *refused(0, 10), fact(20, "login"))
    assert found.evidence["resolved"] is True


def test_after_a_login_it_begins_anew() -> None:
    assert len(find("stuck_login", *refused(0, 10), fact(20, "login"), *refused(30, 40))) == 2
