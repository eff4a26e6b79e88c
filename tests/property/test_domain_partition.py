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
    disagreements,
    end_of,
    falls,
    records_of,
    split,
)

seeds = st.integers(0, 2**32)
ends = st.sampled_from((50_000, 125_000, 1_800_000, 2 * DAY_MS))
"""Silence after the last event: attempts open, stalled, abandoned; everything let go."""

SHARED = {"error_rates", "funnel_cohorts"}
"""Topics whose rows are counts of a whole partition."""


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
    assert disagreements(run(events, seed, end)[0], log) == []


@settings(max_examples=60, deadline=None)
@given(streams(), seeds)
def test_ticks_in_between_change_nothing(events: list[Event], seed: int) -> None:
    end = end_of(events, 3_600_000)
    seldom, often = (run(events, seed, end, chance)[0] for chance in (0.0, 1.0))
    assert disagreements(seldom, often) == []


@settings(max_examples=60, deadline=None)
@given(streams(), seeds, st.integers(2, 5))
def test_partitions_are_a_union(events: list[Event], seed: int, partitions: int) -> None:
    end = end_of(events, 3_600_000)
    together = Log()
    seen: set[tuple[str, object]] = set()
    for part in split(events, partitions):
        log, reader = run(part, seed, end)
        assert differences(log, part, reader.state.frontier) == []
        together += [entry for entry in log if entry[0] not in SHARED]
        keys = {(topic, key) for topic, rows in content(log).items() if topic not in SHARED for key in rows}
        assert not seen & keys
        seen |= keys
    whole = [entry for entry in run(events, seed, end)[0] if entry[0] not in SHARED]
    assert disagreements(whole, together) == []


@settings(max_examples=60, deadline=None)
@given(streams(), seeds, st.sampled_from((1, 2, 7, 32)))
def test_the_number_of_buckets_changes_nothing(events: list[Event], seed: int, buckets: int) -> None:
    end = end_of(events, 3_600_000)
    random, log = Random(seed), Log()
    reader = Reader(records_of(events, random), log, buckets=buckets)
    reader.live(random)
    reader.settle(end)
    assert disagreements(run(events, seed, end)[0], log) == []
