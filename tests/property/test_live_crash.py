"""Crashes anywhere, checkpoints spread over ticks, replies lost: the final rows are the oracle's all the same."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.domain.partition import Partition
from processors.live.gate import OffsetGate
from processors.live.output import Output
from processors.live.owned import OwnedPartition
from processors.live.store import Store
from schemas.metrics import Metrics
from tests.oracle.fakes import FakeApp, FakeProducer, FakeTable
from tests.oracle.streams import Event, lines, streams
from tests.property.test_domain_harness import (
    DAY_MS,
    DERIVED,
    RULES,
    SETTLE_MS,
    TOPICS,
    Log,
    Records,
    differences,
    end_of,
    falls,
    received,
    records_of,
)

seeds = st.integers(0, 2**32)
ends = st.sampled_from((50_000, 1_800_000, 2 * DAY_MS))


class Worker:
    """A live worker of one partition that can be killed at any moment. `lives`: what each life said."""

    def __init__(self, records: Records, random: Random, interval_ms: int) -> None:
        self._records, self._random, self._interval_ms = records, random, interval_ms
        self.kafka: Log = []
        self.lives: list[Log] = []
        self.now = 0
        self._table = FakeTable()
        self._acknowledged: dict[str, int] = {}
        self._start()

    def _start(self) -> None:
        store = Store(self._table)
        loaded = store.load(0, 4)
        self._producer = FakeProducer()
        checkpoint = {t: min(b.offsets.get(t, -1) for b in loaded.buckets) for t in TOPICS}
        for topic, offset in self._acknowledged.items():
            assert offset <= checkpoint[topic], "acknowledged and not in a checkpoint"
        self._gate = OffsetGate({topic: offset + 1 for topic, offset in checkpoint.items()})
        state = Partition(0, loaded.buckets, RULES, self._ends(), step_times=loaded.step_times, minutes=loaded.minutes)
        state.remember(loaded.new_rows)
        self.owned = OwnedPartition(
            state,
            self._gate,
            store=store,
            output=Output(FakeApp(self._producer), "", 1, Metrics()),
            metrics=Metrics(),
            flush=self._table.flush,
            acknowledge=self._acknowledged.update,
            journal=(loaded.journal, loaded.next_journal),
            checkpoint_interval_ms=self._interval_ms,
        )

    def _ends(self) -> dict[str, int]:
        return {t: sum(1 for r in self._records[t] if received(r) <= self.now) for t in TOPICS}

    def readable(self) -> list[str]:
        ends = self._ends()
        return [topic for topic in TOPICS if self._gate.wanted(topic) < ends[topic]]

    def next_received(self) -> int | None:
        times = [received(record) for records in self._records.values() for record in records]
        return min((at for at in times if at > self.now), default=None)

    def read(self, topic: str) -> None:
        """Hand over the wanted record, or now and then one before or after it."""
        last = self._ends()[topic] - 1
        offset = self._random.choice((0, 0, 0, -1, 1)) + self._gate.wanted(topic)
        offset = min(max(offset, 0), last)
        self.owned.on_record(topic, offset, lines(self._records[topic][offset]))

    async def tick(self, turns: int = 50) -> None:
        """A tick, and `turns` turns of the loop for what it does in the background."""
        await self.owned.on_tick(self.now, self._ends())
        for _ in range(turns):
            await asyncio.sleep(0)

    def _take_down(self, delivered: Log) -> None:
        said = [(sent.topic, row) for sent in self._producer.sent for row in sent.value.split(b"\n")]
        self.lives.append([entry for entry in said if entry[0] in DERIVED])
        self.kafka += delivered

    async def crash(self) -> None:
        """Killed, and started from what Kafka has."""
        self.owned.abandon()
        await asyncio.sleep(0)
        delivered = self._producer.crashed(self._random)
        self._take_down([(s.topic, row) for s in delivered if s.topic in DERIVED for row in s.value.split(b"\n")])
        self._table = self._table.crashed(self._random)
        self._start()

    async def run(self, end: int, crashes: int) -> None:
        """Read everything as it is received, with up to `crashes` crashes, and let time pass to `end` (Unix ms)."""
        random = self._random
        while True:
            topics = self.readable()
            if topics and random.random() < 0.8:
                self.read(random.choice(topics))
            elif (at := self.next_received()) is not None:
                self.now = max(at, self.now + random.choice((0, 1000)))
            elif not topics:
                break
            if random.random() < 0.6:
                self.now += random.choice((0, 0, 1000))
                await self.tick(random.choice((0, 1, 2, 3, 4, 50)))
            if crashes and random.random() < 0.15:
                crashes -= 1
                await self.crash()
        self.now = max(self.now, end - 2 * SETTLE_MS)
        for at in (self.now, end - SETTLE_MS, end, *(end + n * SETTLE_MS for n in range(1, 6))):
            self.now = max(self.now, at)
            await self.tick()
        await self.owned.settle()
        self._take_down(
            [(s.topic, row) for s in self._producer.sent if s.topic in DERIVED for row in s.value.split(b"\n")]
        )


def run(events: list[Event], seed: int, end: int, *, crashes: int, interval_ms: int, replayed: bool = False) -> Worker:
    random = Random(seed)

    async def main() -> Worker:
        worker = Worker(records_of(events, random), random, interval_ms)
        worker.now = end - DAY_MS if replayed else 0
        await worker.run(end, crashes)
        return worker

    return asyncio.run(main())


@settings(max_examples=150, deadline=None)
@given(streams(), seeds, ends, st.integers(1, 4), st.sampled_from((0, 2000, 10_000)))
def test_crashes_change_nothing(events: list[Event], seed: int, after_ms: int, crashes: int, interval_ms: int) -> None:
    worker = run(events, seed, end_of(events, after_ms), crashes=crashes, interval_ms=interval_ms)
    assert differences(worker.kafka, events, worker.owned.state.frontier) == []


@settings(max_examples=80, deadline=None)
@given(streams(), seeds, st.integers(0, 3), st.sampled_from((0, 2000)))
def test_versions_never_fall_within_one_life(events: list[Event], seed: int, crashes: int, interval_ms: int) -> None:
    worker = run(events, seed, end_of(events, 1_800_000), crashes=crashes, interval_ms=interval_ms)
    assert [told for life in worker.lives for told in falls(life)] == []


@settings(max_examples=80, deadline=None)
@given(streams(days=True), seeds, st.integers(1, 3), st.sampled_from((0, 2000)))
def test_crashes_in_long_lives_change_nothing(events: list[Event], seed: int, crashes: int, interval_ms: int) -> None:
    worker = run(events, seed, end_of(events, 3 * DAY_MS), crashes=crashes, interval_ms=interval_ms)
    assert differences(worker.kafka, events, worker.owned.state.frontier) == []


@settings(max_examples=80, deadline=None)
@given(streams(days=True, repeats=False), seeds, st.integers(0, 3), st.sampled_from((0, 2000)))
def test_crashes_in_a_replay_change_nothing(events: list[Event], seed: int, crashes: int, interval_ms: int) -> None:
    end = end_of(events, 9 * DAY_MS)
    worker = run(events, seed, end, crashes=crashes, interval_ms=interval_ms, replayed=True)
    assert differences(worker.kafka, events, worker.owned.state.frontier) == []
