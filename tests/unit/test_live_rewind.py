"""Rewinding: pause, half a second later seek and resume, again until the gap has closed."""

from __future__ import annotations

from faust.types import TP

from processors.live.rewind import PATIENCE_S, PERIOD_S, SILENCE_S, Rewinder, Silence
from tests.oracle.fakes import FakeApp, FakeProducer

A, B = TP("clickstream", 0), TP("errors", 1)


class Consumer:
    """A consumer that writes down what it is told."""

    def __init__(self, *assigned: TP) -> None:
        self.assigned = set(assigned)
        self.calls: list[tuple[object, ...]] = []

    def assignment(self) -> set[TP]:
        return self.assigned

    def pause_partitions(self, tps: list[TP]) -> None:
        self.calls.append(("pause", *tps))

    def resume_partitions(self, tps: list[TP]) -> None:
        self.calls.append(("resume", *tps))

    async def seek(self, tp: TP, offset: int) -> None:
        self.calls.append(("seek", tp, offset))

    def taken(self) -> list[tuple[object, ...]]:
        """The calls since the last time."""
        calls, self.calls = self.calls, []
        return calls


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def make(*assigned: TP) -> tuple[Rewinder, Consumer, Clock]:
    consumer, clock = Consumer(*assigned), Clock()
    return Rewinder(FakeApp(FakeProducer(), consumer), clock), consumer, clock


async def test_a_gap_is_paused_then_sought_and_resumed() -> None:
    rewinder, consumer, clock = make(A)
    await rewinder.step([(A, 5)])
    assert consumer.taken() == [("pause", A)]
    clock.now += PERIOD_S
    await rewinder.step([(A, 5)])
    assert consumer.taken() == [("seek", A, 5), ("resume", A)]


async def test_a_rewind_is_given_time_and_then_tried_again() -> None:
    rewinder, consumer, clock = make(A)
    await rewinder.step([(A, 5)])
    await rewinder.step([(A, 5)])
    consumer.taken()
    clock.now += PATIENCE_S
    await rewinder.step([(A, 5)])
    assert consumer.taken() == []
    clock.now += 0.1
    await rewinder.step([(A, 5)])
    await rewinder.step([(A, 5)])
    assert consumer.taken() == [("pause", A), ("seek", A, 5), ("resume", A)]


async def test_a_gap_that_closed_is_forgotten() -> None:
    rewinder, consumer, _ = make(A)
    await rewinder.step([(A, 5)])
    await rewinder.step([(A, 5)])
    await rewinder.step([])
    consumer.taken()
    await rewinder.step([(A, 9)])
    assert consumer.taken() == [("pause", A)]  # a new gap: no waiting for the old one's patience


async def test_a_gap_that_closes_while_paused_is_resumed() -> None:
    rewinder, consumer, _ = make(A)
    await rewinder.step([(A, 5)])
    await rewinder.step([])
    assert consumer.taken() == [("pause", A), ("resume", A)]
    await rewinder.step([])
    assert consumer.taken() == []


async def test_partitions_are_rewound_each_on_its_own() -> None:
    rewinder, consumer, _ = make(A, B)
    await rewinder.step([(A, 5)])
    await rewinder.step([(A, 5), (B, 7)])
    assert consumer.taken() == [("pause", A), ("seek", A, 5), ("resume", A), ("pause", B)]


async def test_a_partition_that_went_elsewhere_is_left_alone() -> None:
    rewinder, consumer, _ = make()
    await rewinder.step([(A, 5)])
    assert consumer.taken() == []


async def test_a_partition_taken_away_while_paused_is_not_resumed() -> None:
    rewinder, consumer, _ = make(A)
    await rewinder.step([(A, 5)])
    consumer.assigned.clear()
    await rewinder.step([(A, 5)])
    assert [call for call in consumer.taken() if len(call) > 1] == [("pause", A)]


async def test_a_new_assignment_starts_afresh() -> None:
    rewinder, consumer, _ = make(A)
    await rewinder.step([(A, 5)])
    rewinder.forget()
    await rewinder.step([(A, 5)])
    assert consumer.taken() == [("pause", A), ("pause", A)]


def test_a_wanted_record_that_does_not_come_is_noticed_after_a_while() -> None:
    clock = Clock()
    silence = Silence(clock)
    assert not silence.holds(A, wanted=5, end=6)
    clock.now += SILENCE_S
    assert not silence.holds(A, wanted=5, end=6)
    clock.now += 0.1
    assert silence.holds(A, wanted=5, end=6)
    assert not silence.holds(A, wanted=6, end=8), "it came, and the next has its own time"


def test_a_log_read_to_its_end_is_no_silence() -> None:
    clock = Clock()
    silence = Silence(clock)
    silence.holds(A, wanted=5, end=5)
    clock.now += 10 * SILENCE_S
    assert not silence.holds(A, wanted=5, end=5)
    assert not silence.holds(A, wanted=5, end=6), "a new record has its own time"


def test_a_new_owner_waits_anew() -> None:
    clock = Clock()
    silence = Silence(clock)
    silence.holds(A, wanted=5, end=6)
    clock.now += 2 * SILENCE_S
    silence.forget()
    assert not silence.holds(A, wanted=5, end=6)


async def test_only_a_gap_that_a_seek_did_not_close_is_in_vain() -> None:
    rewinder, _, clock = make(A)
    assert not rewinder.in_vain(A)
    await rewinder.step([(A, 5)])
    clock.now += 10 * PATIENCE_S
    assert not rewinder.in_vain(A), "paused, not sought yet"
    await rewinder.step([(A, 5)])
    clock.now += PATIENCE_S
    assert not rewinder.in_vain(A), "the seek has its time"
    clock.now += 0.1
    assert rewinder.in_vain(A)
    await rewinder.step([])
    assert not rewinder.in_vain(A), "it closed"
