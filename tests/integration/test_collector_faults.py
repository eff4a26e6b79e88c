"""The collector when Kafka is away, dies, or the collector itself is told to stop: never a 200 that gets lost."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.kafka.topics import create_topics
from schemas.topics import CLICKSTREAM
from tests.contract.test_ingest_http import DEADLINE_S, Answer, CollectorProcess, read_events, read_lines
from tests.support.ports import free_port
from tests.support.stack import KafkaServer, kafka_broker
from tests.support.wait import wait_for

pytestmark = pytest.mark.integration

ACK_TIMEOUT_S = 2.0
MIB = 1024 * 1024


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
            try:
                answer = self._collector.post([{"event_id": i, "type": "click", "visitor_id": i} for i in ids])
            except (OSError, http.client.HTTPException):
                answer = Answer(0, {}, b"")
            with self._lock:
                self.statuses[answer.status] += 1
                if answer.status == 200:
                    self.acknowledged.update(ids)
            self._stop.wait(0.01)


def stored(collector: CollectorProcess) -> Counter[str]:
    return Counter(event.event_id for event in read_events(collector.kafka))


def settings(**extra: str) -> dict[str, str]:
    return {"SNAG_INGEST__ACK_TIMEOUT_S": str(ACK_TIMEOUT_S), **extra}


def kafka_is(collector: CollectorProcess, state: str) -> None:
    wait_for(lambda: collector.get("/ready").json["kafka"] == state, DEADLINE_S, f"kafka is {state}")


def wait_drained(collector: CollectorProcess) -> None:
    def drained() -> bool:
        found = collector.get("/ready").json
        return bool(found["kafka"] == "up" and found["spool"]["backlog_bytes"] == 0)

    wait_for(drained, DEADLINE_S, "the spool is drained")


def test_a_broker_killed_while_posting_costs_no_answer_and_no_event(tmp_path: Path) -> None:
    with kafka_broker(tmp_path) as kafka, running(CollectorProcess(tmp_path, kafka.bootstrap, settings())) as collector:
        create_topics(collector.kafka)
        kafka_is(collector, "up")
        with Load(collector) as load:
            load.wait_for_more(200, 50)
            kafka.kill()
            kafka_is(collector, "down")
            load.wait_for_more(200, 200)
            ready = collector.get("/ready")
            assert (ready.status, ready.json["ready"]) == (200, True)
            assert ready.json["spool"]["backlog_bytes"] > 0
            assert ready.json["spool"]["lag_s"] > 0
            assert collector.metric("snag_ingest_spooled_bytes_total") > 0
            assert collector.metric("snag_ingest_spool_bytes") > 0
            assert collector.metric("snag_ingest_spool_lag_seconds") > 0
            assert collector.metric("snag_ingest_kafka_up") == 0
            kafka.restart()
            kafka_is(collector, "up")
            load.wait_for_more(200, 50)
        wait_drained(collector)
        found = stored(collector)
        assert load.acknowledged <= found.keys()
        assert set(load.statuses) == {200}
        assert collector.is_running
        assert list((tmp_path / "spool").rglob("*.seg")) == []


def test_it_starts_before_kafka_and_what_it_took_is_there_when_kafka_is(tmp_path: Path) -> None:
    broker = KafkaServer(tmp_path)
    with running(CollectorProcess(tmp_path, broker.bootstrap, settings())) as collector:
        visitors = [f"v{i}" for i in range(40)]  # among 8 partitions, the default; the topics will have 4
        sent = [{"type": "click", "event_id": f"first-{v}", "visitor_id": v} for v in visitors]
        assert collector.post(sent).status == 200
        assert collector.get("/ready").json["kafka"] == "down"
        collector.restart()
        broker.start()
        try:
            wait_for(lambda: "create the topics" in collector.get("/ready").json["reason"], DEADLINE_S, "topics missed")
            create_topics(collector.kafka)
            wait_drained(collector)
            assert collector.post({"type": "click", "event_id": "later"}).status == 200
            assert stored(collector).keys() == {event["event_id"] for event in sent} | {"later"}
        finally:
            broker.kill()


def test_lines_that_were_collected_when_the_partitions_become_known_lie_where_they_belong(
    tmp_path: Path, kafka: KafkaServer
) -> None:
    """The topics have 4 partitions, 8 is the default: what waits in the batcher was partitioned by that."""
    lingering = {"SNAG_INGEST__LINGER_MS": "20000", "SNAG_INGEST__ACK_TIMEOUT_S": "60"}  # as long as the topics take
    with running(CollectorProcess(tmp_path, kafka.bootstrap, lingering)) as collector:
        wait_for(lambda: "create the topics" in collector.get("/ready").json["reason"], DEADLINE_S, "topics missed")
        sent = [{"type": "click", "event_id": f"e{i}", "visitor_id": f"v{i}"} for i in range(40)]
        answers: list[Answer] = []
        posting = threading.Thread(target=lambda: answers.append(collector.post(sent)))
        posting.start()
        wait_for(lambda: collector.metric("snag_ingest_in_flight_bytes") > 0, DEADLINE_S, "the lines are collected")
        create_topics(collector.kafka)
        posting.join()
        assert [answer.status for answer in answers] == [200]
        wait_drained(collector)
        assert stored(collector) == Counter(event["event_id"] for event in sent)


def test_a_frozen_broker_is_given_up_in_time_and_taken_back(tmp_path: Path) -> None:
    with kafka_broker(tmp_path) as kafka, running(CollectorProcess(tmp_path, kafka.bootstrap, settings())) as collector:
        create_topics(collector.kafka)
        kafka_is(collector, "up")
        with Load(collector) as load:
            load.wait_for_more(200, 20)
            os.kill(kafka.pid, signal.SIGSTOP)
            kafka_is(collector, "down")
            load.wait_for_more(200, 100)
            os.kill(kafka.pid, signal.SIGCONT)
            kafka_is(collector, "up")
            load.wait_for_more(200, 20)
        wait_drained(collector)
        assert load.acknowledged <= stored(collector).keys()
        assert set(load.statuses) == {200}


def test_kafka_and_collector_killed_together_lose_nothing_and_keep_the_order(tmp_path: Path) -> None:
    with kafka_broker(tmp_path) as kafka, running(CollectorProcess(tmp_path, kafka.bootstrap, settings())) as collector:
        create_topics(collector.kafka)
        kafka_is(collector, "up")
        with Load(collector) as load:
            load.wait_for_more(200, 50)
            kafka.kill()
            collector.kill()
            collector.start()
            kafka_is(collector, "down")
            load.wait_for_more(200, 50)
            in_order = [f"order-{i:04d}" for i in range(300)]
            for event_id in in_order:
                assert collector.post({"event_id": event_id, "type": "click", "visitor_id": "one"}).status == 200
            collector.kill()
            collector.start()
            kafka_is(collector, "down")
            load.wait_for_more(200, 50)
        kafka.restart()
        wait_drained(collector)
        lines = [json.loads(line.value)["event_id"] for line in read_lines(collector.kafka, [CLICKSTREAM])]
        assert load.acknowledged <= set(lines)
        assert [event_id for event_id in dict.fromkeys(lines) if event_id.startswith("order-")] == in_order


def test_a_full_spool_is_refused_with_503_and_takes_again_when_kafka_is_back(tmp_path: Path) -> None:
    broker = KafkaServer(tmp_path)
    small = settings(SNAG_INGEST__SPOOL_MAX_BYTES=str(2 * MIB))
    with running(CollectorProcess(tmp_path, broker.bootstrap, small)) as collector:
        taken: list[str] = []
        while (answer := collector.post(large_events(f"{len(taken)}"))).status == 200:
            taken += [f"{len(taken)}-{i}" for i in range(100)]
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        assert "bytes are used" in answer.json["detail"]
        assert int(answer.headers["retry-after"]) >= 1
        assert sum(path.stat().st_size for path in (tmp_path / "spool").rglob("*.seg")) <= 2 * MIB
        ready = collector.get("/ready")
        assert (ready.status, ready.json["ready"]) == (503, False)
        assert collector.get("/health").status == 200
        broker.start()
        try:
            create_topics(collector.kafka)
            wait_drained(collector)
            assert collector.post({"event_id": "after", "type": "click"}).status == 200
            assert stored(collector).keys() == {*taken, "after"}
        finally:
            broker.kill()


def large_events(prefix: str) -> list[dict[str, object]]:
    return [{"event_id": f"{prefix}-{i}", "type": "click", "props": {"v": "x" * 1000}} for i in range(100)]


def test_a_full_disk_is_answered_503_never_200_and_mends_by_itself(tmp_path: Path) -> None:
    """The spool lies on a file system of one megabyte, in a mount namespace that goes with the collector."""
    broker = KafkaServer(tmp_path)
    spool = tmp_path / "spool"
    spool.mkdir()
    with running(CollectorProcess(tmp_path, broker.bootstrap, settings(), tmpfs=(spool, MIB))) as collector:
        taken: list[str] = []
        while (answer := collector.post(large_events(f"{len(taken)}"))).status == 200:
            taken += [f"{len(taken)}-{i}" for i in range(100)]
            assert len(taken) < 2000, "more was taken than the disk holds"
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        assert "No space left on device" in answer.json["detail"]
        assert collector.get("/ready").status == 503
        small = collector.post({"event_id": "small", "type": "click"})  # there may be room for one more
        assert small.status in (200, 503)
        broker.start()
        try:
            create_topics(collector.kafka)
            wait_drained(collector)
            assert collector.post({"event_id": "after", "type": "click"}).status == 200
            found = stored(collector)
            assert {*taken, "after"} <= found.keys()
            assert ("small" in found) == (small.status == 200)
            broker.kill()
            kafka_is(collector, "down")
            assert collector.post({"event_id": "again", "type": "click"}).status == 200
            assert "reason" in collector.get("/ready").json
        finally:
            broker.kill()


def test_two_collectors_share_a_spool_directory_and_the_living_drains_for_the_dead(tmp_path: Path) -> None:
    broker = KafkaServer(tmp_path)
    first = CollectorProcess(tmp_path / "a", broker.bootstrap, settings(SNAG_INGEST__SPOOL_DIR=str(tmp_path / "spool")))
    with running(first), running(first.twin(tmp_path / "b")) as second:
        for collector, prefix in ((first, "a"), (second, "b")):
            sent = [{"event_id": f"{prefix}{i}", "type": "click"} for i in range(20)]
            assert collector.post(sent).status == 200
        assert {path.parent.name for path in (tmp_path / "spool").rglob("*.seg")} == {"0", "1"}
        first.kill()
        broker.start()
        try:
            create_topics(second.kafka)
            wait_for(lambda: len(stored(second)) == 40, DEADLINE_S, "both spools are in Kafka")
        finally:
            broker.kill()


def test_a_collector_whose_spool_cannot_be_used_says_so_and_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    env = settings(SNAG_INGEST__SPOOL_DIR=str(tmp_path / "file" / "spool"))
    collector = CollectorProcess(tmp_path, f"127.0.0.1:{free_port()}", env)
    with pytest.raises(AssertionError, match=r"cannot be used: .*ingest\.spool_dir"):
        collector.start()
    assert not collector.is_running


def test_a_stop_under_load_is_clean_and_loses_nothing(tmp_path: Path, kafka: KafkaServer) -> None:
    with running(CollectorProcess(tmp_path, kafka.bootstrap, settings())) as collector:
        create_topics(collector.kafka)
        kafka_is(collector, "up")
        with Load(collector) as load:
            load.wait_for_more(200, 50)
            assert collector.stop() == 0
        assert load.acknowledged <= stored(collector).keys()
        assert set(load.statuses) <= {200, 0}


def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path, kafka: KafkaServer) -> None:
    with running(CollectorProcess(tmp_path, kafka.bootstrap, settings())) as collector:
        create_topics(collector.kafka)
        kafka_is(collector, "up")
        with Load(collector) as load:
            load.wait_for_more(200, 50)
            collector.restart()
            kafka_is(collector, "up")
            load.wait_for_more(200, 50)
        assert load.acknowledged <= stored(collector).keys()


def test_a_stop_without_kafka_ends_in_time_and_keeps_what_was_taken(tmp_path: Path, kafka: KafkaServer) -> None:
    collector = CollectorProcess(tmp_path, f"127.0.0.1:{free_port()}", settings())
    with running(collector):
        with Load(collector) as load:
            load.wait_for_more(200, 50)
            assert collector.stop() == 0
        assert set(load.statuses) <= {200, 0}
    later = CollectorProcess(tmp_path, kafka.bootstrap, settings())  # the same spool
    with running(later):
        create_topics(later.kafka)
        wait_drained(later)
        assert load.acknowledged <= stored(later).keys()


def test_more_than_the_collector_may_hold_is_refused_before_it_is_held(tmp_path: Path, kafka: KafkaServer) -> None:
    small = settings(SNAG_INGEST__MAX_IN_FLIGHT_BYTES=str(1024 * 1024), SNAG_INGEST__LINGER_MS="300")
    with running(CollectorProcess(tmp_path, kafka.bootstrap, small)) as collector:
        create_topics(collector.kafka)
        kafka_is(collector, "up")
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
