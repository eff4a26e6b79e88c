"""The alert agent's glue: alerts before state, state before acknowledgements, and the clock of a silent site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import orjson
import pytest
from faust.types import TP

from processors.domain.alerts.site import load
from processors.live.alert_agent import AlertAgent
from processors.live.output import Output
from processors.live.tick import Frontiers, encode_frontiers
from schemas.alert_rule import load_alert_rules
from schemas.event import to_ms
from schemas.metrics import Metrics
from schemas.rows import MinuteMetrics, StepCount
from tests.oracle.fakes import FakeApp, FakeEvent, FakeProducer, FakeTable, Message

START = datetime(2026, 11, 23, tzinfo=UTC)
PARTITIONS = 2
RIPE_S = 120.0


class Consumer:
    def assignment(self) -> set[TP]:
        return {TP("metrics", 0)}


class Producer(FakeProducer):
    """A producer that flushes the table's changelog too, as Faust's does."""

    table: FakeTable

    async def flush(self) -> None:
        await self.table.flush()


class Agent:
    """An agent on fakes; `events` are all records it was given."""

    def __init__(self, table: FakeTable | None = None) -> None:
        self.table = table or FakeTable()
        self.producer = Producer(trace=self.table.trace)
        self.producer.table = self.table
        app = FakeApp(self.producer, Consumer())
        output = Output(app, "", PARTITIONS, Metrics())
        self.agent = AlertAgent(app, self.table, output, load_alert_rules(), Metrics(), partitions=PARTITIONS)
        self.events: list[FakeEvent] = []

    async def give(self, value: bytes, key: bytes | None, partition: int = 0) -> FakeEvent:
        event: Any = FakeEvent(value, Message(len(self.events), "metrics", partition), key=key)
        self.events.append(event)
        await self.agent.on_event(event)
        return event

    async def minute(self, number: int, passed: int, seen_at: datetime | None = None) -> FakeEvent:
        start = START + timedelta(minutes=number)
        step = StepCount(funnel="checkout", step=3, name="payment", entered=10, passed=passed)
        counts = MinuteMetrics(
            site="shop",
            source_partition=0,
            minute=start,
            frontier=seen_at or start + timedelta(minutes=1, seconds=RIPE_S + 10),
            version=1,
            ripe_after_s=RIPE_S,
            steps=[step],
        )
        return await self.give(msgspec.json.encode(counts), b"shop")

    async def frontiers(self, **at: datetime) -> FakeEvent:
        told = Frontiers({int(name[1:]): to_ms(moment) for name, moment in at.items()})
        return await self.give(encode_frontiers(told), None)

    def alerts(self) -> list[dict[str, Any]]:
        return [orjson.loads(sent.value) for sent in self.producer.sent]

    def ids(self) -> list[bytes]:
        return [dict(sent.headers)["ce_id"] for sent in self.producer.sent]


async def fallen(table: FakeTable | None = None) -> Agent:
    agent = Agent(table)
    for number in range(90):
        await agent.minute(number, 8 if number < 60 else 3)
    return agent


async def test_an_alert_is_in_kafka_before_its_state_and_that_before_the_acknowledgement() -> None:
    agent = await fallen()
    assert [(alert["status"], alert["seq"]) for alert in agent.alerts()] == [("firing", 1)]
    said = agent.table.trace.index("acknowledged alerts")
    assert agent.table.trace[said:][:3] == ["acknowledged alerts", "write 0/shop", "flushed"]
    acknowledged = [event.acks for event in agent.events]
    assert acknowledged == sorted(acknowledged, reverse=True)  # in order, and none of those still to be saved
    assert set(acknowledged) <= {0, 1}


async def test_nothing_is_acknowledged_that_kafka_has_no_state_of() -> None:
    agent = Agent()
    agent.table.failure = OSError("broker is gone")
    with pytest.raises(OSError, match="gone"):
        await fallen(agent.table)
    assert all(event.acks == 0 for event in agent.events)


@pytest.mark.parametrize("seed", range(8))
async def test_a_crash_says_the_same_alerts_under_the_same_ids(seed: int) -> None:
    expected = (await fallen()).ids()
    random = Random(seed)
    first = Agent()
    for number in range(random.randrange(1, 90)):
        await first.minute(number, 8 if number < 60 else 3)
    unread = next((i for i, event in enumerate(first.events) if not event.acks), len(first.events))
    second = Agent(first.table.crashed(random))
    for number in range(unread, 90):
        await second.minute(number, 8 if number < 60 else 3)
    assert sorted({*first.ids(), *second.ids()}) == expected


async def test_a_silent_site_gets_its_time_from_the_least_of_all_partitions() -> None:
    late = START + timedelta(hours=10)
    agent = await fallen()
    await agent.frontiers(p0=late)
    assert len(agent.alerts()) == 1  # the other partition has not been heard of
    await agent.frontiers(p1=START + timedelta(minutes=100))
    assert len(agent.alerts()) == 1  # it lags: that is no silence
    event = await agent.frontiers(p1=late)
    assert [(alert["status"], alert["seq"]) for alert in agent.alerts()] == [("firing", 1), ("resolved", 2)]
    assert "no attempts since" in agent.alerts()[1]["summary"]
    assert event.acks == 1


async def test_a_new_sites_backlog_waits_for_a_partition_that_is_told_to_be_behind_also_after_a_crash() -> None:
    hour = START + timedelta(hours=1)
    agent = Agent()
    await agent.frontiers(p0=hour, p1=START + timedelta(minutes=30))
    await agent.minute(0, 8, seen_at=hour)
    await agent.minute(61, 8, seen_at=hour + timedelta(seconds=30))
    await agent.frontiers(p0=hour + timedelta(seconds=30))
    assert len(load(agent.table[b"0/shop"]).pending) == 2
    again = Agent(FakeTable(agent.table.log))
    await again.frontiers(p1=hour + timedelta(seconds=9))
    assert len(load(again.table[b"0/shop"]).pending) == 2
    await again.minute(61, 8, seen_at=hour + timedelta(seconds=31))
    await again.frontiers(p0=hour + timedelta(seconds=32), p1=hour + timedelta(seconds=31))
    assert len(load(again.table[b"0/shop"]).pending) == 1


async def test_a_restarted_agent_remembers_sites_that_are_silent_since() -> None:
    agent = await fallen()
    await agent.frontiers(p0=START + timedelta(minutes=92))
    again = Agent(FakeTable(agent.table.log))
    late = START + timedelta(hours=10)
    await again.frontiers(p0=late, p1=late)
    assert [(alert["status"], alert["seq"]) for alert in again.alerts()] == [("resolved", 2)]


async def test_what_is_unreadable_or_anothers_is_passed_over() -> None:
    table = FakeTable([(b"0/shop", b"\xc1 of another version")])
    agent = Agent(table)
    for value, key in ((b"{", b"shop"), (b'{"at":1}', None), (b"{}", b"shop")):
        await agent.give(value, key)
    await agent.give(b"{", b"shop", partition=1)
    for number in range(90):
        await agent.minute(number, 8 if number < 60 else 3)
    assert [alert["status"] for alert in agent.alerts()] == ["firing"]
    assert agent.events[3].acks == 0
    agent.agent.forget()
    assert (await agent.minute(90, 3)).acks in (0, 1)
