"""Every friction rule under any mix of the events it looks at: it never raises, order and repeats change nothing, and
it finds what the oracle finds."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.domain.fact import Fact, decode_lines, to_fact
from processors.domain.friction import Finders
from processors.domain.friction.score import score
from processors.domain.rules import Rules
from schemas.event import from_ms
from schemas.event_types import EVENT_TYPES
from schemas.rules import FRICTION_RULES, SCORE_MAX
from tests.oracle.events import by_visitor
from tests.oracle.signals import found_in, last_step_score, points
from tests.oracle.signals import score as expected_score
from tests.unit.test_domain_fact import make_fact

START_MS = 1_763_942_399_000
READER = Rules(funnels=()).reader
PAUSES = (0, 1, 225, 999, 1000, 1001, 2000, 2001, 4999, 5000, 5001, 30_001, 299_999, 300_001)
VALUES: tuple[Any, ...] = (
    *(None, True, False, "", "0", 0, 1, 2, -1, 4, 5, 19, 20, 45, 50, 50.1, 60, 99, 2499, 2500, 4001, 501, 0.009, 0.3),
    *("NaN", "inf", "-1e999", "5e3", 10**40, 1.7e308, -1.7e308, [1], {"a": None}, "x" * 500, "\u0000", "é", "😀"),
    *("button", "input", "textarea", "select", "A", "+", "next", "submit", "_blank", "_self", "tel:1", "mailto:a@b.c"),
    *(
        "LCP",
        "lcp",
        "INP",
        "CLS",
        "soft",
        "hard",
        "HARD",
        "stolen_card",
        "guest checkout",
        "EUR",
        "USD",
        "chat",
        "/help",
    ),
    *("address", "pay", "zip"),
)
LIKELY: Mapping[str, tuple[Any, ...]] = {
    "name": ("LCP", "INP", "cls"),
    "value": (0.3, 501, 4001, 45),
    "id": ("v1", "v2"),
    "depth": (0, 60),
    "duration_ms": (0, 1000, 5000),
    "effect_ms": (None, 2500, 100),
    "turns": (4, 5),
    "acceleration": (0.008, 0.009),
    "results": (0, 3),
    "total": (45, 50),
    "shipping": (0, 4.9),
    "currency": ("EUR",),
    "form": ("address",),
    "field": ("zip",),
    "text": ("Buy",),
    "tag": ("button", "a"),
    "input_type": ("",),
    "target": ("_self",),
    "href": ("/a",),
}
ELEMENTS = (
    *("", "#buy", "input.zip", "form > input[type=submit]", "div.carousel button", "a.help-link", "textarea"),
    *("p + select", "div.snag-no-dead", "[contenteditable] > p"),
)
PLACES = (
    *("/a", "/b", "", "/", "/checkout/register", "/faq", "/signup-now", "/helpdesk", "/contact", "/checkout/contact"),
)
OTHERS = ("page_view", "page_leave", "login", "checkout_started", "order_completed", "product_added", "js_error")


def types_of(rule_id: str) -> tuple[str, ...]:
    rule = FRICTION_RULES[rule_id]
    return tuple(sorted(rule.triggers | set(rule.reads)))


def few(values: tuple[Any, ...], most: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most)


@st.composite
def sessions(draw: st.DrawFn, rule_id: str) -> list[dict[str, Any]]:
    """One session's events: mostly of the types the rule looks at, with the properties it reads, likely and odd.

    Few places, elements and pauses a session, so that what a rule looks for happens often.
    """
    rule = FRICTION_RULES[rule_id]
    types = [*(types_of(rule_id) * 2), *draw(few(OTHERS, 3))]
    places, elements, pauses = draw(few(PLACES, 2)), draw(few(ELEMENTS, 2)), draw(few(PAUSES, 3))
    odd = draw(st.booleans())
    events, at = [], START_MS
    for n in range(draw(st.integers(1, 16))):
        type_ = draw(st.sampled_from(types))
        at += draw(st.sampled_from(pauses))
        props = {
            name: draw(st.sampled_from(VALUES if odd and draw(st.booleans()) else LIKELY.get(name, VALUES)))
            for name in rule.reads.get(type_, ())
            if draw(st.integers(0, 3))
        }
        place = draw(st.sampled_from(places))
        event: dict[str, Any] = {"event_id": f"e{(n * 7) % 17:02d}", "site": "shop", "type": type_}
        event |= {"kind": EVENT_TYPES[type_].kind, "visitor_id": "ann", "session_id": "s", "props": props}
        event |= {"ts": from_ms(at).isoformat(), "received_at": from_ms(at + 5).isoformat()}
        event |= {"path": place, "page": place, "element": draw(st.sampled_from(elements))}
        if odd and draw(st.booleans()):
            event |= {"x": draw(st.sampled_from((1.0, 30.0, 1.7e308, -1.7e308))), "y": 2.0}
        events.append(event)
    return events


def facts_of(events: list[dict[str, Any]]) -> list[Fact]:
    """The facts as a visitor holds them: by id, then in event order."""
    lines, bad = decode_lines(b"\n".join(json.dumps(event).encode() for event in events))
    assert bad == 0
    held: dict[str, Fact] = {}
    for line in lines:
        held.setdefault(line.event_id, to_fact(line, line.session_id, READER))
    return sorted(held.values(), key=lambda fact: fact.order)


def told(facts: list[Fact]) -> list[tuple[str, str, str, Any]]:
    return [
        (s.signal, s.first.event_id, s.at.event_id, json.loads(msgspec.json.encode(s.evidence)))
        for s in Finders(FRICTION_RULES).find(facts)
    ]


def by_text(signals: list[tuple[str, str, str, Any]]) -> list[str]:
    return sorted(json.dumps(signal, sort_keys=True) for signal in signals)


@pytest.mark.parametrize("rule_id", FRICTION_RULES)
@settings(max_examples=40, deadline=None)
@given(st.data(), st.randoms(use_true_random=False))
def test_a_rule_finds_what_the_oracle_finds_in_any_order(rule_id: str, data: st.DataObject, random: Random) -> None:
    events = data.draw(sessions(rule_id))
    facts = facts_of(events)
    found = told(facts)
    shuffled = events + random.sample(events, k=len(events) // 2)
    random.shuffle(shuffled)
    assert told(facts_of(shuffled)) == found

    (happenings,) = by_visitor(events).values()
    expected = found_in(happenings)
    assert by_text(found) == by_text(
        [(f.signal, f.first.id, f.at.id, json.loads(msgspec.json.encode(f.measured))) for f in expected]
    )
    signals = Finders(FRICTION_RULES).find(facts)
    assert len({signal.signal_id("ann") for signal in signals}) == len(signals)
    given_points = score(facts, signals, FRICTION_RULES)
    assert dict(given_points.points) == points(expected)
    assert given_points.total == expected_score(expected)
    assert given_points.last_step == last_step_score(happenings, expected) <= given_points.total <= SCORE_MAX


PROPS = st.dictionaries(
    st.sampled_from(
        sorted({name for rule in FRICTION_RULES.values() for names in rule.reads.values() for name in names})
    ),
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.sampled_from(["9" * 400, "-inf", "1e308"]),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(EVENT_TYPES)),
            st.integers(-(2**60), 2**60),
            PROPS | st.none(),
            st.floats() | st.none(),
        ),
        min_size=1,
        max_size=15,
    )
)
def test_no_fact_however_odd_makes_a_rule_raise(
    made: list[tuple[str, int, Mapping[str, Any] | None, float | None]],
) -> None:
    facts = [
        make_fact(at, type_, event_id=f"e{n}", props=props, x=x, y=x, element=str(props), path=str(x))
        for n, (type_, at, props, x) in enumerate(made)
    ]
    facts.sort(key=lambda fact: fact.order)
    signals = Finders(FRICTION_RULES).find(facts)
    assert 0 <= score(facts, signals, FRICTION_RULES).total <= SCORE_MAX
    assert all(msgspec.json.encode(signal.evidence) for signal in signals)


def test_the_values_tried_hold_what_floats_cannot() -> None:
    assert any(isinstance(value, int) and value > sys.float_info.max / 1e300 for value in VALUES)
