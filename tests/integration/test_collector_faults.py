"""The collector when Kafka is away, dies, or the collector itself is told to stop: never a 200 that is not in Kafka."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.kafka.topics import create_topics
from tests.contract.test_ingest_http import DEADLINE_S, Answer, CollectorProcess, read_events
from tests.support.ports import free_port
from tests.support.stack import KafkaServer, kafka_broker
from tests.support.wait import wait_for

pytestmark = pytest.mark.integration

ACK_TIMEOUT_S = 2.0


@contextmanager
def running(process: CollectorProcess) -> Iterator[CollectorProcess]:
    process.start()
    try:
        yield process
    finally:
        process.kill()


class Load:
    """Clients that post without end; remembers the status of every answer and the ids that were answered 200."""

    def __init__(self, collector: CollectorProcess, clients: int = 4) -> None:
        self._collector = collector
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._post) for _ in range(clients)]
        self._lock = threading.Lock()
        self.statuses: Counter[int] = Counter()
        self.acknowledged: set[str] = set()
        self.slowest_s = 0.0

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, status: int, count: int) -> None:
        """Wait until `count` more answers have come with `status`."""
        enough = self.statuses[status] + count
        wait_for(lambda: self.statuses[status] >= enough, DEADLINE_S, f"{count} more answers {status}")

    def _post(self) -> None:
        while not self._stop.is_set():
            ids = [uuid.uuid4().hex for _ in range(5)]
            started = time.monotonic()
            try:
                answer = self._collector.post([{"event_id": i, "type": "click", "visitor_id": i} for i in ids])
            except (OSError, http.client.HTTPException):
                answer = Answer(0, {}, b"")
            with self._lock:
                self.slowest_s = max(self.slowest_s, time.monotonic() - started)
                self.statuses[answer.status] += 1
                if answer.status == 200:
                    self.acknowledged.update(ids)
            self._stop.wait(0.01)


def stored(collector: CollectorProcess) -> Counter[str]:
    return Counter(event.event_id for event in read_events(collector.kafka))


def settings(**extra: str) -> dict[str, str]:
    return {"SNAG_INGEST__ACK_TIMEOUT_S": str(ACK_TIMEOUT_S), **extra}


def test_a_broker_killed_while_posting_gives_503_then_200_again_and_no_200_is_lost(tmp_path: Path) -> None:
    with kafka_broker(tmp_path) as kafka, running(CollectorProcess(tmp_path, kafka.bootstrap, settings())) as collector:
        create_topics(collector.kafka)
        collector.wait_ready()
        with Load(collector) as load:
            load.wait_for_more(200, 50)
            kafka.kill()
            load.wait_for_more(503, 20)
            assert collector.get("/ready").status == 503
            assert collector.get("/health").status == 200
            refused = collector.post({"type": "click"})
            assert (refused.status, refused.json["code"]) == (503, "kafka_down")
            assert int(refused.headers["retry-after"]) >= 1
            kafka.restart()
            collector.wait_ready()
            load.wait_for_more(200, 50)
        found = stored(collector)
        assert load.acknowledged <= found.keys()
        assert set(load.statuses) == {200, 503}
        assert max(found[event_id] for event_id in load.acknowledged) == 1
        assert collector.is_running


def test_it_starts_before_kafka_and_serves_when_kafka_is_there(tmp_path: Path) -> None:
    broker = KafkaServer(tmp_path)
    with running(CollectorProcess(tmp_path, broker.bootstrap, settings())) as collector:
        assert collector.get("/health").status == 200
        assert collector.get("/ready").json["ready"] is False
        assert collector.post({"type": "click"}).status == 503
        broker.start()
        try:
            wait_for(lambda: "create the topics" in collector.get("/ready").json["reason"], DEADLINE_S, "topics missed")
            create_topics(collector.kafka)
            collector.wait_ready()
            assert collector.post({"type": "click", "event_id": "first"}).status == 200
            assert stored(collector) == {"first": 1}
        finally:
            broker.kill()


def test_an_unreachable_kafka_costs_no_waiting(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    with running(CollectorProcess(tmp_path, nowhere, settings(SNAG_INGEST__ACK_TIMEOUT_S="60"))) as collector:
        statuses = [collector.post({"type": "click"}).status for _ in range(200)]  # each well below the 60 s
        assert statuses == [503] * 200


def test_a_frozen_broker_is_given_up_in_time_and_taken_back(tmp_path: Path) -> None:
    with kafka_broker(tmp_path) as kafka, running(CollectorProcess(tmp_path, kafka.bootstrap, settings())) as collector:
        create_topics(collector.kafka)
        collector.wait_ready()
        with Load(collector) as load:
            load.wait_for_more(200, 20)
            os.kill(kafka.pid, signal.SIGSTOP)
            load.wait_for_more(503, 20)
            kafka.restart()
            collector.wait_ready()
            load.wait_for_more(200, 20)
        assert load.acknowledged <= stored(collector).keys()
        assert set(load.statuses) == {200, 503}


def test_a_stop_under_load_is_clean_and_loses_nothing(tmp_path: Path, kafka: KafkaServer) -> None:
    with running(CollectorProcess(tmp_path, kafka.bootstrap, settings())) as collector:
        create_topics(collector.kafka)
        collector.wait_ready()
        with Load(collector) as load:
            load.wait_for_more(200, 50)
            assert collector.stop() == 0
        assert load.acknowledged <= stored(collector).keys()
        assert set(load.statuses) <= {200, 0}


def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path, kafka: KafkaServer) -> None:
    with running(CollectorProcess(tmp_path, kafka.bootstrap, settings())) as collector:
        create_topics(collector.kafka)
        collector.wait_ready()
        with Load(collector) as load:
            load.wait_for_more(200, 50)
            collector.restart()
            collector.wait_ready()
            load.wait_for_more(200, 50)
        assert load.acknowledged <= stored(collector).keys()


def test_a_stop_without_kafka_ends_in_time(tmp_path: Path) -> None:
    with running(CollectorProcess(tmp_path, f"127.0.0.1:{free_port()}", settings())) as collector:
        assert collector.post({"type": "click"}).status == 503
        assert collector.stop() == 0


def test_more_than_the_collector_may_hold_is_refused_before_it_is_held(tmp_path: Path, kafka: KafkaServer) -> None:
    small = settings(SNAG_INGEST__MAX_IN_FLIGHT_BYTES=str(1024 * 1024), SNAG_INGEST__LINGER_MS="300")
    with running(CollectorProcess(tmp_path, kafka.bootstrap, small)) as collector:
        create_topics(collector.kafka)
        collector.wait_ready()
        body = json.dumps([{"type": "click", "props": {"v": "x" * 1000}}] * 400).encode()
        answers: list[Answer] = []
        threads = [threading.Thread(target=lambda: answers.append(collector.post(body))) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = Counter(answer.status for answer in answers)
        assert statuses.keys() == {200, 503}
        refused = next(answer for answer in answers if answer.status == 503)
        assert refused.json["code"] == "overloaded"
        assert int(refused.headers["retry-after"]) >= 1
        assert sum(stored(collector).values()) == 400 * statuses[200]
        assert collector.post({"type": "click"}).status == 200
        assert collector.metric("snag_ingest_in_flight_bytes") == 0
