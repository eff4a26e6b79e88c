"""The demo shop in one process: customers walk through its real pages, and what they cause is what breaks say."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from schemas.event_types import EVENT_TYPES
from schemas.funnel import load_funnels
from snag.demo import history
from snag.demo.cards import GOOD_CARD, REFUSALS, ProcessorUnreachable, charge, is_card_number
from snag.demo.clocks import RIPE_AFTER_S, STALL_AFTER_S, demo_clocks
from snag.demo.controls import look_at
from snag.demo.intent import Intent
from snag.demo.plain_tab import PlainTab
from snag.demo.shop import create_shop
from snag.demo.switches import BREAKS, Switches
from snag.demo.transport import InProcess
from snag.demo.walk import walk
from snag_sdk.testing import RecordingClient

BUYER = Intent(
    product="oolong",
    leaves_at="",
    searches="",
    misclicks=False,
    coupon="",
    account="guest",
    wrong_passwords=0,
    seeks_help=False,
    forgets_field=False,
    card=GOOD_CARD,
    patience=0.4,
    answers=False,
    on_phone=False,
    pace=1.0,
)


class Shop:
    """The shop's application, one customer at a time."""

    def __init__(self, directory: Path, *broken: str) -> None:
        self.switches = Switches(directory / "broken.json")
        self.switches.set(broken)
        self.client = RecordingClient()
        tag = '<script async src="http://c.example/s.js" data-key="wk_1"></script>'
        self.app = create_shop(script_tag=tag, collector="http://c.example", client=self.client, switches=self.switches)
        self.events: list[dict[str, Any]] = []
        self.now_s = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    async def visit(self, **changes: Any) -> str:
        """Where a buyer with `changes` ends; `events` are what this visit told."""
        transport = InProcess(self.app)
        intent = Intent(**{**{name: getattr(BUYER, name) for name in BUYER.__dataclass_fields__}, **changes})
        tab = PlainTab(transport, on_phone=intent.on_phone, now=lambda: self.now_s, sleep=self.sleep)
        ended = await walk(tab, intent, lambda: self.now_s)
        self.events = transport.kept
        return ended

    def types(self) -> Counter[str]:
        return Counter(event["type"] for event in self.events)

    def props(self, type_: str) -> list[dict[str, Any]]:
        return [event["props"] for event in self.events if event["type"] == type_]


async def test_a_purchase_tells_every_step_with_its_money(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    assert await shop.visit() == "ordered"
    told = [event["type"] for event in shop.events if EVENT_TYPES.get(event["type"]) is not None]
    steps = [type_ for type_ in told if EVENT_TYPES[type_].kind == "checkout"]
    assert steps == [
        *("product_viewed", "product_added", "cart_viewed", "checkout_started", "checkout_step_completed"),
        *("checkout_step_completed", "checkout_step_viewed", "payment", "order_completed"),
    ]
    assert shop.props("cart_viewed")[0]["total"] == 18.0
    assert shop.props("order_completed")[0]["total"] == 22.9  # the delivery comes late
    assert len({event["session_id"] for event in shop.events}) == 1
    assert len({event["event_id"] for event in shop.events}) == len(shop.events)
    assert GOOD_CARD not in orjson.dumps(shop.events).decode()
    assert shop.client.events == []


@pytest.mark.parametrize(
    ("name", "ended", "wanted"),
    [
        ("payment", "left at payment", {"payment_failed"}),
        ("coupon", "left at cart", {"coupon_denied"}),
        ("js-error", "left at cart", {"js_error"}),
        ("dead-button", "left at shipping", {"dead_click"}),
        ("forced-registration", "left at account", {"registration_required"}),
    ],
)
async def test_each_break_stops_a_buyer_where_it_is_and_says_why(
    tmp_path: Path, name: str, ended: str, wanted: set[str]
) -> None:
    shop = Shop(tmp_path)
    assert await shop.visit(coupon="TEA10") == "ordered"
    assert not wanted & shop.types().keys()
    shop.switches.set([name])
    assert await shop.visit(coupon="TEA10") == ended
    assert wanted <= shop.types().keys()
    assert "order_completed" not in shop.types()


async def test_a_slow_delivery_step_is_told_by_the_servers_middleware(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snag.demo.checkout.SLOW_S", 1.05)  # above the 1 s from which an answer counts as slow
    shop = Shop(tmp_path, "slow-shipping")
    assert await shop.visit() == "ordered"
    [slow] = [event for event in shop.client.events if event["type"] == "slow_response"]
    assert slow["props"]["request_path"] == "/checkout/shipping"
    assert slow["session_id"] == shop.events[0]["session_id"]


async def test_a_processor_that_is_away_is_an_error_of_the_server_with_the_visitors_session(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "payment")
    await shop.visit(patience=0.0)
    told = {event["type"]: event for event in shop.client.events}
    assert set(told) == {"server_error", "http_error"}
    assert told["http_error"]["props"]["status"] == 502
    assert {event["session_id"] for event in told.values()} == {shop.events[0]["session_id"]}
    assert shop.props("payment_failed")[0]["error_type"] == "soft"


async def test_what_customers_meet_by_themselves_is_told_too(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    searched = await shop.visit(searches="matcha set", misclicks=True, account="login", wrong_passwords=2)
    assert searched == "ordered"
    assert shop.props("search") == [{"query": "matcha set", "results": 0}]
    assert shop.types()["login_failed"] == 2
    assert shop.types()["login"] == 1
    declined = await shop.visit(card="4000000000000069", forgets_field=True, seeks_help=True, answers=True)
    assert declined == "ordered"
    assert [props["error_type"] for props in shop.props("payment_failed")] == ["hard"]
    assert shop.props("form_error") == [{"form": "shipping", "field": "zip"}]
    assert shop.props("help_opened") == [{"channel": "help"}]
    assert shop.props("survey_answered") == [{"survey": "how-easy", "answer": "5"}]
    assert await shop.visit(coupon="SPRING24", patience=0.9) == "ordered"
    assert shop.props("coupon_denied") == [{"coupon_id": "SPRING24", "reason": "unknown"}]


async def test_forms_of_other_sites_and_pages_that_are_not_there_are_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    transport = InProcess(shop.app)
    foreign = await transport.request("POST", "/cart/add", {"Sec-Fetch-Site": "cross-site"}, b"product=oolong")
    assert foreign.status == 403
    assert (await transport.request("POST", "/cart/add", {}, b"x" * 20_000)).status == 413
    assert (await transport.request("GET", "/nothing", {}, b"")).status == 404
    assert (await transport.request("GET", "/checkout/payment", {}, b"")).status == 303
    page = await transport.request("GET", "/search?q=%3Cscript%3Ealert(1)%3C/script%3E", {}, b"")
    assert "<script>alert" not in page.text
    assert look_at(page.text).calls == [["productsSearched", {"query": "<script>alert(1)</script>", "results": 0}]]


def test_cards_answer_as_their_numbers_say() -> None:
    assert charge(GOOD_CARD, reachable=True) is None
    assert {number: charge(number, reachable=True) for number in REFUSALS} == REFUSALS
    assert {refusal.kind for refusal in REFUSALS.values()} == {"soft", "hard"}
    assert all(map(is_card_number, [GOOD_CARD, *REFUSALS]))
    assert not any(map(is_card_number, ["", "4242424242424243", "abc", "42", "\uff14" * 16]))
    with pytest.raises(ProcessorUnreachable):
        charge(GOOD_CARD, reachable=False)


def test_switches_are_seen_by_who_reads_the_same_file(tmp_path: Path) -> None:
    one, other = Switches(tmp_path / "a" / "b.json"), Switches(tmp_path / "a" / "b.json")
    assert other.on() == frozenset()
    one.set(["payment", "coupon"])
    assert other.on() == {"payment", "coupon"}
    one.set([])
    assert "payment" not in other
    assert set(BREAKS) == {"payment", "coupon", "slow-shipping", "js-error", "dead-button", "forced-registration"}


async def test_the_past_is_many_visits_of_their_own_within_two_hours(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    walks = await history.recorded(shop.app, Random(1), count=20)
    now_s = 1_800_000_000.0
    events = [orjson.loads(line) for line in history.told(walks, now_s, Random(2), times=3)]
    assert len({event["session_id"] for event in events}) > 50
    assert len({event["event_id"] for event in events}) == len(events)
    assert all("2027-01-15T06:" <= event["ts"] < "2027-01-15T08:00:00" for event in events)
    by_visit: dict[str, list[str]] = {}
    for event in events:
        by_visit.setdefault(event["session_id"], []).append(event["ts"])
    assert all(times == sorted(set(times)) for times in by_visit.values())


def test_the_demos_clocks_change_nothing_else_and_leave_nothing_behind(tmp_path: Path) -> None:
    shipped = {funnel.name: funnel for funnel in load_funnels()}
    with demo_clocks(tmp_path) as quick:
        assert quick
        for funnel in load_funnels(tmp_path):
            assert (funnel.stall_after_s, funnel.ripe_after_s) == (STALL_AFTER_S, RIPE_AFTER_S)
            assert (funnel.version, funnel.steps) == (shipped[funnel.name].version, shipped[funnel.name].steps)
    assert list(tmp_path.iterdir()) == []


def test_a_users_own_funnel_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text((Path(__file__).parents[2] / "schemas" / "funnels" / "checkout.toml").read_text())
    with demo_clocks(tmp_path) as quick:
        assert not quick
    assert tomllib.loads(mine.read_text())["name"] == "checkout"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]
