"""A partition: when rows are said, how the frontier moves, what the cohorts count, what is let go and what survives."""

from __future__ import annotations

import dataclasses
import json
from random import Random
from typing import Any

import msgspec
import pytest

from processors.domain.bucket import Bucket, visitor_key
from processors.domain.emission import Emission
from processors.domain.fact import decode_lines
from processors.domain.minutes import Minutes
from processors.domain.partition import Partition
from processors.domain.visitor import COHORT
from schemas.funnel import parse_funnel
from schemas.rows import MinuteMetrics
from tests.oracle.events import moment
from tests.oracle.streams import Event
from tests.property.test_domain_harness import (
    RULES,
    TOPICS,
    Log,
    Reader,
    differences,
    disagreements,
    end_of,
    records_of,
)
from tests.unit.test_domain_fact import make_line

BASE = 1_763_892_000_000  # 2025-11-23T10:00:00Z, the start of a minute
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
DAY = 24 * HOUR
KIND = {"js_error": "error", "page_view": "clickstream", "click": "clickstream"}


def event(id_: str, at: int, type_: str = "page_view", visitor: str = "ann", **fields: Any) -> Event:
    """An event at `at` ms after BASE, received then too."""
    when = moment(BASE + at).isoformat(timespec="milliseconds")
    made: Event = {"event_id": id_, "site": "shop", "kind": KIND.get(type_, "checkout"), "type": type_}
    if type_ == "js_error":
        made |= {"error_class": "js", "fingerprint": "f1"}
    return made | {"visitor_id": visitor, "session_id": "", "ts": when, "received_at": when} | fields


def partition(buckets: int = 1) -> Partition:
    return Partition(0, [Bucket() for _ in range(buckets)], RULES, {})


def apply(state: Partition, offset: int, *events: Event, topic: str = "clickstream") -> Any:
    lines, bad = decode_lines(b"\n".join(json.dumps(e).encode() for e in events))
    assert bad == 0
    return state.apply(topic, offset, lines)


def tick(state: Partition, at: int) -> Emission:
    state.advance(BASE + at, dict.fromkeys(TOPICS, True))
    return state.emit(BASE + at)


def said(emission: Emission, topic: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(row) for row in emission.rows.get(topic, [])]


def test_the_frontier_is_the_least_of_the_topics() -> None:
    state = partition()
    apply(state, 0, event("a", 5_000))
    apply(state, 0, event("b", 9_000, "js_error"), topic="errors")
    state.advance(BASE + 60_000, {"clickstream": False, "errors": False, "checkouts": True})
    assert state.frontier == BASE + 5_000
    state.advance(BASE + 60_000, {"clickstream": True, "errors": False, "checkouts": True})
    assert state.frontier == BASE + 9_000


def test_the_frontier_waits_for_a_topic_of_which_nothing_was_read() -> None:
    state = partition()
    apply(state, 0, event("a", 5_000))
    state.advance(BASE + 60_000, {"clickstream": True, "errors": True, "checkouts": False})
    assert state.frontier == 0


def test_the_frontier_never_goes_back() -> None:
    state = partition()
    tick(state, 60_000)
    apply(state, 0, event("a", 5_000))
    state.advance(BASE + 61_000, {"clickstream": False, "errors": True, "checkouts": True})
    assert state.frontier == BASE + 60_000


def test_repeats_are_counted_and_change_nothing() -> None:
    state = partition()
    counts = apply(state, 0, event("a", 0), event("a", 0), event("n", 0, visitor=""), event("n", 0, visitor=""))
    assert (counts.applied, counts.repeated) == (2, 2)
    counts = apply(state, 1, event("a", 0), event("n", 0, visitor=""))
    assert (counts.applied, counts.repeated) == (0, 2)
    (row,) = said(tick(state, 100), "sessions")
    assert row["events"] == 1


def test_checkouts_and_errors_are_said_at_once_and_views_every_few_seconds() -> None:
    state = partition()
    apply(state, 0, event("a", 0))
    assert len(said(tick(state, 0), "sessions")) == 1
    apply(state, 1, event("b", 1_000))
    assert tick(state, 1_000).rows == {}
    apply(state, 0, event("c", 2_000, "product_added"), topic="checkouts")
    assert said(tick(state, 2_000), "sessions")[0]["events"] == 3
    apply(state, 2, event("d", 3_000))
    assert tick(state, 4_999).rows.keys() == {"error_rates", "funnel_cohorts"}
    assert said(tick(state, 5_000), "sessions")[0]["events"] == 4
    apply(state, 0, event("e", 6_000, "js_error"), topic="errors")
    assert said(tick(state, 6_000), "sessions")[0]["events"] == 5


@pytest.mark.parametrize(("behind", "told"), [(6 * MINUTE, ["bob"]), (4 * MINUTE, ["ann", "bob"]), (0, ["ann", "bob"])])
def test_far_behind_a_visitor_is_spoken_of_when_it_pauses(behind: int, told: list[str]) -> None:
    state = partition()
    apply(state, 0, event("a", 0, visitor="bob"), event("b", 0, visitor="ann"))
    apply(state, 1, event("c", 2 * MINUTE, visitor="ann"))
    state.advance(BASE + 2 * MINUTE, dict.fromkeys(TOPICS, True))
    rows = said(state.emit(BASE + 2 * MINUTE + behind), "sessions")
    assert sorted(row["visitor_id"] for row in rows) == told
    state.advance(BASE + 3 * MINUTE + 1, dict.fromkeys(TOPICS, True))
    assert len(rows) + len(said(state.emit(BASE + 3 * MINUTE + 1 + behind), "sessions")) == 2


def test_an_unchanged_row_is_not_said_again() -> None:
    state = partition()
    apply(state, 0, event("a", 0))
    tick(state, 0)
    assert tick(state, 20_000).rows == {}


def test_silence_closes_a_session_with_a_higher_version() -> None:
    state = partition()
    apply(state, 0, event("a", 0))
    (opened,) = said(tick(state, 0), "sessions")
    assert tick(state, 30 * MINUTE - 1).rows == {}
    (closed,) = said(tick(state, 30 * MINUTE), "sessions")
    assert (opened.get("state", "open"), closed["state"]) == ("open", "closed")
    assert closed["version"] == opened["version"] + 1


def test_an_attempt_goes_through_its_states_by_silence() -> None:
    state = partition()
    apply(state, 0, event("a", 0, "product_added"), topic="checkouts")
    rows = [said(tick(state, at), "funnels") for at in (0, 119_999, 120_000, 30 * MINUTE - 1, 30 * MINUTE)]
    assert [[row.get("state", "open") for row in told] for told in rows] == [
        ["open"],
        [],
        ["stalled"],
        [],
        ["abandoned"],
    ]
    versions = [row["version"] for told in rows for row in told]
    assert versions == sorted(set(versions))


def test_a_row_that_no_longer_holds_is_retracted() -> None:
    state = partition()
    apply(state, 0, event("b", 1_000))
    (first,) = said(tick(state, 0), "sessions")
    apply(state, 1, event("a", 500))
    rows = said(tick(state, 5_000), "sessions")
    (gone,) = [row for row in rows if row.get("deleted")]
    (kept,) = [row for row in rows if not row.get("deleted")]
    assert (gone["session_id"], gone["started_at"]) == (first["session_id"], first["started_at"])
    assert gone["version"] > first["version"]
    assert kept["events"] == 2


def test_new_rows_are_named_once() -> None:
    state = partition()
    apply(state, 0, event("a", 0))
    assert len(tick(state, 0).new_rows) == 1
    apply(state, 1, event("b", 1))
    assert tick(state, 5_000).new_rows == []


def test_a_row_that_an_earlier_owner_may_have_said_is_retracted() -> None:
    before = partition()
    apply(before, 0, event("b", 1_000))
    new_rows = tick(before, 0).new_rows
    state = Partition(0, [Bucket()], RULES, {"clickstream": 2})
    state.remember(new_rows)
    apply(state, 0, event("a", 500), event("b", 1_000))
    assert [row.get("deleted", 0) for row in said(tick(state, 5_000), "sessions")] == [0, 1]


def test_a_row_that_an_earlier_owner_may_have_said_with_more_facts_is_retracted_when_those_are_back() -> None:
    there_and_back = [event(str(n), n * 1_000, path=path) for n, path in enumerate(("/a", "/b", "/a"))]
    before = partition()
    apply(before, 0, *there_and_back)
    emission = tick(before, 5_000)
    (quick,) = said(emission, "signals")
    new_rows = [row for row in emission.new_rows if row[2].id == quick["signal_id"]]

    state = Partition(0, [Bucket()], RULES, {"clickstream": 3})
    state.remember(new_rows)
    apply(state, 0, there_and_back[0])
    (early,) = said(tick(state, 5_000), "signals")
    assert early["deleted"] == 1 and early["version"] < quick["version"], "it has fewer facts, and so is outranked"
    apply(state, 1, event("late", 1_500, path="/c"))
    apply(state, 2, *there_and_back[1:])
    (again,) = said(tick(state, 10_000), "signals")
    assert (again["signal_id"], again["deleted"]) == (quick["signal_id"], 1)
    assert again["version"] > quick["version"]
    apply(state, 3, event("more", 9_000, path="/d"))
    assert "signals" not in tick(state, 15_000).rows, "nothing more can have been said of it"


def restored(before: Partition, applied: dict[str, int], doubt_until: dict[str, int]) -> Partition:
    """The partition as its checkpoint brings it back."""
    minutes = Minutes({at: record for at, record in before.minutes.changes(applied) if record}, applied)
    return Partition(0, [Bucket.load(before.dump(0, applied))], RULES, doubt_until, minutes=minutes)


def test_a_restored_bucket_skips_what_it_holds() -> None:
    before = partition()
    apply(before, 0, event("a", 0), event("n", 0, visitor=""))
    tick(before, 0)
    state = restored(before, {"clickstream": 0}, {"clickstream": 2})
    counts = apply(state, 0, event("a", 0), event("n", 0, visitor=""))
    assert (counts.applied, counts.repeated) == (0, 0)
    assert apply(state, 1, event("b", 1)).applied == 1
    emission = tick(state, 5_000)
    assert said(emission, "sessions")[0]["events"] == 2
    assert [row["events"] for row in said(emission, "error_rates")] == [3]


def test_nothing_is_said_before_the_buckets_know_what_the_minutes_have_counted() -> None:
    before = partition()
    apply(before, 0, event("a", 0))
    blob = before.dump(0, {"clickstream": 0})
    apply(before, 1, event("b", 1_000))
    tick(before, 1_000)
    minutes = Minutes({at: record for at, record in before.minutes.changes({"clickstream": 1}) if record}, {})
    state = Partition(0, [Bucket.load(blob)], RULES, {"clickstream": 2}, minutes=minutes)
    assert state.catching_up and tick(state, 20_000).rows == {}
    apply(state, 1, event("b", 1_000))
    assert not state.catching_up
    (row,) = said(tick(state, 40_000), "sessions")
    assert row["events"] == 2


def test_a_row_as_before_is_said_again_if_an_earlier_owner_may_have_said_another_in_between() -> None:
    def click(id_: str, at: int, x: float = 1.0) -> Event:
        return event(id_, at, "click", path="/", x=x, y=1.0)

    three, fourth, between = [click(str(n), n * 100) for n in range(3)], click("3", 300), click("4", 250, x=500.0)
    before = partition()
    apply(before, 0, *three)
    apply(before, 1, fourth)
    (said_before,) = said(tick(before, 10_000), "signals")
    state = Partition(0, [Bucket()], RULES, {"clickstream": 3})
    apply(state, 0, *three)
    (first,) = said(tick(state, 10_000), "signals")
    apply(state, 1, fourth)
    apply(state, 2, between)
    (again,) = said(tick(state, 20_000), "signals")
    assert again["evidence"] == first["evidence"] != said_before["evidence"]
    assert again["version"] > said_before["version"]


def test_what_was_not_yet_said_is_said_after_a_restart() -> None:
    before = partition()
    apply(before, 0, event("a", 0))
    assert tick(restored(before, {"clickstream": 0}, {}), 5_000).rows.keys() == {"sessions", "error_rates"}


def test_what_was_not_yet_said_is_said_though_a_checkpoint_comes_before() -> None:
    before = partition()
    apply(before, 0, event("a", 0))
    state = restored(before, {"clickstream": 0}, {})
    again = Partition(0, [Bucket.load(state.dump(0, {}))], RULES, {})
    for loaded in (state, again):
        assert tick(loaded, 5_000).rows.keys() >= {"sessions"}
        assert tick(loaded, 10_000).rows == {}


def test_who_changes_by_time_alone_rests_again_at_once() -> None:
    state = partition()
    apply(state, 0, event("a", 0), event("b", 0, visitor="bob"))
    tick(state, 0)
    state.dump(0, {})
    apply(state, 1, event("c", 5, visitor="bob"))
    rows = said(tick(state, HOUR), "sessions")
    assert [(row["visitor_id"], row["state"]) for row in rows] == [("bob", "closed"), ("ann", "closed")]
    assert [visitor.visitor_id for visitor in state.buckets[0].visitors.hot.values()] == ["bob"]
    assert state.visitors() == 2


def test_the_timetable_holds_no_more_than_is_due_after_a_checkpoint() -> None:
    state = partition()
    for n in range(20):
        apply(state, n, event(f"e{n}", n * 5_000))
        tick(state, n * 5_000)
    bucket = state.buckets[0]
    assert sum(map(len, bucket.times.minutes.values())) == 20
    state.dump(0, {})
    assert bucket.times.minutes == {at // MINUTE: [key] for key, at in bucket.times.due.items()}


def test_a_row_is_said_again_after_a_restart_since_an_earlier_owner_may_have_said_an_older_state_of_it() -> None:
    first = partition()
    apply(first, 0, event("a", 0, "product_added"), topic="checkouts")
    (old,) = said(tick(first, 3 * HOUR), "funnels")
    assert (old["state"], old["ripe"]) == ("abandoned", True)
    second = restored(first, {"checkouts": 0}, {})
    apply(second, 1, event("b", 0, "product_viewed"), topic="checkouts")
    blob = second.dump(0, {"checkouts": 1})
    second.advance(BASE + 2_000, dict.fromkeys(TOPICS, True))  # it starts with less of the time passed, and is killed
    (stale,) = said(second.emit(BASE + 2_000), "funnels")
    assert stale["version"] > old["version"]
    third = Partition(0, [Bucket.load(blob)], RULES, {})
    (new,) = said(tick(third, 3 * HOUR), "funnels")
    assert (new["state"], new["ripe"]) == ("abandoned", True)
    assert new["version"] > stale["version"]


def test_a_visitor_who_is_gone_for_good_leaves_nothing() -> None:
    state = partition()
    apply(state, 0, event("a", 0), event("b", 1, "js_error"), event("c", 2, "product_added"))
    for at in (0, HOUR, DAY + HOUR, 2 * DAY + 30 * MINUTE + 3):  # an order within the funnel's day may be a day late
        tick(state, at)
        assert state.visitors() == (at < 2 * DAY)
    bucket = state.buckets[0]
    tick(state, 3 * DAY)
    for _ in range(2):  # cohorts are let go one round later
        state.dump(0, {})
    assert (bucket.times.due, bucket.times.ends, len(state.minutes), len(bucket.cohorts)) == ({}, {}, 0, 0)


def metrics_of(*events: Event, ticks: tuple[int, ...]) -> dict[int, MinuteMetrics]:
    """The newest metrics by minute (ms after BASE)."""
    state = partition(buckets=3)
    apply(state, 0, *events)
    newest: dict[int, MinuteMetrics] = {}
    for at in ticks:
        for metric in tick(state, at).metrics:
            newest[(metric.minute - moment(BASE)).seconds * SECOND] = metric
    return newest


def steps_of(metric: MinuteMetrics) -> list[tuple[int, str, int, int]]:
    return [(s.step, s.name, s.entered, s.passed) for s in metric.steps if s.funnel == "checkout"]


def test_cohorts_count_who_entered_a_step_and_passed_it_in_time() -> None:
    found = metrics_of(
        event("a1", 0, "product_added", "ann"),
        event("a2", 119_000, "checkout_started", "ann"),
        event("b1", 1_000, "product_added", "bob"),
        event("b2", 121_001, "checkout_started", "bob"),
        event("c1", 2_000, "product_added", "cat"),
        ticks=(130_000,),
    )
    assert steps_of(found[0]) == [(0, "product_added", 3, 1)]
    assert steps_of(found[MINUTE]) == [(1, "checkout_started", 1, 0)]
    assert steps_of(found[2 * MINUTE]) == [(1, "checkout_started", 1, 0)]


def test_a_step_passed_exactly_at_the_stall_time_counts() -> None:
    found = metrics_of(event("a", 0, "product_added"), event("b", 120_000, "checkout_started"), ticks=(130_000,))
    assert steps_of(found[0]) == [(0, "product_added", 1, 1)]


def test_cohorts_count_sessions_and_those_with_errors() -> None:
    found = metrics_of(
        event("a", 0, visitor="ann"), event("b", 1, "js_error", "ann"), event("c", 2, visitor="bob"), ticks=(10_000,)
    )
    assert (found[0].sessions, found[0].error_sessions) == (2, 1)


def test_bots_events_without_any_id_count_nowhere() -> None:
    state = partition()
    apply(state, 0, event("a", 0, visitor="", is_bot=True))
    assert tick(state, 10_000).rows == {}


def test_cohorts_leave_bots_out() -> None:
    assert metrics_of(event("a", 0, "product_added", is_bot=True), ticks=(10_000,)) == {}


def test_a_minute_is_said_again_once_it_is_ripe() -> None:
    state = partition()
    apply(state, 0, event("a", 0, "product_added"), topic="checkouts")
    assert len(tick(state, 0).metrics) == 1
    assert tick(state, 3 * MINUTE - 1).metrics == []
    (ripe,) = tick(state, 3 * MINUTE).metrics
    assert (ripe.ripe_after_s, ripe.frontier) == (120, moment(BASE + 3 * MINUTE))
    assert tick(state, 4 * MINUTE).metrics == []


def test_a_fact_that_moves_a_session_moves_its_count() -> None:
    state = partition()
    apply(state, 0, event("b", MINUTE))
    tick(state, MINUTE)
    apply(state, 1, event("a", 0))
    found = {metric.minute: metric.sessions for metric in tick(state, MINUTE + 5_000).metrics}
    assert found == {moment(BASE): 1, moment(BASE + MINUTE): 0}


@pytest.mark.parametrize("fields", [{"release": "r1"}, {"is_bot": True}])
def test_letting_go_of_an_old_session_does_not_rewrite_a_later_attempt(fields: dict[str, Any]) -> None:
    events = [event("a", 0, **fields), event("b", 20 * HOUR, "product_added"), event("c", 20 * HOUR + 1)]
    events[1]["release"] = "r2"
    logs: list[Log] = []
    for often in (True, False):
        logs.append([])
        reader = Reader(records_of(events, Random(0)), logs[-1])
        reader.now = end_of(events, 0)
        while reader.readable():
            reader.read(reader.readable()[0])
            if often:
                reader.tick()
        if often:
            reader.settle(end_of(events, 6 * HOUR))
        reader.settle(end_of(events, 3 * DAY))
    assert disagreements(*logs) == []


def test_a_row_said_before_letting_go_never_beats_a_fuller_one_said_after() -> None:
    events = [event(f"a{n}", n) for n in range(4)] + [event("e", HOUR, "js_error", "bob")]
    events += [event("u", 25 * HOUR, visitor="bob"), event("g1", 25 * HOUR + 10), event("g2", 25 * HOUR + 20)]
    log = Log()
    first = Reader(records_of(events, Random(0)), log)
    first.now = BASE + 25 * HOUR + 15
    while "clickstream" in first.readable():  # the errors lag behind, so nothing is let go
        first.read("clickstream")
    first.tick()
    second = Reader(records_of(events, Random(0)), log)  # killed before its first checkpoint
    second.now = BASE + 25 * HOUR + 25
    second.read("errors")
    while second.readable():
        second.read("clickstream")
        second.tick(second.now + 20_000)
    second.settle(end_of(events, 2 * HOUR))
    assert differences(log, events, second.state.frontier) == []


def test_versions_still_count_what_was_let_go() -> None:
    def received(at: int) -> str:
        return moment(BASE + at).isoformat(timespec="milliseconds")

    state = partition()
    apply(state, 0, event("added", 0, "product_added"), *(event(f"a{n}", n * SECOND) for n in range(1, 4)))
    apply(state, 1, event("late", 20 * HOUR, received_at=received(30 * HOUR)))
    (first,) = [row for row in said(tick(state, 49 * HOUR), "sessions") if row["events"] == 1]
    held = state.buckets[0].visitor(visitor_key("shop", "ann", "")).facts
    assert list(held) == ["late"], "the attempt and its session are final"
    apply(state, 2, event("later", 20 * HOUR + SECOND, received_at=received(49 * HOUR)))
    (fuller,) = said(tick(state, 49 * HOUR + MINUTE), "sessions")
    assert (fuller["session_id"], fuller["events"]) == (first["session_id"], 2)
    assert fuller["version"] > first["version"]


@pytest.mark.parametrize("buckets", [1, 2])
def test_a_checkpoint_while_time_flies_loses_no_counts(buckets: int) -> None:
    events = [event("a", 0), *(event(f"b{n}", 1, "js_error", visitor=f"v{n}") for n in range(4))]
    events.append(event("c", 2 * DAY))
    log = Log()
    reader = Reader(records_of(events, Random(0)), log, buckets=buckets)
    reader.now = BASE + 2 * DAY
    reader.read("clickstream")
    reader.tick()  # says the minute of a
    while reader.readable():
        reader.read(reader.readable()[0])
    reader.tick(reader.now + SECOND)  # too soon to say it again
    for index in range(buckets):
        reader.state.dump(index, {topic: n - 1 for topic, n in reader.wanted.items()})
    reader.settle(end_of(events, HOUR))
    assert differences(log, events, reader.state.frontier) == []


def test_a_minute_is_kept_for_as_long_as_facts_of_it_may_come() -> None:
    state = partition(buckets=2)
    apply(state, 0, event("a", 0, visitor="ann"))
    tick(state, 0)
    late = {"received_at": moment(BASE + 23 * HOUR).isoformat()}
    apply(state, 1, *(event(f"b{n}", 1, visitor=f"v{n}", **late) for n in range(8)))
    for at, kept in ((DAY + HOUR, True), (2 * DAY - 30 * MINUTE, True), (2 * DAY - 29 * MINUTE, False)):
        tick(state, at)
        assert len(state.minutes) == kept


def test_lines_of_the_harness_are_lines_of_the_collector() -> None:
    (line,), _ = decode_lines(make_line())
    assert line.site == "shop"


def test_a_hot_key_s_events_count_in_rates_and_build_no_session() -> None:
    state = partition(buckets=4)
    hot = [event(f"h{n}", n * SECOND, "js_error", session_id="s", is_hot=True) for n in range(5)]
    human = event("e1", SECOND, "page_view", session_id="s")
    first = apply(state, 0, human, *hot)
    again = apply(state, 1, *hot)
    assert (first.applied, again.repeated) == (6, 5)
    emission = tick(state, 3 * HOUR)
    (session,) = said(emission, "sessions")
    assert (session["events"], session.get("errors", 0)) == (1, 0)
    whole, error = sorted(said(emission, "error_rates"), key=lambda row: row.get("class", ""))
    assert (whole["events"], whole["sessions"], error["events"], error.get("sessions", 0)) == (6, 1, 5, 0)
    assert state.visitors() == 1


def test_new_definitions_judge_what_is_not_final_anew() -> None:
    state = partition()
    old = parse_funnel('name = "f"\n[[steps]]\nname = "a"\ntype = "click"\n[[steps]]\nname = "b"\ntype = "pay"\n', "f")
    state.rules = dataclasses.replace(RULES, funnels=(old,))
    apply(state, 0, event("a", 0, "click"), event("b", 1, "scroll"))
    (before,) = said(tick(state, 0), "funnels")
    new = parse_funnel(
        'name = "f"\nversion = 2\n[[steps]]\nname = "a"\ntype = "scroll"\n[[steps]]\nname = "b"\ntype = "pay"\n', "f"
    )
    state.rules = dataclasses.replace(RULES, funnels=(new,))
    assert said(tick(state, 60_000), "funnels") == [], "nothing happened to the visitor yet"
    apply(state, 1, event("c", 90_000, "pay"))
    emission = tick(state, 90_000)
    rows = {row["attempt_id"]: row for row in said(emission, "funnels")}
    assert rows.pop(before["attempt_id"])["deleted"] == 1
    (after,) = rows.values()
    assert (after["funnel_version"], after["state"], after["step_reached"]) == (2, "converted", 2)
    cohorts = {(r["funnel_version"], r["step"]): r.get("entered", 0) for r in said(emission, "funnel_cohorts")}
    assert cohorts == {(1, 1): 0, (2, 1): 1, (2, 2): 1}


def test_after_a_reload_silence_alone_retracts_what_the_old_definition_said() -> None:
    state = partition()
    steps = '[[steps]]\nname = "a"\ntype = "click"\n[[steps]]\nname = "b"\ntype = "pay"\n'
    state.rules = dataclasses.replace(RULES, funnels=(parse_funnel('name = "f"\n' + steps, "f"),))
    apply(state, 0, event("a", 0, "click"))
    tick(state, 0)
    (stalled,) = said(tick(state, 3 * MINUTE), "funnels")
    state.rules = dataclasses.replace(RULES, funnels=(parse_funnel('name = "f"\nversion = 2\n' + steps, "f"),))
    rows = said(tick(state, HOUR), "funnels")
    (gone,) = [row for row in rows if row.get("deleted")]
    (after,) = [row for row in rows if not row.get("deleted")]
    assert (gone["attempt_id"], gone["deleted"]) == (stalled["attempt_id"], 1)
    assert gone["version"] > stalled["version"], "of the same facts, and yet newer"
    assert (after["funnel_version"], after["state"]) == (2, "abandoned")


def test_a_new_owner_says_cohorts_again_when_its_frontier_has_passed_its_start() -> None:
    before = partition()
    apply(before, 0, event("a", 0, "checkout_started"), topic="checkouts")
    emission = tick(before, 0)
    for state, entered in ((restored(before, {"checkouts": 0}, {}), 1), (partition(), 0)):
        state.remember([row for row in emission.new_rows if row[2].table == COHORT])
        for at, again in (
            (5 * SECOND, False),
            (MINUTE, False),
            (MINUTE + 5 * SECOND, True),
            (MINUTE + 10 * SECOND, False),
        ):
            state.advance(BASE + at, dict.fromkeys(TOPICS, True))
            rows = said(state.emit(BASE + at), "funnel_cohorts")
            assert bool(rows) == again, at
            steps = {row["step"]: row.get("entered", 0) for row in rows if row["funnel"] == "checkout"}
            assert steps == ({2: entered} if again else {}), at


def test_live_cohorts_follow_their_attempts_and_ripen() -> None:
    state = partition(buckets=3)
    for n, who in enumerate(("ann", "bob", "cat", "dan")):
        apply(state, n, event(f"{who}1", n, "checkout_started", who, props={"value": 10.25}), topic="checkouts")
    apply(state, 4, event("ann2", 60_000, "order_completed", "ann"), topic="checkouts")
    apply(state, 5, event("bot", 1, "checkout_started", "bot", is_bot=True), topic="checkouts")

    def started(at: int) -> list[dict[str, Any]]:
        rows = said(tick(state, at), "funnel_cohorts")
        return [row for row in rows if row["funnel"] == "checkout" and row["step"] == 2]

    numbers = ("entered", "passed", "stalled", "abandoned", "open", "value", "value_lost", "ripe")

    def told(at: int) -> list[list[Any]]:
        return [[row.get(name, 0) for name in numbers] for row in started(at)]

    assert told(60_000) == [[4, 1, 0, 0, 3, 41.0, 0, 0]]
    assert told(120_003) == [[4, 1, 3, 0, 0, 41.0, 0, 0]]
    assert told(30 * MINUTE + 3) == [[4, 1, 0, 3, 0, 41.0, 30.75, 0]]
    assert told(31 * MINUTE - 1) == []
    assert told(31 * MINUTE + 3_000) == [[4, 1, 0, 3, 0, 41.0, 30.75, True]]
    apply(state, 6, event("bob2", 2 * HOUR, "order_completed", "bob"), topic="checkouts")
    assert told(2 * HOUR) == [[4, 2, 0, 2, 0, 41.0, 20.5, True]], "a recovery corrects it"


def test_a_cohort_is_not_let_go_before_it_was_said_to_be_ripe() -> None:
    state = partition()
    apply(state, 0, event("a", 0, "checkout_started"), topic="checkouts")
    tick(state, 0)
    state.advance(BASE + 5 * DAY, dict.fromkeys(TOPICS, True))  # a replay: the frontier flies, the tick's time does not
    state.emit(BASE)
    for _ in range(3):
        state.dump(0, {})
    rows = [r for r in said(tick(state, 5 * DAY), "funnel_cohorts") if r["funnel"] == "checkout"]
    assert [(row["entered"], row["abandoned"], row["ripe"]) for row in rows] == [(1, 1, True)]
