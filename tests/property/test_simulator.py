"""The simulator under any plan: the same plan repeats byte for byte, every line is a valid event, arrivals rise."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import KIND_OF_TYPE
from schemas.openapi import IncomingEvent
from snag.simulator.stream import Plan, deliveries

plans = st.builds(
    Plan,
    seed=st.integers(0, 2**31),
    start_ms=st.integers(1_400_000_000_000, 1_900_000_000_000),
    visitors=st.integers(1, 12),
    visitors_per_s=st.floats(0.01, 50),
    swings=st.booleans(),
)


@settings(max_examples=30, deadline=None)
@given(plans)
def test_the_same_plan_makes_the_same_bytes(plan: Plan) -> None:
    assert list(deliveries(plan)) == list(deliveries(plan))


@settings(max_examples=30, deadline=None)
@given(plans)
def test_every_line_is_an_event_as_the_contract_has_it(plan: Plan) -> None:
    for at_ms, line in deliveries(plan):
        event = msgspec.json.decode(line, type=IncomingEvent)
        assert event.kind == KIND_OF_TYPE[event.type]
        assert event.event_id and event.visitor_id and event.session_id
        assert hasattr(event.ts, "timestamp")
        off_ms = plan.shop.wrong_clock_max_s * 1000
        assert plan.start_ms - off_ms <= round(event.ts.timestamp() * 1000) <= at_ms + off_ms
        assert b"\n" not in line


@settings(max_examples=30, deadline=None)
@given(plans)
def test_deliveries_come_in_the_order_of_arrival(plan: Plan) -> None:
    times = [delivery.at_ms for delivery in deliveries(plan)]
    assert times == sorted(times)


@settings(max_examples=20, deadline=None)
@given(plans, st.integers(1, 30))
def test_a_visitor_is_the_same_however_many_follow(plan: Plan, more: int) -> None:
    longer = replace(plan, visitors=(plan.visitors or 0) + more)
    ours = {delivery.line for delivery in deliveries(plan)}
    assert ours <= {delivery.line for delivery in deliveries(longer)}


@settings(max_examples=20, deadline=None)
@given(plans)
def test_other_seeds_and_other_starts_make_other_ids(plan: Plan) -> None:
    def ids(other: Plan) -> set[str]:
        return {msgspec.json.decode(d.line)["event_id"] for d in islice(deliveries(other), 50)}

    for other in (
        replace(plan, seed=plan.seed + 1),
        replace(plan, start_ms=plan.start_ms + 1),
    ):
        assert not ids(plan) & ids(other)
