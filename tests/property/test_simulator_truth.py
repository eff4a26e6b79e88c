"""The truth of any script: without its incidents the world is the one that was called "without"."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from snag.simulator.block import Block, Blocks, Plan
from snag.simulator.incidents import STEPS, Incident, Script, Segment
from snag.simulator.stream import deliveries

KINDS = ("payment_decline", "js_error", "dead_button", "search_broken", "outage", "surprise_cost")

incidents = st.lists(
    st.builds(
        Incident,
        id=st.uuids().map(str),
        kind=st.sampled_from(KINDS),
        start=st.integers(0, 20).map(lambda hours: f"+{hours}h"),
        end=st.integers(21, 90).map(lambda hours: f"+{hours}h"),
        conversion=st.floats(0, 1),
        share=st.floats(0, 1),
        step=st.sampled_from((None, *STEPS)),
        segment=st.sampled_from((Segment(), Segment(device="mobile"), Segment(browser="Safari"))),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda incident: incident.id,
)
plans = st.builds(
    Plan,
    seed=st.integers(0, 2**31),
    start_ms=st.integers(1_700_000_000_000, 1_900_000_000_000),
    visitors=st.just(256),
    visitors_per_s=st.just(0.01),
    swings=st.booleans(),
    script=st.builds(Script, incident=incidents.map(tuple)),
)


def block_of(plan: Plan) -> Block:
    _, block = Blocks(plan).next()
    assert block is not None
    return block


@settings(max_examples=25, deadline=None)
@given(plans)
def test_the_run_without_incidents_is_the_world_without_them(plan: Plan) -> None:
    struck, free = block_of(plan), block_of(replace(plan, script=plan.script.without_incidents()))
    assert struck.session_ids == free.session_ids
    assert struck.without.tolist() == free.stage.tolist() == free.without.tolist()


@settings(max_examples=25, deadline=None)
@given(plans)
def test_in_a_first_visit_an_incident_only_takes_orders_away_and_each_loss_is_one_s(plan: Plan) -> None:
    block = block_of(plan)
    first = block.stage[:256], block.without[:256], block.lost_to[:256]
    for stage, without, lost_to in zip(*(column.tolist() for column in first), strict=True):
        assert stage <= without
        assert (stage < without) == (lost_to >= 0)


@settings(max_examples=15, deadline=None)
@given(plans)
def test_what_comes_twice_is_the_same_bytes(plan: Plan) -> None:
    lines = Counter(delivery.line for delivery in deliveries(replace(plan, visitors=60)))
    ids = Counter(msgspec.json.decode(line)["event_id"] for line in lines)
    assert set(ids.values()) == {1}
    assert set(lines.values()) <= {1, 2}
