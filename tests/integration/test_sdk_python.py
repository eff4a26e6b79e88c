"""The Python SDK on the real collector and the real Kafka: refused, killed and restarted, forked, with asyncio."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.local.kafka.topics import create_topics
from snag_sdk import AsyncClient, BadAnswerError, Client, EventRefusedError, QueueFullError, SnagError
from tests.contract.test_ingest_http import CollectorProcess, read_events
from tests.support.ports import free_port
from tests.support.stack import KafkaServer
from tests.support.wait import wait_for

pytestmark = pytest.mark.integration

FLUSH_TIMEOUT_S = 120  # a loaded machine; a flush ends as soon as it can


class Losses:
    """An on_error that remembers."""

    def __init__(self) -> None:
        self.errors: list[SnagError] = []
        self.event_ids: set[str] = set()

    def __call__(self, error: SnagError, events: Sequence[dict[str, Any]]) -> None:
        self.errors.append(error)
        self.event_ids |= {event["event_id"] for event in events}


@pytest.fixture(scope="module")
def collector(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    process = CollectorProcess(tmp_path_factory.mktemp("sdk"), kafka.bootstrap)
    create_topics(process.kafka)
    process.start()
    try:
        process.wait_ready()
        yield process
    finally:
        process.kill()


@pytest.fixture
def connect(collector: CollectorProcess) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(write_key: str = "wk_local", **options: Any) -> Client:
        client = Client(write_key, **{"host": f"http://127.0.0.1:{collector.port}", **options})
        made.append(client)
        return client

    yield make
    for client in made:
        client.shutdown(1)


def wait_stored(collector: CollectorProcess, visitor: str, event_ids: Iterable[str]) -> None:
    """Wait until exactly these are in Kafka: what a collector took while Kafka was not there comes from its spool."""
    wanted = set(event_ids)
    wait_for(lambda: stored(collector, visitor).keys() == wanted, FLUSH_TIMEOUT_S, f"all events of {visitor} in Kafka")


def stored(collector: CollectorProcess, visitor: str) -> Counter[str]:
    """How often each event id of a visitor lies in Kafka."""
    return Counter(event.event_id for event in read_events(collector.kafka) if event.visitor_id == visitor)


def test_everything_queued_is_in_kafka_after_a_flush(
    collector: CollectorProcess, connect: Callable[..., Client]
) -> None:
    losses = Losses()
    client = connect(on_error=losses, flush_at=20)
    for i in range(95):
        assert client.track("click", visitor_id="flush", event_id=f"flush-{i}")
    assert client.page("https://shop.example/cart", visitor_id="flush", event_id="flush-page")
    assert client.identify("flush", "user-1", traits={"plan": "free"}, event_id="flush-identify")
    assert client.flush(FLUSH_TIMEOUT_S)
    found = {event.event_id: event for event in read_events(collector.kafka) if event.visitor_id == "flush"}
    assert len(found) == 97
    assert found["flush-page"].path == "/cart"
    assert found["flush-identify"].user_id == "user-1"
    assert losses.errors == []


def test_an_exception_arrives_as_an_error_with_a_fingerprint(
    collector: CollectorProcess, connect: Callable[..., Client]
) -> None:
    client = connect(sync_mode=True)
    try:
        raise ValueError("total of cart 17 is negative")
    except ValueError:
        assert client.capture_exception(visitor_id="raiser", session_id="s")
    [event] = [event for event in read_events(collector.kafka) if event.visitor_id == "raiser"]
    assert (event.kind, event.type, event.message) == ("error", "server_error", "total of cart 17 is negative")
    assert event.fingerprint
    assert event.props["frames"][0]["function"] == "test_an_exception_arrives_as_an_error_with_a_fingerprint"


def test_one_refused_event_is_told_and_its_neighbours_are_stored(
    collector: CollectorProcess, connect: Callable[..., Client]
) -> None:
    losses = Losses()
    client = connect(on_error=losses)
    for i in range(10):
        client.track("click", visitor_id="mixed", event_id=f"mixed-{i}", kind="nonsense" if i == 4 else None)
    assert client.flush(FLUSH_TIMEOUT_S)
    assert losses.event_ids == {"mixed-4"}
    assert isinstance(losses.errors[0], EventRefusedError)
    assert "unknown_kind" in str(losses.errors[0])
    wait_stored(collector, "mixed", (f"mixed-{i}" for i in range(10) if i != 4))


def test_a_wrong_write_key_is_told_at_once_and_not_tried_again(connect: Callable[..., Client]) -> None:
    losses = Losses()
    client = connect("wk_wrong", on_error=losses)
    client.track("click", event_id="wrong-key")
    assert client.flush(FLUSH_TIMEOUT_S)
    assert losses.event_ids == {"wrong-key"}
    assert isinstance(losses.errors[0], BadAnswerError)
    assert "401 after 1 tries" in str(losses.errors[0])


def test_a_collector_killed_again_and_again_gets_every_event(
    collector: CollectorProcess, connect: Callable[..., Client]
) -> None:
    losses = Losses()
    client = connect(on_error=losses, flush_at=10, flush_interval=0.01, max_retries=60)
    stop = threading.Event()
    ids: list[str] = []

    def work() -> None:
        while not stop.wait(0.002):
            ids.append(f"kill-{len(ids)}")
            assert client.track("click", visitor_id="kill", event_id=ids[-1])

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(2):
            enough = len(ids) + 100
            wait_for(lambda enough=enough: len(ids) >= enough, FLUSH_TIMEOUT_S, "events are sent")
            collector.kill()
            enough = len(ids) + 50
            wait_for(lambda enough=enough: len(ids) >= enough, FLUSH_TIMEOUT_S, "events are queued")
            collector.start()
    finally:
        stop.set()
        worker.join()
    assert client.flush(FLUSH_TIMEOUT_S)
    assert losses.errors == []
    wait_stored(collector, "kill", ids)


def test_a_collector_that_stays_away_fills_the_queue_blocks_nobody_and_everything_lost_is_told() -> None:
    losses = Losses()
    client = Client("wk", host=f"http://127.0.0.1:{free_port()}", max_queue_size=50, on_error=losses)
    queued = [client.track("click", event_id=f"away-{i}") for i in range(60)]
    assert queued.count(True) == 50
    assert sum(isinstance(error, QueueFullError) for error in losses.errors) == 10
    assert not client.shutdown(0.2)
    assert losses.event_ids == {f"away-{i}" for i in range(60)}
    assert not client.track("click")


def test_a_forked_child_sends_its_own_events_and_none_of_its_parents(
    collector: CollectorProcess, tmp_path: Path
) -> None:
    program = tmp_path / "forks.py"
    program.write_text(
        "import os, sys\n"
        "from snag_sdk import Client\n"
        "client = Client('wk_local', host=sys.argv[1], flush_interval=60)\n"
        "client.track('click', visitor_id='fork', event_id='parent')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    client.track('click', visitor_id='fork', event_id='child')\n"
        f"    os._exit(0 if client.flush({FLUSH_TIMEOUT_S}) else 1)\n"
        "status = os.waitpid(child, 0)[1]\n"
        "sys.exit(os.waitstatus_to_exitcode(status))\n"  # and what is queued is sent at exit
    )
    host = f"http://127.0.0.1:{collector.port}"
    done = subprocess.run([sys.executable, str(program), host], check=False, timeout=FLUSH_TIMEOUT_S, env=os.environ)
    assert done.returncode == 0
    assert stored(collector, "fork") == {"parent": 1, "child": 1}


def test_the_asyncio_client_delivers_over_a_restart_and_tells_what_is_left(collector: CollectorProcess) -> None:
    losses = Losses()

    async def run() -> None:
        host = f"http://127.0.0.1:{collector.port}"
        async with AsyncClient("wk_local", host=host, flush_at=10, on_error=losses) as client:
            for i in range(25):
                assert client.track("click", visitor_id="aio", event_id=f"aio-{i}")
            assert await client.flush(FLUSH_TIMEOUT_S)
            await asyncio.to_thread(collector.kill)
            for i in range(25, 50):
                assert client.track("click", visitor_id="aio", event_id=f"aio-{i}")
            await asyncio.to_thread(collector.start)
            assert await client.flush(FLUSH_TIMEOUT_S)
            await asyncio.to_thread(collector.kill)
            assert client.track("click", visitor_id="aio", event_id="left")
            assert not await client.shutdown(0.2)
        await asyncio.to_thread(collector.start)

    asyncio.run(run())
    assert losses.event_ids == {"left"}
    wait_stored(collector, "aio", (f"aio-{i}" for i in range(50)))
