"""What goes together to which broker, and what Kafka's answers mean."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingest import kafka_sink
from ingest.batcher import AckError, RefusedError
from ingest.broker import Address, BrokerError, Slot
from ingest.kafka_sink import KafkaSink
from ingest.kafka_watch import Layout
from schemas.settings import KafkaSettings

ONE: Address = ("one", 9092)
OTHER: Address = ("other", 9092)
NOT_LEADER, TOO_LARGE = 6, 10


@dataclass
class FakeWatch:
    """Sees what the test says it sees."""

    seen: Callable[[float, Layout], None]
    missed: Callable[[str], None]
    stopped: bool = False

    def start(self) -> None:
        pass

    def stop(self) -> None:
        self.stopped = True

    def join(self, _timeout_s: float) -> None:
        pass


@dataclass
class FakeBroker:
    """Answers when the test says so."""

    address: Address
    rounds: list[list[Slot]] = field(default_factory=list)
    answers: list[asyncio.Future[dict[Slot, int]]] = field(default_factory=list)
    closed: bool = False
    unreachable: str = ""

    async def connect(self) -> None:
        if self.unreachable:
            raise BrokerError(self.unreachable)

    async def produce(self, round_: Mapping[Slot, bytes]) -> dict[Slot, int]:
        self.rounds.append(list(round_))
        self.answers.append(asyncio.get_running_loop().create_future())
        return await self.answers[-1]

    def close(self) -> None:
        self.closed = True


@dataclass
class Rig:
    sink: KafkaSink
    watch: FakeWatch
    brokers: dict[Address, FakeBroker]
    outcomes: dict[Any, AckError | None] = field(default_factory=dict)

    def send(self, name: Any, topic: str, partition: int, value: bytes = b"x") -> None:
        self.sink.send(topic, partition, value, 0, lambda error: self.outcomes.__setitem__(name, error))

    async def see(self, leaders: dict[Slot, Address], partitions: int = 2) -> None:
        self.watch.seen(time.monotonic(), Layout(partitions, leaders))
        await turns()


async def turns() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Rig]:
    def make() -> Rig:
        watches: list[FakeWatch] = []
        brokers: dict[Address, FakeBroker] = {}

        def watch(_settings: Any, _topics: Any, *, seen: Any, missed: Any) -> FakeWatch:
            watches.append(FakeWatch(seen, missed))
            return watches[-1]

        def broker(address: Address, **_: Any) -> FakeBroker:
            return brokers.setdefault(address, FakeBroker(address))

        monkeypatch.setattr(kafka_sink, "KafkaWatch", watch)
        monkeypatch.setattr(kafka_sink, "Broker", broker)
        sink = KafkaSink(KafkaSettings(partitions=2), ack_timeout_s=1)
        sink.start()
        return Rig(sink, watches[0], brokers)

    return make


LEADERS: dict[Slot, Address] = {
    ("clickstream", 0): ONE,
    ("clickstream", 1): OTHER,
    ("errors", 0): ONE,
    ("errors", 1): ONE,
}


async def test_what_one_turn_sends_is_one_request_a_leader(rig: Callable[[], Rig]) -> None:
    r = rig()
    await r.see(LEADERS)
    assert r.sink.up
    for topic, partition in LEADERS:
        r.send((topic, partition), topic, partition)
    assert not any(broker.rounds for broker in r.brokers.values())
    await turns()
    assert r.brokers[ONE].rounds == [[("clickstream", 0), ("errors", 0), ("errors", 1)]]
    assert r.brokers[OTHER].rounds == [[("clickstream", 1)]]
    assert not r.outcomes
    r.brokers[OTHER].answers[0].set_result({("clickstream", 1): 0})
    await turns()
    assert r.outcomes == {("clickstream", 1): None}


async def test_records_of_one_partition_go_in_their_order(rig: Callable[[], Rig]) -> None:
    r = rig()
    await r.see(LEADERS)
    for number in range(3):
        r.send(number, "clickstream", 0)
    r.send("other", "errors", 0)
    await turns()
    assert r.brokers[ONE].rounds == [[("clickstream", 0)], [("clickstream", 0)], [("clickstream", 0), ("errors", 0)]]
    for answer in r.brokers[ONE].answers[1:]:
        answer.set_result({("clickstream", 0): 0, ("errors", 0): 0})
    await turns()
    assert set(r.outcomes) == {1, 2, "other"}


async def test_a_request_stays_within_its_bound(rig: Callable[[], Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_sink, "_MAX_ROUND_BYTES", 10)
    r = rig()
    await r.see(LEADERS)
    for name, topic, partition, size in (("a", "clickstream", 0, 6), ("b", "errors", 0, 4), ("c", "errors", 1, 30)):
        r.send(name, topic, partition, b"x" * size)
    await turns()
    assert r.brokers[ONE].rounds == [[("clickstream", 0), ("errors", 0)], [("errors", 1)]]


async def test_a_refused_record_harms_neither_its_neighbours_nor_kafka_s_name(rig: Callable[[], Rig]) -> None:
    r = rig()
    await r.see(LEADERS)
    r.send("good", "clickstream", 0)
    r.send("large", "errors", 0)
    await turns()
    r.brokers[ONE].answers[0].set_result({("clickstream", 0): 0, ("errors", 0): TOO_LARGE})
    await turns()
    assert r.outcomes["good"] is None
    assert isinstance(r.outcomes["large"], RefusedError)
    assert r.sink.up


@pytest.mark.parametrize("answer", [{("clickstream", 0): NOT_LEADER}, {}, BrokerError("one:9092: hung up")])
async def test_any_other_failure_is_kafka_s_until_a_later_look(rig: Callable[[], Rig], answer: Any) -> None:
    r = rig()
    changes: list[bool] = []
    await r.see(LEADERS)
    r.sink.on_change = lambda: changes.append(r.sink.up)
    began_at = time.monotonic()
    r.send("a", "clickstream", 0)
    await turns()
    if isinstance(answer, Exception):
        r.brokers[ONE].answers[0].set_exception(answer)
    else:
        r.brokers[ONE].answers[0].set_result(answer)
    await turns()
    assert isinstance(r.outcomes["a"], AckError)
    assert not isinstance(r.outcomes["a"], RefusedError)
    assert r.sink.reason == str(r.outcomes["a"])
    r.watch.seen(began_at, Layout(2, LEADERS))
    await turns()
    assert changes == [False]
    await r.see({("clickstream", 0): OTHER})
    assert changes == [False, True]
    r.send("b", "clickstream", 0)
    await turns()
    assert r.brokers[OTHER].rounds == [[("clickstream", 0)]]


async def test_kafka_is_up_when_its_leaders_can_be_reached(rig: Callable[[], Rig]) -> None:
    """A broker may tell of addresses that mean nothing here."""
    r = rig()
    changes: list[bool] = []
    r.sink.on_change = lambda: changes.append(r.sink.up)
    r.brokers[OTHER] = FakeBroker(OTHER, unreachable="other:9092: no such host")
    await r.see(LEADERS)
    assert (r.sink.up, r.sink.reason, changes) == (False, "other:9092: no such host", [])
    r.brokers[OTHER].unreachable = ""
    await r.see(LEADERS)
    assert (r.sink.up, r.sink.reason, changes) == (True, "", [True])


async def test_a_partition_without_leader_waits_and_a_topic_of_another_version_does_not(rig: Callable[[], Rig]) -> None:
    r = rig()
    await r.see(LEADERS)
    r.send("later", "clickstream", 7)
    r.send("never", "clickstream_of_old", 0)
    await turns()
    assert isinstance(r.outcomes["never"], RefusedError)
    assert not isinstance(r.outcomes["later"], RefusedError)
    assert "partition 7 of clickstream has no leader" in str(r.outcomes["later"])
    assert not r.sink.up


async def test_what_was_collected_goes_out_before_the_partitions_change(rig: Callable[[], Rig]) -> None:
    r = rig()
    await r.see(LEADERS)
    seen: list[int] = []
    r.sink.before_relayout = lambda: (seen.append(r.sink.partitions), r.send("old", "clickstream", 0))  # type: ignore[func-returns-value,assignment]
    await r.see({("clickstream", 0): OTHER}, partitions=1)
    assert (seen, r.sink.partitions) == ([2], 1)
    assert r.brokers[ONE].rounds == [[("clickstream", 0)]]


async def test_closing_waits_for_answers_and_no_longer_than_told(rig: Callable[[], Rig]) -> None:
    r = rig()
    await r.see(LEADERS)
    r.send("a", "clickstream", 0)
    closing = asyncio.ensure_future(r.sink.close(60))
    await turns()
    assert not closing.done()
    r.brokers[ONE].answers[0].set_result({("clickstream", 0): 0})
    await closing
    assert r.outcomes == {"a": None}
    assert r.brokers[ONE].closed
    assert r.watch.stopped
    late = rig()
    await late.see(LEADERS)
    late.send("a", "clickstream", 0)
    await late.sink.close(0.01)
    assert late.brokers[ONE].closed
