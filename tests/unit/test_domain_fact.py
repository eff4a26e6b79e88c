"""Event lines become facts; lines that are none are counted and harm nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from processors.domain.bucket import Bucket
from processors.domain.fact import CHECKOUT, CLICKSTREAM, ERROR, Fact, decode_lines, to_fact
from processors.domain.partition import Partition
from processors.domain.rules import Rules
from schemas.funnel import load_funnels

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
    return to_fact(line)


def test_times_are_unix_ms() -> None:
    fact = read_one()
    assert (fact.ts, fact.received) == (1_763_892_000_123, 1_763_892_001_000)


def test_a_page_falls_back_to_the_path() -> None:
    assert read_one(path="/p/17").page == "/p/17"
    assert read_one(path="/p/17", page="/p/:id").page == "/p/:id"


def test_numbers_are_read_from_numbers_and_from_text() -> None:
    props = {"value": "12.5", "tax": 2, "coupon": "SAVE", "gift": True, "items": [1], "none": None}
    assert read_one(kind="checkout", props=props).numbers == {"value": 12.5, "tax": 2.0}


def test_only_checkout_events_keep_numbers() -> None:
    assert read_one(props={"value": 3}).numbers is None


def test_unknown_fields_are_passed_over() -> None:
    assert read_one(title="Home", props={"deep": [[{}]]}, novelty={"a": 1}).event_id == "e1"


def test_a_bad_line_costs_only_itself() -> None:
    value = b"\n".join([make_line(event_id="a"), b"{broken", b"", b"{}", b"\xff\xfe", make_line(event_id="b")])
    lines, bad = decode_lines(value)
    assert ([line.event_id for line in lines], bad) == (["a", "b"], 3)


def test_an_empty_record_holds_nothing() -> None:
    assert decode_lines(b"") == ([], 0)


@pytest.mark.xfail(strict=True, reason="a line that decodes but makes no fact raises: the record stops its partition")
@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "checkout", "props": {"value": 10**400}},
        {"kind": "checkout", "props": [1]},
        {"kind": "checkout", "props": None},
        {"ts": "2025-11-23T10:00:00"},
        {"received_at": "2025-11-23T10:00:00"},
    ],
)
def test_a_foreign_line_never_stops_the_partition(fields: dict[str, Any]) -> None:
    lines, bad = decode_lines(make_line(**fields))
    state = Partition(0, [Bucket()], Rules(funnels=load_funnels()), {})
    assert state.apply("checkouts", 0, lines).applied + bad == 1


@pytest.mark.xfail(strict=True, reason='float("nan") and float("inf") pass as money; one such order spoils every sum')
@pytest.mark.parametrize("text", ["NaN", "infinity", "-inf", "1e999"])
def test_text_that_is_no_finite_number_is_no_number(text: str) -> None:
    assert read_one(kind="checkout", props={"value": text}).numbers is None
