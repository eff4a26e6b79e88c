"""Kafka or spool: who is asked, who answers, and what the drain sends. The spool is real; Kafka does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from ingest.batcher import AckError, Done, RefusedError
from ingest.budget import Budget
from ingest.delivery import Delivery
from ingest.spool import Record, Spool
from ingest.spool.drain import Drain, merge, repartitioned
from ingest.spool.quarantine import Refused
from schemas.event import Event, partition_key
from schemas.metrics import Metrics
from schemas.topics import partition_of
from tests.support.wait import until

MIB = 1024 * 1024
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@dataclass
class FakeKafka:
    """Keeps what it is sent until the test settles it, or, `answering`, acknowledges by itself."""

    up: bool = True
    reason: str = ""
    partitions: int = 4
    answering: bool = False
    largest_bytes: int = MIB
    stored: list[bytes] = field(default_factory=list)
    sent: list[tuple[str, int, bytes, int, Done]] = field(default_factory=list)
    on_change: Callable[[], None] = lambda: None

    def send(self, topic: str, partition: int, value: bytes, received_at_ms: int, done: Done) -> None:
        self.sent.append((topic, partition, value, received_at_ms, done))
        if self.answering:
            refused = len(value) > self.largest_bytes
            asyncio.get_running_loop().call_soon(done, RefusedError("too large") if refused else None)
            if not refused:
                self.stored.append(value)

    def mark_down(self, reason: str) -> None:
        if self.up:
            self.up, self.reason = False, reason
            self.on_change()

    def come_back(self) -> None:
        self.up, self.reason = True, ""
        self.on_change()

    def values(self) -> list[bytes]:
        return [value for _, _, value, _, _ in self.sent]


@dataclass
class Rig:
    kafka: FakeKafka
    spool: Spool
    budget: Budget
    delivery: Delivery
    outcomes: list[AckError | None] = field(default_factory=list)
    drain: asyncio.Task[None] | None = None
    quarantined: list[int] = field(default_factory=list)

    def send(self, value: bytes = b"1") -> None:
        self.delivery.send("t_clickstream", 0, value, 5, self.outcomes.append)

    def start_drain(self) -> None:
        drain = Drain(
            self.spool,
            self.kafka,
            self.kafka,
            topic_prefix="t_",
            is_in_kafka=self.delivery.is_in_kafka,
            drained=self.delivery.drained,
            quarantined=self.quarantined.append,
        )
        self.drain = asyncio.get_running_loop().create_task(drain.run())


@pytest.fixture
async def rigs(tmp_path: Path) -> AsyncIterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(*, up: bool = True, spool_after_s: float = 60.0, max_bytes: int = MIB) -> Rig:
        kafka, budget = FakeKafka(), Budget(10**9)
        spool = Spool(tmp_path / "spool", max_bytes=max_bytes)
        delivery = Delivery(kafka, spool, budget, Metrics(), topic_prefix="t_", spool_after_s=spool_after_s)
        spool.open()
        kafka.up = not up
        kafka.come_back() if up else kafka.mark_down("away")
        made.append(Rig(kafka, spool, budget, delivery))
        return made[-1]

    yield make
    for one in made:
        if one.drain is not None:
            one.drain.cancel()
        await one.spool.close(10)


async def test_while_kafka_is_up_it_alone_is_asked(rigs: Callable[..., Rig]) -> None:
    r = rigs()
    r.send()
    assert r.outcomes == []
    r.kafka.sent[0][4](None)
    assert r.outcomes == [None]
    assert r.spool.backlog_bytes == 0


async def test_while_kafka_is_down_the_spool_answers_and_kafka_is_not_asked(rigs: Callable[..., Rig]) -> None:
    r = rigs(up=False)
    assert r.delivery.accepts()
    r.send()
    await until(lambda: r.outcomes == [None])
    assert r.kafka.sent == []
    assert r.spool.backlog_bytes > 0


async def test_an_acknowledgement_that_does_not_come_opens_the_breaker_and_the_spool_answers(
    rigs: Callable[..., Rig],
) -> None:
    r = rigs(spool_after_s=0.01)
    r.send(b"1")
    r.send(b"2")
    await until(lambda: r.outcomes == [None, None])
    assert "no acknowledgement within 0.01 s" in r.kafka.reason
    assert r.budget.used_bytes == 2  # the producer still holds both
    r.send(b"3")
    await until(lambda: len(r.outcomes) == 3)
    assert len(r.kafka.sent) == 2
    r.kafka.sent[0][4](None)
    r.kafka.sent[1][4](AckError("gone"))
    assert r.outcomes == [None, None, None]
    assert r.budget.used_bytes == 0


async def test_what_kafka_owes_goes_to_the_spool_as_soon_as_kafka_is_known_to_be_down(rigs: Callable[..., Rig]) -> None:
    r = rigs()
    r.send()
    r.kafka.mark_down("probe failed")
    await until(lambda: r.outcomes == [None])


async def test_a_failed_record_goes_to_the_spool(rigs: Callable[..., Rig]) -> None:
    r = rigs()
    r.send()
    r.kafka.sent[0][4](AckError("not enough replicas"))
    await until(lambda: r.outcomes == [None])
    assert r.spool.backlog_bytes > 0


async def test_kafka_may_be_first_after_all(rigs: Callable[..., Rig]) -> None:
    r = rigs()
    r.send()
    r.kafka.mark_down("slow")
    r.kafka.sent[0][4](None)  # before the spool's answer has come
    assert r.outcomes == [None]
    await until(lambda: not r.spool._appending)
    assert r.outcomes == [None]


async def test_only_when_both_fail_it_fails(rigs: Callable[..., Rig], tmp_path: Path) -> None:
    r = rigs()
    (tmp_path / "spool" / "0" / "000000000001.seg").mkdir()
    r.send()
    r.kafka.mark_down("away")
    await until(lambda: r.spool.error != "")
    assert r.outcomes == []
    r.kafka.sent[0][4](AckError("gone"))
    assert "File exists" in str(r.outcomes[0])
    assert "gone" in str(r.outcomes[0])


async def test_a_full_spool_is_said_before_a_body_is_read_and_kept_for_those_who_send_once(
    rigs: Callable[..., Rig],
) -> None:
    r = rigs(up=False)
    while r.delivery.accepts():
        r.outcomes.clear()
        r.send(b"x" * 10_000)
        await until(lambda: bool(r.outcomes))
    assert r.outcomes == [None]
    assert r.delivery.accepts(once_only=True)
    assert "bytes are used" in r.delivery.refusal
    r.send(b"x" * MIB)
    assert isinstance(r.outcomes[-1], AckError)
    assert r.spool.used_bytes <= MIB


async def test_with_a_full_spool_and_kafka_back_new_records_pass_the_old_ones(rigs: Callable[..., Rig]) -> None:
    r = rigs(up=False)
    r.send(b"x" * (MIB - 100))
    await until(lambda: r.outcomes == [None])
    r.kafka.come_back()
    r.send(b"new" * 100)
    assert r.kafka.values() == [b"new" * 100]


async def test_the_drain_empties_the_spool_in_order_and_closes_the_breaker(rigs: Callable[..., Rig]) -> None:
    r = rigs(up=False, max_bytes=16 * MIB)
    large = [b"%d" % i + b"x" * 150_000 for i in range(20)]
    for value in large:
        r.send(value)
    await until(lambda: len(r.outcomes) == 20)
    r.start_drain()
    r.kafka.answering = True
    r.kafka.up = True
    r.kafka.on_change()
    r.send(b"behind them")
    await until(lambda: r.spool.backlog_bytes == 0)
    assert b"\n".join(r.kafka.values()).split(b"\n") == [*large, b"behind them"]
    assert len(r.kafka.sent) < 10  # neighbours share records
    assert {sent[:2] for sent in r.kafka.sent} == {("t_clickstream", 0)}
    before = len(r.kafka.sent)
    r.send(b"direct")
    assert r.kafka.values()[before:] == [b"direct"]


async def test_a_step_that_fails_is_sent_again_whole(rigs: Callable[..., Rig]) -> None:
    r = rigs(up=False)
    r.send(b"1")
    await until(lambda: r.outcomes == [None])
    r.start_drain()
    r.kafka.come_back()
    await until(lambda: len(r.kafka.sent) == 1)
    r.kafka.sent[0][4](AckError("gone again"))
    assert r.spool.backlog_bytes > 0
    await until(lambda: len(r.kafka.sent) == 2)
    r.kafka.sent[1][4](None)
    await until(lambda: r.spool.backlog_bytes == 0)
    assert r.kafka.values() == [b"1", b"1"]


async def test_a_record_that_fails_is_not_overtaken_by_its_partitions_next_one(rigs: Callable[..., Rig]) -> None:
    r = rigs(up=False)
    first, second = b"1" * 300_000, b"2" * 300_000
    r.send(first)
    r.send(second)
    r.delivery.send("t_clickstream", 1, b"of another partition", 5, r.outcomes.append)
    await until(lambda: r.outcomes == [None] * 3)
    r.start_drain()
    r.kafka.come_back()
    other = b"of another partition"
    await until(lambda: r.kafka.values() == [first, other])
    r.kafka.sent[1][4](None)
    r.kafka.sent[0][4](AckError("the leader moved"))
    await until(lambda: r.kafka.values() == [first, other] * 2)
    r.kafka.answering = True
    for sent in r.kafka.sent[2:]:
        sent[4](None)
    await until(lambda: r.spool.backlog_bytes == 0)
    assert r.kafka.values() == [*[first, other] * 2, second]


@pytest.mark.parametrize("direct", [True, False])
async def test_what_kafka_refuses_for_good_goes_to_quarantine_and_the_rest_goes_on(
    direct: bool, rigs: Callable[..., Rig]
) -> None:
    r = rigs(up=direct)
    r.kafka.answering = True
    r.kafka.largest_bytes = 40
    r.start_drain()
    lines = [b"%02d" % n for n in range(30)]
    lines[7] = b"seven " * 10
    r.send(b"\n".join(lines))
    r.send(b"30")
    await until(lambda: r.outcomes == [None, None])
    if not direct:
        r.kafka.come_back()
    await until(lambda: r.spool.backlog_bytes == 0)
    stored = b"\n".join(r.kafka.stored).split(b"\n")
    assert [line for line in stored if line != b"30"] == [line for line in lines if len(line) < 40]
    assert stored.count(b"30") == 1
    quarantine = r.spool.quarantine
    assert (quarantine.events, quarantine.reason, r.quarantined) == (1, "too large", [1])
    assert b"seven seven" in quarantine.path.read_bytes()
    assert r.kafka.up


async def test_with_a_full_quarantine_what_kafka_refuses_is_not_taken_and_all_else_is(rigs: Callable[..., Rig]) -> None:
    r = rigs()
    r.kafka.answering = True
    r.kafka.largest_bytes = 40
    await r.spool.quarantine.keep([Refused(Record("clickstream", 0, 4, 5, b"x" * MIB), "too large")])
    r.start_drain()
    r.send(b"x" * 60)
    r.send(b"small")
    await until(lambda: len(r.outcomes) == 2)
    assert [type(outcome) for outcome in r.outcomes] == [AckError, type(None)]
    assert "too large; the spool is full" in str(r.outcomes[0])
    assert r.kafka.stored == [b"small"]


async def test_what_kafka_acknowledged_late_is_not_sent_again(rigs: Callable[..., Rig]) -> None:
    r = rigs()
    for value in (b"late", b"lost", b"open"):
        r.send(value)
    r.kafka.mark_down("slow")
    await until(lambda: r.outcomes == [None] * 3)
    late, lost, undecided = (sent[4] for sent in r.kafka.sent)
    late(None)
    lost(AckError("gone"))
    r.start_drain()
    r.kafka.answering = True
    r.kafka.come_back()
    undecided(None)
    await until(lambda: r.spool.backlog_bytes == 0)
    assert r.kafka.values() == [b"late", b"lost", b"open", b"lost"]


def event(visitor: str) -> Event:
    return Event(
        event_id=f"e-{visitor}",
        site="s",
        kind="clickstream",
        type="click",
        ts=NOON,
        received_at=NOON,
        visitor_id=visitor,
    )


encoded = msgspec.json.encode


def raw(partition: int, partitions: int, events: list[Event]) -> Record:
    return Record("clickstream", partition, partitions, 5, b"\n".join(map(encoded, events)))


def test_records_taken_for_another_number_of_partitions_are_taken_apart() -> None:
    events = [event(f"v{i}") for i in range(50)]
    by_eight: dict[int, list[Event]] = {}
    for one in events:
        by_eight.setdefault(partition_of(partition_key(one), 8), []).append(one)
    kept = [raw(partition, 8, own) for partition, own in by_eight.items()]
    found = list(repartitioned(kept, 3))
    assert sorted(line for record in found for line in record.value.split(b"\n")) == sorted(map(encoded, events))
    for record in found:
        assert (record.partitions, record.received_at_ms) == (3, 5)
        for one in events:
            if encoded(one) in record.value:
                assert record.partition == partition_of(partition_key(one), 3)
    assert list(repartitioned(kept, 8)) == kept
    mislabelled = [record._replace(partitions=3) for record in kept]
    beyond = [record for record in repartitioned(mislabelled, 3) if record not in mislabelled]
    assert sum(record.value.count(b"\n") + 1 for record in beyond) == sum(len(by_eight[p]) for p in by_eight if p > 2)
    assert {record.partition for record in beyond} <= {0, 1, 2}
    (other,) = repartitioned([Record("errors", 0, 8, 5, b'{"of": "another version"}')], 1)
    assert other == Record("errors", 0, 1, 5, b'{"of": "another version"}')
    (rejected,) = repartitioned([Record("rejected", 7, 8, 5, b"{}\n{}")], 3)
    assert rejected == Record("rejected", 1, 3, 5, b"{}\n{}")
    (erasure,) = repartitioned([Record("erasures", 0, 8, 5, b"{}")], 3)
    assert erasure == Record("erasures", 0, 3, 5, b"{}")


def test_merged_records_keep_the_order_of_each_partition_and_the_bounds() -> None:
    kept = [Record("errors", i % 3, 4, i, b"%d" % i) for i in range(100)]
    kept += [Record("errors", 0, 4, 7, b"x" * 300_000)] * 2 + [Record("errors", 1, 4, 7, b"\n" * 499)] * 2
    merged = list(merge(kept))
    assert max(len(record.value) for record in merged) <= 512 * 1024
    for partition in range(3):
        own = b"\n".join(record.value for record in kept if record.partition == partition)
        assert b"\n".join(record.value for record in merged if record.partition == partition) == own
    assert max(record.received_at_ms for record in merged) == 99
