"""Stand-ins for the parts of Faust that the live glue talks to, which remember what a crash would leave behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple


class Sent(NamedTuple):
    """A record handed to the producer."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int | None
    headers: list[tuple[str, bytes]]


@dataclass
class Message:
    """The part of a Kafka message that is looked at."""

    offset: int
    topic: str = ""
    partition: int = 0


@dataclass
class FakeEvent:
    """A Faust event; `acks` counts how often it was acknowledged."""

    value: bytes
    message: Message
    acks: int = 0
    key: bytes | None = None

    def ack(self) -> None:
        """Acknowledge."""
        self.acks += 1


class FakeTable:
    """A Faust table with its changelog: `log` holds each write in order, of which Kafka surely has the first `durable`.

    `trace`, shared with others, tells in which order things happened.
    """

    def __init__(self, log: list[tuple[bytes, bytes | None]] | None = None, trace: list[str] | None = None) -> None:
        self.log = list(log or ())
        self.durable = len(self.log)
        self.trace = trace if trace is not None else []
        self.data: dict[bytes, bytes] = {}
        self.failure: Exception | None = None
        for key, value in self.log:
            if value is None:
                self.data.pop(key, None)
            else:
                self.data[key] = value

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`, None when there is none."""
        return self.data.get(key)

    def __iter__(self) -> Iterator[bytes]:
        return iter(list(self.data))

    def __getitem__(self, key: bytes) -> bytes:
        return self.data[key]

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.data[key] = value
        self._write(key, value)

    def __delitem__(self, key: bytes) -> None:
        del self.data[key]
        self._write(key, None)

    def send_changelog(self, partition: int, key: bytes, value: bytes) -> Awaitable[None]:
        """Write to the changelog only; the awaitable is done when Kafka has it."""
        assert key.startswith(b"%d/" % partition)
        self._write(key, value)
        return self._acknowledged(len(self.log))

    async def _acknowledged(self, up_to: int) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.durable = max(self.durable, up_to)
        self.trace.append("changelog acknowledged")

    async def flush(self) -> None:
        """Kafka has every write."""
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.durable = len(self.log)
        self.trace.append("flushed")

    def _write(self, key: bytes, value: bytes | None) -> None:
        self.log.append((key, value))
        self.trace.append(f"{'delete' if value is None else 'write'} {key.decode()}")

    def crashed(self, random: Random) -> FakeTable:
        """The table as its changelog restores it: every durable write and some of those under way."""
        return FakeTable(self.log[: random.randint(self.durable, len(self.log))])


@dataclass
class FakeProducer:
    """A producer: `sent` in order; `arrived` has the indices of the records that Kafka has acknowledged."""

    trace: list[str] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    arrived: set[int] = field(default_factory=set)
    failure: Exception | None = None

    async def send(  # noqa: PLR0917  the signature of Faust's producer
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        partition: int | None,
        timestamp: None,
        headers: list[tuple[str, bytes]],
    ) -> Awaitable[None]:
        """Take a record; the awaitable inside is done when Kafka has it."""
        assert timestamp is None
        self.sent.append(Sent(topic, key, value, partition, headers))
        self.trace.append(f"send {topic}")
        return self._arrive(len(self.sent) - 1)

    async def _arrive(self, index: int) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.arrived.add(index)
        self.trace.append(f"acknowledged {self.sent[index].topic}")

    def crashed(self, random: Random) -> list[Sent]:
        """What Kafka has: all that arrived, and of each topic some of the records under way, in order."""
        under_way = [n for n in range(len(self.sent)) if n not in self.arrived]
        lost_from = {
            topic: random.choice([len(self.sent), *(n for n in under_way if self.sent[n].topic == topic)])
            for topic in {sent.topic for sent in self.sent}
        }
        return [sent for n, sent in enumerate(self.sent) if n in self.arrived or n < lost_from[sent.topic]]


class FakeApp:
    """A Faust app with nothing but its producer and consumer."""

    def __init__(self, producer: FakeProducer, consumer: Any = None) -> None:
        self.producer, self.consumer = producer, consumer
