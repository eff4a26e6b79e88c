"""Records and ticks that meet in one worker: who loads a partition, and what becomes of records of others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from processors.live.app import create_app
from processors.live.store import Store
from processors.live.tick import Tick, encode_tick
from processors.live.worker import LiveWorker
from schemas import topics
from schemas.metrics import Metrics
from schemas.settings import Settings
from tests.oracle.fakes import FakeApp, FakeEvent, FakeProducer, FakeTable, Message

EVENT = (
    b'{"event_id":"%d","site":"s","kind":"clickstream","type":"click","ts":"2026-11-30T12:00:00Z",'
    b'"received_at":"2026-11-30T12:00:00Z","visitor_id":"v"}'
)


class FakeConsumer:
    """A consumer of `tps`. Asking for offsets waits for `answer`; `asked` counts how often."""

    def __init__(self, *tps: TP) -> None:
        self.tps = set(tps)
        self.answer = asyncio.Event()
        self.asked = 0
        self.acknowledged: dict[TP, int] = {}

    def assignment(self) -> set[TP]:
        return self.tps

    def highwater(self, tp: TP) -> int:
        return 1

    async def earliest_offsets(self, *tps: TP) -> dict[TP, int]:
        self.asked += 1
        await self.answer.wait()
        return dict.fromkeys(tps, 0)

    async def highwaters(self, *tps: TP) -> dict[TP, int]:
        return dict.fromkeys(tps, 0)

    def acknowledge(self, tp: TP, offset: int) -> None:
        self.acknowledged[tp] = offset


class Rig:
    """A worker of the partitions `numbers` without Kafka."""

    def __init__(self, tmp_path: Path, *numbers: int) -> None:
        _, self.worker = create_app(Settings(), Metrics(), tmp_path)
        prefix = Settings().kafka.topic_prefix
        self.names = {topic.name: topic.full_name(prefix) for topic in (*topics.RAW, topics.TICKS)}
        self.consumer = FakeConsumer(*(TP(name, n) for name in self.names.values() for n in numbers))
        app: Any = FakeApp(FakeProducer(), self.consumer)
        app.producer.flush = self._nothing
        self.worker._app, self.worker._store = app, Store(FakeTable())

    async def _nothing(self) -> None: ...

    def record(self, number: int, offset: int = 0) -> Any:
        return self.worker.take(self.tp(number), [SimpleNamespace(offset=offset, value=EVENT % offset)])

    def tp(self, number: int) -> TP:
        return TP(self.names[topics.CLICKSTREAM.name], number)

    def tick(self, number: int) -> Any:
        message = Message(0, self.names[topics.TICKS.name], number)
        return self.worker.on_tick(FakeEvent(encode_tick(Tick(at=1_800_000_000_000)), message))


def visitors(worker: LiveWorker) -> dict[int, int]:
    return {number: owned.state.visitors() for number, owned in worker._owned.items()}


async def test_a_record_and_a_tick_that_come_together_load_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, 0, 1)
    both = asyncio.gather(rig.record(0), rig.tick(1), rig.record(1))
    await asyncio.sleep(0)
    rig.consumer.answer.set()
    await both
    assert rig.consumer.asked == 1
    assert visitors(rig.worker) == {0: 1, 1: 1}
    assert [number for number, owned in rig.worker._owned.items() if owned.ticked] == [1]


async def test_records_of_a_partition_that_was_taken_away_are_left_to_its_new_owner(tmp_path: Path) -> None:
    rig = Rig(tmp_path, 0)
    rig.consumer.answer.set()
    await rig.record(1)
    assert visitors(rig.worker) == {}


async def test_what_is_loaded_while_partitions_change_hands_is_not_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path, 0)
    taking = asyncio.create_task(rig.record(0))
    await asyncio.sleep(0)
    rig.worker.forget()
    rig.consumer.answer.set()
    await taking
    assert visitors(rig.worker) == {}
    await rig.record(0)
    assert visitors(rig.worker) == {0: 1}


async def test_only_the_wanted_record_is_applied(tmp_path: Path) -> None:
    rig = Rig(tmp_path, 0)
    rig.consumer.answer.set()
    for offset in (1, 0, 0, 1, 3, 2):
        await rig.record(0, offset)
    (owned,) = rig.worker._owned.values()
    assert owned.gate.wanted(topics.CLICKSTREAM.name) == 3


@pytest.mark.parametrize("checkpoint", [None, 6])
async def test_a_loaded_checkpoint_is_acknowledged(tmp_path: Path, checkpoint: int | None) -> None:
    """A crash between a checkpoint and the commit would leave the group behind for as long as nothing comes."""
    rig = Rig(tmp_path, 0)
    rig.consumer.answer.set()
    if checkpoint is not None:
        await rig.record(0)
        (owned,) = rig.worker._owned.values()
        for index in range(len(owned.state.buckets)):
            blob = owned.state.dump(index, {topics.CLICKSTREAM.name: checkpoint})
            rig.worker._store.save_bucket(0, index, blob)
        rig.worker.forget()
    await rig.record(0)
    assert rig.consumer.acknowledged == ({} if checkpoint is None else {rig.tp(0): checkpoint + 1})
