"""Micro-batches: what shares a record, what a request waits for, and what it costs meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from ingest.batcher import MAX_RECORD_BYTES, MAX_RECORD_LINES, AckError, Batcher, Done, Ticket
from ingest.budget import Budget


@dataclass
class FakeSink:
    """Keeps records until the test settles them."""

    records: list[tuple[str, int, bytes, int, Done]] = field(default_factory=list)

    def send(self, topic: str, partition: int, value: bytes, received_at_ms: int, done: Done) -> None:
        self.records.append((topic, partition, value, received_at_ms, done))

    def settle(self, index: int, error: AckError | None = None) -> None:
        self.records[index][4](error)


@dataclass
class Rig:
    sink: FakeSink
    budget: Budget
    batcher: Batcher
    timeouts: list[str]


def rig(linger_s: float = 60.0, ack_timeout_s: float = 60.0) -> Rig:
    sink, budget, timeouts = FakeSink(), Budget(10**9), list[str]()
    batcher = Batcher(sink, budget, linger_s=linger_s, ack_timeout_s=ack_timeout_s, timed_out=timeouts.append)
    return Rig(sink, budget, batcher, timeouts)


async def settled(waiting: asyncio.Task[None]) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return waiting.done()


async def test_lines_of_one_topic_and_partition_share_a_record() -> None:
    r = rig()
    for topic, partition, line, received in [
        ("a", 0, b"1", 5),
        ("a", 1, b"2", 6),
        ("a", 0, b"3", 4),
        ("b", 0, b"4", 7),
    ]:
        r.batcher.add(topic, partition, (line,), received, Ticket())
    assert not r.sink.records
    r.batcher.flush()
    assert [record[:4] for record in r.sink.records] == [("a", 0, b"1\n3", 5), ("a", 1, b"2", 6), ("b", 0, b"4", 7)]


async def test_the_linger_sends_by_itself() -> None:
    r = rig(linger_s=0)
    r.batcher.add("a", 0, (b"1",), 0, Ticket())
    for _ in range(3):  # a timer of no delay, and the loop turning
        await asyncio.sleep(0)
    assert r.sink.records[0][2] == b"1"


@pytest.mark.parametrize(("line", "count"), [(b"x", MAX_RECORD_LINES), (b"x" * (MAX_RECORD_BYTES // 4), 4)])
async def test_a_full_record_goes_at_once(line: bytes, count: int) -> None:
    r = rig()
    for _ in range(count):
        r.batcher.add("a", 0, (line,), 0, Ticket())
    assert [record[2] for record in r.sink.records] == [b"\n".join([line] * count)]
    r.batcher.flush()
    assert len(r.sink.records) == 1


@pytest.mark.parametrize("line", [b"x", b"x" * (MAX_RECORD_BYTES // 4)])
async def test_lines_that_come_together_are_split_where_a_record_is_full(line: bytes) -> None:
    together, alone = rig(), rig()
    count = MAX_RECORD_LINES + 7
    ticket = Ticket()
    together.batcher.add("a", 0, [b"first"], 0, Ticket())
    together.batcher.add("a", 0, [line] * count, 5, ticket)
    alone.batcher.add("a", 0, [b"first"], 0, Ticket())
    for _ in range(count):
        alone.batcher.add("a", 0, [line], 5, Ticket())
    for r in (together, alone):
        r.batcher.flush()
    assert [record[:4] for record in together.sink.records] == [record[:4] for record in alone.sink.records]
    assert together.budget.used_bytes == alone.budget.used_bytes
    assert ticket.waiting == len(together.sink.records)


async def test_a_request_waits_for_all_of_its_records() -> None:
    r = rig()
    ticket, other = Ticket(), Ticket()
    r.batcher.add("a", 0, (b"1",), 0, ticket)
    r.batcher.add("a", 1, (b"2",), 0, ticket)
    r.batcher.add("a", 1, (b"3",), 0, other)
    r.batcher.flush()
    waiting, other_waiting = (asyncio.ensure_future(t.acknowledged()) for t in (ticket, other))
    r.sink.settle(1)
    assert await settled(other_waiting)
    assert not await settled(waiting)
    r.sink.settle(0)
    assert await settled(waiting)
    await waiting


async def test_one_failed_record_fails_the_request() -> None:
    r = rig()
    ticket = Ticket()
    r.batcher.add("a", 0, (b"1",), 0, ticket)
    r.batcher.add("a", 1, (b"2",), 0, ticket)
    r.batcher.flush()
    r.sink.settle(0, AckError("broker gone"))
    with pytest.raises(AckError, match="broker gone"):
        await ticket.acknowledged()
    r.sink.settle(1)


async def test_nothing_to_wait_for_is_acknowledged() -> None:
    await Ticket().acknowledged()


async def test_a_record_without_an_answer_fails_in_time_but_holds_its_bytes() -> None:
    r = rig(ack_timeout_s=0.01)
    ticket = Ticket()
    r.batcher.add("a", 0, (b"1234",), 0, ticket)
    r.batcher.flush()
    with pytest.raises(AckError, match="no acknowledgement"):
        await ticket.acknowledged()
    assert r.timeouts == ["no acknowledgement within 0.01 s"]
    assert r.budget.used_bytes == 5
    r.sink.settle(0)
    assert r.budget.used_bytes == 0


async def test_bytes_are_held_until_the_sink_is_done() -> None:
    r = rig()
    r.batcher.add("a", 0, (b"12",), 0, Ticket())
    r.batcher.add("a", 1, (b"345",), 0, Ticket())
    assert r.budget.used_bytes == 7
    r.batcher.flush()
    assert r.budget.used_bytes == 7
    r.sink.settle(1, AckError("no"))
    r.sink.settle(0)
    assert r.budget.used_bytes == 0


async def test_draining_sends_and_waits() -> None:
    r = rig()
    r.batcher.add("a", 0, (b"1",), 0, Ticket())
    draining = asyncio.ensure_future(r.batcher.drain())
    assert not await settled(draining)
    r.sink.settle(0)
    assert await settled(draining)


async def test_a_third_round_waits_for_an_earlier_one_and_grows_meanwhile() -> None:
    r = rig(linger_s=0)
    for line in (b"1", b"2"):
        r.batcher.add("a", 0, (line,), 0, Ticket())
        r.batcher.flush()
    r.batcher.add("a", 0, (b"3",), 0, Ticket())
    for _ in range(3):
        await asyncio.sleep(0)
    r.batcher.add("a", 0, (b"4",), 0, Ticket())
    assert len(r.sink.records) == 2
    r.sink.settle(0)
    assert [record[2] for record in r.sink.records] == [b"1", b"2", b"3\n4"]


@pytest.mark.parametrize(("partitions", "lines", "goes"), [(8, 1, True), (9, 1, False), (9, 15, False), (9, 16, True)])
async def test_a_second_round_goes_out_beside_a_first_unless_it_is_many_small_records(
    partitions: int, lines: int, *, goes: bool
) -> None:
    r = rig(linger_s=0)
    r.batcher.add("b", 0, (b"first",), 0, Ticket())
    r.batcher.flush()
    for partition in range(partitions):
        for _ in range(lines):
            r.batcher.add("a", partition, (b"x",), 0, Ticket())
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(r.sink.records) == (1 + partitions if goes else 1)
    r.sink.settle(0)
    assert len(r.sink.records) == 1 + partitions
