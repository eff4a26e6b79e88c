"""Event lines become facts; lines that are none are counted and harm nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from processors.domain.bucket import Bucket
from processors.domain.fact import CHECKOUT, CLICKSTREAM, ERROR, Fact, decode_lines, to_fact
from processors.domain.partition import Partition
from processors.domain.props import PropertyReader, text_of
from processors.domain.rules import Rules
from schemas.funnel import load_funnels

READER = PropertyReader({"order_completed": ("value", "tax", "coupon", "gift", "items", "none", "missing")}, ("plan",))
KINDS = {"js_error": ERROR, "http_error": ERROR} | dict.fromkeys(
    ("product_added", "checkout_started", "shipping", "payment", "order_completed", "coupon_applied"), CHECKOUT
)


def make_fact(at: int, type_: str = "page_view", **fields: Any) -> Fact:
    """A fact at event time `at` (ms), received then too, with an id that sorts by time."""
    given = {"event_id": f"e{at:012d}", "received": at, "kind": KINDS.get(type_, CLICKSTREAM)}
    return Fact(**{**given, **fields}, ts=at, type=type_)


def make_line(**fields: Any) -> bytes:
    """An event line as the collector writes it."""
    event = {"event_id": "e1", "site": "shop", "kind": "clickstream", "type": "page_view", "visitor_id": "ann"}
    event |= {"ts": "2025-11-23T10:00:00.123Z", "received_at": "2025-11-23T10:00:01Z"}
    return json.dumps(event | fields).encode()


def read_one(**fields: Any) -> Fact:
    (line,), bad = decode_lines(make_line(**fields))
    assert bad == 0
    return to_fact(line, line.session_id, READER)


def test_times_are_unix_ms() -> None:
    fact = read_one()
    assert (fact.ts, fact.received) == (1_763_892_000_123, 1_763_892_001_000)


def test_a_page_falls_back_to_the_path() -> None:
    assert read_one(path="/p/17").page == "/p/17"
    assert read_one(path="/p/17", page="/p/:id").page == "/p/:id"


def test_wanted_properties_are_kept() -> None:
    props = {"value": "12.5", "tax": 2, "coupon": "SAVE", "gift": True, "items": [1], "none": None, "other": 1}
    fact = read_one(type="order_completed", props=props)
    assert fact.props == {"value": "12.5", "tax": 2.0, "coupon": "SAVE", "gift": True, "none": None}
    assert [fact.number(name) for name in ("value", "tax", "coupon", "gift", "none")] == [12.5, 2.0, None, None, None]
    assert [text_of(fact.props.get(name)) for name in ("value", "tax", "gift", "none")] == ["12.5", "2", "true", ""]


def test_the_first_property_that_says_something_counts() -> None:
    fact = read_one(type="order_completed", props={"coupon": "", "tax": "NaN", "value": 7, "gift": False})
    assert (fact.number("tax", "value"), fact.text("coupon", "value"), fact.text("none")) == (7.0, "7", "")


def test_properties_are_wanted_by_type_or_of_all() -> None:
    assert read_one(props={"value": 3}).props is None
    assert read_one(props={"value": 3, "plan": "pro"}).props == {"plan": "pro"}
    assert read_one(type="order_completed", props={"plan": "pro"}).props == {"plan": "pro"}


def test_unknown_fields_are_passed_over() -> None:
    assert read_one(title="Home", props={"deep": [[{}]]}, novelty={"a": 1}).event_id == "e1"


def test_a_bad_line_costs_only_itself() -> None:
    value = b"\n".join([make_line(event_id="a"), b"{broken", b"", b"{}", b"\xff\xfe", make_line(event_id="b")])
    lines, bad = decode_lines(value)
    assert ([line.event_id for line in lines], bad) == (["a", "b"], 3)


def test_an_empty_record_holds_nothing() -> None:
    assert decode_lines(b"") == ([], 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"ts": "2025-11-23T10:00:00"},
        {"received_at": "2025-11-23T10:00:00"},
    ],
)
def test_a_foreign_line_never_stops_the_partition(fields: dict[str, Any]) -> None:
    lines, bad = decode_lines(make_line(**fields))
    state = Partition(0, [Bucket()], Rules(funnels=load_funnels()), {})
    assert state.apply("checkouts", 0, lines).applied + bad == 1


@pytest.mark.parametrize("props", [{"value": 10**400}, [1], None, "text"])
def test_properties_that_are_none_are_left_out(props: object) -> None:
    assert read_one(type="order_completed", props=props).props is None


@pytest.mark.parametrize("text", ["NaN", "infinity", "-inf", "1e999"])
def test_text_that_is_no_finite_number_is_no_number(text: str) -> None:
    assert read_one(type="order_completed", props={"value": text}).number("value") is None
