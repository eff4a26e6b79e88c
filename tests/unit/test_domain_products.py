"""Chosen products only: what is left out is neither worked out nor kept, what is wanted is told as ever."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable

import pytest

from processors.domain.bucket import Bucket
from processors.domain.emission import Emission
from processors.domain.fact import decode_lines
from processors.domain.partition import Partition
from schemas import topics
from schemas.products import PRODUCTS, Product
from schemas.settings import SettingsError, load_settings
from tests.oracle.streams import Event
from tests.property.test_domain_harness import RULES, TOPICS
from tests.unit.test_domain_partition import BASE, HOUR, SECOND, event

_FULL = {"path": "/cart", "page": "/cart", "element": "button#pay", "x": 1.0, "y": 2.0}
EVENTS = [
    event("v", 0, **_FULL),
    *(event(f"c{n}", 1_000 + 100 * n, "click", **_FULL) for n in range(4)),
    event("e", 2_000, "js_error", message="TypeError: x", **_FULL),
    event("s1", 3_000, "product_added", props={"value": 10}),
    event("s2", 4_000, "checkout_started"),
    event("o", 9_000, "order_completed", props={"value": 12.5}),
]
TOPIC_OF: dict[Product, str] = {
    "sessions": topics.SESSIONS.name,
    "funnels": topics.FUNNELS.name,
    "friction": topics.SIGNALS.name,
    "rates": topics.ERROR_RATES.name,
}


def said_by(*products: Product, events: Iterable[Event] = EVENTS) -> tuple[Partition, Emission]:
    rules = dataclasses.replace(RULES, products=frozenset(products))
    state = Partition(0, [Bucket()], rules, {})
    lines, bad = decode_lines(b"\n".join(json.dumps(e).encode() for e in events))
    assert bad == 0
    state.apply("clickstream", 0, lines)
    state.advance(BASE + 10 * SECOND, dict.fromkeys(TOPICS, True))
    return state, state.emit(BASE + 10 * SECOND)


@pytest.mark.parametrize("wanted", sorted(PRODUCTS - {"sessions"}))
def test_a_product_is_told_with_sessions_alone_as_with_all(wanted: Product) -> None:
    _, everything = said_by(*PRODUCTS)
    _, some = said_by("sessions", wanted)
    assert set(some.rows) - {topics.FUNNEL_COHORTS.name} == {TOPIC_OF["sessions"], TOPIC_OF[wanted]}
    if wanted != "funnels":  # an attempt also tells of the friction on its steps
        assert some.rows[TOPIC_OF[wanted]] == everything.rows[TOPIC_OF[wanted]]
    assert (topics.FUNNEL_COHORTS.name in some.rows) == (wanted == "funnels")
    assert bool(some.metrics) == (wanted in {"funnels", "rates"})


def test_sessions_alone_tell_all_that_facts_tell_of_them() -> None:
    (full,) = said_by(*PRODUCTS)[1].rows[TOPIC_OF["sessions"]]
    state, emission = said_by("sessions")
    assert set(emission.rows) == {TOPIC_OF["sessions"]}
    assert not emission.metrics
    (row,) = emission.rows[TOPIC_OF["sessions"]]
    of_others = {"checkout", "checkout_step", "checkout_value", "checkout_currency", "version"}
    of_others |= {"friction", "friction_score", "friction_points", "last_step_score"}
    differing = {name for name, value in json.loads(full).items() if json.loads(row).get(name) != value}
    assert differing <= of_others
    assert json.loads(row)["events"] == len(EVENTS)
    for fact in state.buckets[0].visitor("shop\0vann").facts.values():
        assert (fact.path, fact.element, fact.x, fact.y, fact.fingerprint, fact.message) == ("", "", None, None, "", "")


def test_sessions_alone_are_right_under_repeats_and_close_by_silence() -> None:
    state, _ = said_by("sessions", events=[*EVENTS, *EVENTS])
    state.advance(BASE + HOUR, dict.fromkeys(TOPICS, True))
    (row,) = state.emit(BASE + HOUR).rows[TOPIC_OF["sessions"]]
    assert (json.loads(row)["state"], json.loads(row)["events"]) == ("closed", len(EVENTS))


def test_products_are_a_setting_and_sessions_cannot_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNAG_LIVE__PRODUCTS", '["sessions", "rates"]')
    assert load_settings().live.products == {"sessions", "rates"}
    monkeypatch.setenv("SNAG_LIVE__PRODUCTS", '["rates"]')
    with pytest.raises(SettingsError, match=r'live.products.*add "sessions"'):
        load_settings()
