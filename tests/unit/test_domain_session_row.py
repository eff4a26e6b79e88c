"""What a session's row tells beside its counts: where it came from, what it saw, what became of its checkout."""

from __future__ import annotations

from typing import Any

import pytest

from processors.domain.fact import Fact
from processors.domain.funnels.patience import StepTimes
from processors.domain.rules import Rules
from processors.domain.snapshot import take_snapshot
from processors.domain.visitor import Visitor
from schemas.funnel import load_funnels
from schemas.rows import SessionRow
from tests.unit.test_domain_fact import make_fact

RULES = Rules(funnels=load_funnels())
MINUTE = 60_000


def sessions(*facts: Fact, frontier: int = 0) -> list[SessionRow]:
    visitor = Visitor("shop", "ann")
    for fact in facts:
        visitor.add(fact)
    rows = take_snapshot(visitor, frontier, RULES, StepTimes()).rows.values()
    return [row for row in rows if isinstance(row, SessionRow)]


def only(*facts: Fact, frontier: int = 0) -> SessionRow:
    (row,) = sessions(*facts, frontier=frontier)
    return row


def checkout(row: SessionRow) -> tuple[Any, ...]:
    return (row.checkout, row.checkout_step, row.checkout_value, row.checkout_currency)


def test_one_event_of_a_bot_makes_a_session_a_bots() -> None:
    assert not only(make_fact(0), make_fact(1)).is_bot
    assert [only(make_fact(0, is_bot=n == 0), make_fact(1, is_bot=n == 1)).is_bot for n in range(2)] == [True, True]


@pytest.mark.parametrize(
    ("facts", "engaged"),
    [
        ((make_fact(0), make_fact(10_000, "click")), False),
        ((make_fact(0), make_fact(10_001, "click")), True),
        ((make_fact(0), make_fact(1)), True),
        ((make_fact(0), make_fact(1, "click"), make_fact(2, "scroll")), False),
        ((make_fact(0), make_fact(1, "product_added")), False),
        ((make_fact(0), make_fact(1, "order_completed")), True),
    ],
)
def test_ten_seconds_an_order_or_two_views_are_engaged(facts: tuple[Fact, ...], engaged: bool) -> None:
    row = only(*facts)
    assert (row.engaged, row.bounced) == (engaged, not engaged)


def test_what_describes_a_session_is_the_first_that_is_told() -> None:
    told = {name: name[:2] for name in ("referrer", "device", "browser", "os", "country", "release", "user_id")}
    row = only(make_fact(0, "click"), make_fact(1, **told), make_fact(2, **dict.fromkeys(told, "later")))
    assert {name: getattr(row, name) for name in told} == told


def test_entry_and_exit_are_the_first_and_last_view_or_else_the_first_and_last_page() -> None:
    paged = (make_fact(0, "click", page="/a"), make_fact(9, "click", page="/d"))
    assert (only(*paged).entry_page, only(*paged).exit_page) == ("/a", "/d")
    row = only(*paged, make_fact(1, page="/b"), make_fact(2, page="/c"))
    assert (row.entry_page, row.exit_page) == ("/b", "/c")


def test_the_first_campaign_of_a_session_is_its_own() -> None:
    row = only(
        make_fact(0),
        make_fact(1, campaign=("news", "mail", "sale", "", "", "")),
        make_fact(2, campaign=("ads", "cpc", "", "", "", "google")),
    )
    assert (row.utm_source, row.utm_medium, row.utm_campaign, row.click_id) == ("news", "mail", "sale", "")


def test_scroll_depth_is_the_deepest_and_time_is_shared_over_the_pages() -> None:
    row = only(
        make_fact(0, "click"),
        make_fact(1_000, page="/a"),
        make_fact(2_000, "scroll", props={"depth": 40.0}),
        make_fact(11_000, page="/b"),
        make_fact(21_000, "page_leave", props={"depth": "75"}),
    )
    assert (row.scroll_depth, row.time_on_page_s) == (75.0, 10.0)
    assert only(make_fact(0, "scroll", props={"depth": 250.0})).scroll_depth == 100.0
    assert only(make_fact(0, "click")).time_on_page_s == 0.0


def test_a_session_without_a_checkout_says_nothing_of_it() -> None:
    assert checkout(only(make_fact(0))) == ("", "", 0.0, "")


def test_a_checkout_is_open_then_abandoned_and_the_version_rises() -> None:
    facts = (
        make_fact(0, "product_added", props={"value": 20.0, "currency": "EUR"}),
        make_fact(1_000, "checkout_started", props={"value": 25.0}),
    )
    early, stalled, late = (only(*facts, frontier=at) for at in (1_000, 10 * MINUTE, 31 * MINUTE))
    assert checkout(early) == checkout(stalled) == ("open", "checkout_started", 25.0, "EUR")
    assert checkout(late) == ("abandoned", "checkout_started", 25.0, "EUR")
    assert early.version == stalled.version < late.version


def test_an_order_in_a_later_session_recovers_the_checkout_of_both() -> None:
    facts = (
        make_fact(0, "checkout_started", props={"value": 25.0}),
        make_fact(120 * MINUTE, "order_completed", props={"total": 30.0}),
    )
    first, second = sessions(*facts, frontier=120 * MINUTE)
    assert [checkout(row)[:3] for row in (first, second)] == [("recovered", "order_completed", 30.0)] * 2
    assert (first.orders, second.orders, second.value) == (0, 1, 30.0)


def test_the_last_checkout_of_a_session_counts() -> None:
    steps = ("checkout_started", "order_completed", "product_added")
    row = only(*(make_fact(n, type_) for n, type_ in enumerate(steps)), frontier=10)
    assert checkout(row)[:2] == ("open", "product_added")
