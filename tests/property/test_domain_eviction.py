"""Old facts are let go, and nobody can tell from the rows: visits weeks apart, lateness of a day."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.streams import Event, Vigil, streams, vigils
from tests.property.test_domain_harness import (
    DAY_MS,
    Log,
    Reader,
    differences,
    end_of,
    falls,
    records_of,
)

seeds = st.integers(0, 2**32)
KEPT_MS = 2 * DAY_MS + 1_800_000  # lateness after the funnel's window and the idle time that ends a session
ends = st.sampled_from((1_800_000, KEPT_MS - DAY_MS, KEPT_MS, 3 * DAY_MS))


@settings(max_examples=150, deadline=None)
@given(streams(days=True), seeds, ends)
def test_rows_of_long_lives_equal_the_oracle(events: list[Event], seed: int, after_ms: int) -> None:
    random, log = Random(seed), Log()
    reader = Reader(records_of(events, random), log)
    reader.live(random)
    reader.settle(end_of(events, after_ms))
    assert differences(log, events, reader.state.frontier) == []
    assert falls(log) == []


@settings(max_examples=20, deadline=None)
@given(vigils, seeds, ends)
def test_sessions_cut_by_their_length_move_with_their_start(vigil: Vigil, seed: int, after_ms: int) -> None:
    events = vigil.events()
    random, log = Random(seed), Log()
    reader = Reader(records_of(events, random), log)
    reader.live(random, tick_chance=0.1)
    reader.settle(end_of(events, after_ms))
    assert differences(log, events, reader.state.frontier) == []
    assert falls(log) == []


@settings(max_examples=100, deadline=None)
@given(streams(days=True, repeats=False), seeds)
def test_a_replay_of_long_lives_equals_the_oracle(events: list[Event], seed: int) -> None:
    random, log = Random(seed), Log()
    reader = Reader(records_of(events, random), log)
    reader.replay(random, end_of(events, 7 * DAY_MS))
    reader.settle(end_of(events, 9 * DAY_MS))
    assert differences(log, events, reader.state.frontier) == []


@settings(max_examples=100, deadline=None)
@given(streams(days=True), seeds, st.booleans())
def test_nothing_is_left_of_visitors_who_went(events: list[Event], seed: int, dumped: bool) -> None:
    random = Random(seed)
    reader = Reader(records_of(events, random), [])
    reader.live(random)
    if dumped:
        for index in range(len(reader.state.buckets)):
            reader.state.dump(index, {topic: n - 1 for topic, n in reader.wanted.items()})
    end = end_of(events, KEPT_MS + 1)
    reader.settle(end)
    assert reader.state.visitors() == 0
    applied = {topic: n - 1 for topic, n in reader.wanted.items()}
    reader.tick(end + 3 * 60_000)  # cohorts are held by the minute
    for _ in range(2):  # and let go one round later: when all who were dirty then have been counted
        for index in range(len(reader.state.buckets)):
            reader.state.dump(index, applied)
    for bucket in reader.state.buckets:
        assert (bucket.times.due, bucket.times.ends, len(bucket.cohorts), bucket.loose) == ({}, {}, 0, {})
    assert len(reader.state.minutes) == 0
    reader.tick(end + 4 * 60_000)
    assert reader.tick(end + 5 * 60_000).rows == {}
