"""The connection that carries the collector's rounds, on the real broker and on ones that misbehave."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from ingest.broker import Broker, BrokerError, Slot
from ingest.record_batch import encode
from tests.support.ports import free_port
from tests.support.records import records_at
from tests.support.stack import KafkaServer

pytestmark = pytest.mark.integration

UNKNOWN_TOPIC, TOO_LARGE = 3, 10
SMALL_BYTES = 1000
HEADERS = (("content-type", b"text/plain"),)


def broker(port: int, timeout_ms: int = 10_000) -> Broker:
    return Broker(("127.0.0.1", port), client_id="test", timeout_ms=timeout_ms)


def port_of(kafka: KafkaServer) -> int:
    return int(kafka.bootstrap.rpartition(":")[2])


@pytest.fixture
def topics(kafka: KafkaServer) -> tuple[str, str]:
    """Two topics of two partitions; the second takes little records only."""
    names = f"t{uuid.uuid4().hex[:8]}", f"s{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    try:
        small = {"max.message.bytes": str(SMALL_BYTES)}
        admin.create_topics([NewTopic(names[0], 2, 1), NewTopic(names[1], 2, 1, topic_configs=small)])
        admin.wait_for_topics(list(names), timeout_ms=30_000)
    finally:
        admin.close()
    assert not list(records_at(kafka.bootstrap, places(names)))  # asks the leaders, which need a moment to know it
    return names


def places(names: tuple[str, str]) -> list[TopicPartition]:
    return [TopicPartition(name, partition) for name in names for partition in (0, 1)]


async def test_a_round_is_stored_and_each_partition_answered(kafka: KafkaServer, topics: tuple[str, str]) -> None:
    name, small = topics
    random_bytes = bytes(uuid.uuid4().bytes[0] for _ in range(4 * SMALL_BYTES))
    sender = broker(port_of(kafka))
    try:
        codes = await sender.produce(
            {
                (name, 0): encode(b"zero", HEADERS, 1000),
                (name, 1): encode(b"one", HEADERS, 2000),
                (small, 0): encode(random_bytes, (), 0),
                (small, 1): encode(b"fits", (), 0),
                ("not-there", 0): encode(b"lost", (), 0),
            }
        )
    finally:
        sender.close()
    assert codes == {(name, 0): 0, (name, 1): 0, (small, 0): TOO_LARGE, (small, 1): 0, ("not-there", 0): UNKNOWN_TOPIC}
    stored = {
        (record.topic, record.partition): (record.value, record.timestamp, list(record.headers))
        for record in records_at(kafka.bootstrap, places(topics))
    }
    assert stored == {
        (name, 0): (b"zero", 1000, [*HEADERS]),
        (name, 1): (b"one", 2000, [*HEADERS]),
        (small, 1): (b"fits", 0, []),
    }


async def test_rounds_keep_their_order_though_none_waits_for_another(
    kafka: KafkaServer, topics: tuple[str, str]
) -> None:
    sender = broker(port_of(kafka))
    slot: Slot = (topics[0], 0)
    try:  # the first ones wait for the connection
        answers = await asyncio.gather(*(sender.produce({slot: encode(b"%d" % n, (), 0)}) for n in range(50)))
    finally:
        sender.close()
    assert answers == [{slot: 0}] * 50
    read = [record.value for record in records_at(kafka.bootstrap, [TopicPartition(*slot)])]
    assert read == [b"%d" % n for n in range(50)]


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[int]:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(client, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def reads_only(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hangs_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def talks_nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


ROUND = {("t", 0): encode(b"x", (), 0)}


@pytest.mark.parametrize("serve", [reads_only, hangs_up, talks_nonsense])
async def test_what_is_no_kafka_fails_every_round_in_time(serve: Serve) -> None:
    async with server(serve) as port:
        sender = broker(port, timeout_ms=300)
        failed = await asyncio.gather(*(sender.produce(ROUND) for _ in range(3)), return_exceptions=True)
        sender.close()
    assert [type(error) for error in failed] == [BrokerError] * 3
    assert all(str(error).startswith(f"127.0.0.1:{port}: ") for error in failed)


async def test_nobody_there_is_said() -> None:
    sender = broker(free_port())
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1"):
        await sender.produce(ROUND)


async def test_a_connection_that_was_cut_fails_what_is_on_it_and_the_next_round_has_another(
    kafka: KafkaServer, topics: tuple[str, str]
) -> None:
    """Through a relay that cuts its first client off when that has sent its second request."""
    clients: list[int] = []

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.append(1)
        cut = len(clients) == 1
        there, to_there = await asyncio.open_connection("127.0.0.1", port_of(kafka))
        back = asyncio.ensure_future(_copy(there, writer))
        try:
            await _copy(reader, to_there, requests=1 if cut else None)
        finally:
            back.cancel()
            to_there.close()

    slot: Slot = (topics[0], 0)
    async with server(relay) as port:
        sender = broker(port)
        with pytest.raises(BrokerError):
            await sender.produce({slot: encode(b"cut off", (), 0)})
        assert await sender.produce({slot: encode(b"arrives", (), 0)}) == {slot: 0}
        assert len(clients) == 2
        sender.close()
    assert [record.value for record in records_at(kafka.bootstrap, [TopicPartition(*slot)])] == [b"arrives"]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: int | None = None) -> None:
    """Pass on whole messages, `requests` of them if it is given."""
    try:
        while requests is None or requests > 0:
            head = await reader.readexactly(4)
            writer.write(head + await reader.readexactly(int.from_bytes(head)))
            requests = None if requests is None else requests - 1
        await reader.readexactly(4)
    except asyncio.IncompleteReadError:
        pass


async def test_closing_fails_what_waits_and_what_comes() -> None:
    async with server(reads_only) as port:
        sender = broker(port, timeout_ms=60_000)
        waiting = [asyncio.ensure_future(sender.produce(ROUND)) for _ in range(2)]
        await asyncio.sleep(0)
        sender.close()
        failed = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)
        assert [type(error) for error in failed] == [BrokerError] * 2
        with pytest.raises(BrokerError, match="closed"):
            await sender.produce(ROUND)
