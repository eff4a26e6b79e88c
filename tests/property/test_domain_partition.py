"""Whatever the order, the interleaving, the ticks and the partitions: the final rows are the oracle's."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.streams import Event, streams
from tests.property.test_domain_harness import (
    DAY_MS,
    Log,
    Reader,
    content,
    differences,
    end_of,
    falls,
    records_of,
    split,
)

seeds = st.integers(0, 2**32)
ends = st.sampled_from((50_000, 125_000, 1_800_000, 2 * DAY_MS))
"""Silence after the last event: attempts open, stalled, abandoned; everything let go."""


def run(events: list[Event], seed: int, end: int, tick_chance: float = 0.3) -> tuple[Log, Reader]:
    random, log = Random(seed), Log()
    reader = Reader(records_of(events, random), log)
    reader.live(random, tick_chance)
    reader.settle(end)
    return log, reader


@settings(max_examples=150, deadline=None)
@given(streams(), seeds, ends)
def test_final_rows_equal_the_oracle(events: list[Event], seed: int, after_ms: int) -> None:
    log, reader = run(events, seed, end_of(events, after_ms))
    assert differences(log, events, reader.state.frontier) == []


@settings(max_examples=150, deadline=None)
@given(streams(), seeds, ends)
def test_versions_never_fall_and_never_lie(events: list[Event], seed: int, after_ms: int) -> None:
    log, _ = run(events, seed, end_of(events, after_ms), tick_chance=0.9)
    assert falls(log) == []


@settings(max_examples=100, deadline=None)
@given(streams(), seeds, seeds, st.randoms(use_true_random=False))
def test_order_repeats_and_interleaving_change_nothing(
    events: list[Event], seed: int, other_seed: int, shuffler: Random
) -> None:
    end = end_of(events, 2 * DAY_MS)
    shuffled = events + shuffler.sample(events, k=len(events) // 3)
    shuffler.shuffle(shuffled)
    random, log = Random(other_seed), Log()
    reader = Reader(records_of(shuffled, random), log)
    reader.replay(random, end_of(events, 1000))
    reader.settle(end)
    assert content(log) == content(run(events, seed, end)[0])


@settings(max_examples=60, deadline=None)
@given(streams(), seeds)
def test_ticks_in_between_change_nothing(events: list[Event], seed: int) -> None:
    end = end_of(events, 3_600_000)
    assert content(run(events, seed, end, tick_chance=0.0)[0]) == content(run(events, seed, end, tick_chance=1.0)[0])


@settings(max_examples=60, deadline=None)
@given(streams(), seeds, st.integers(2, 5))
def test_partitions_are_a_union(events: list[Event], seed: int, partitions: int) -> None:
    end = end_of(events, 3_600_000)
    together: dict[str, dict[object, object]] = {}
    log = Log()
    for part in split(events, partitions):
        own, reader = run(part, seed, end)
        log += [entry for entry in own if entry[0] != "error_rates"]
        assert differences(own, part, reader.state.frontier) == []
        for topic, rows in content(own).items():
            assert topic == "error_rates" or not (together.setdefault(topic, {}).keys() & rows.keys())
            together.setdefault(topic, {}).update(rows)
    whole = content(run(events, seed, end)[0])
    assert {topic: rows for topic, rows in together.items() if topic != "error_rates"} == {
        topic: rows for topic, rows in whole.items() if topic != "error_rates"
    }


@settings(max_examples=60, deadline=None)
@given(streams(), seeds, st.sampled_from((1, 2, 7, 32)))
def test_the_number_of_buckets_changes_nothing(events: list[Event], seed: int, buckets: int) -> None:
    end = end_of(events, 3_600_000)
    random, log = Random(seed), Log()
    reader = Reader(records_of(events, random), log, buckets=buckets)
    reader.live(random)
    reader.settle(end)
    assert content(log) == content(run(events, seed, end)[0])
