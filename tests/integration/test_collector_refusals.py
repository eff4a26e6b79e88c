"""Records that Kafka refuses for good: split, set aside and sent again, while all others go on."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from deploy.local.kafka.topics import create_topics
from ingest.spool import Record
from ingest.spool.frame import encode
from schemas.event import Event, partition_key, to_ms
from schemas.topics import CLICKSTREAM, ERRORS, Topic, partition_of
from tests.contract.test_ingest_http import DEADLINE_S, PARTITIONS, CollectorProcess, read_events, read_lines
from tests.integration.test_collector_faults import kafka_is, running, settings, stored, wait_drained
from tests.support.running import SNAG
from tests.support.stack import KafkaServer
from tests.support.wait import wait_for

pytestmark = pytest.mark.integration

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SMALL_BYTES = 20_000
"""What a topic takes in these tests, of a record as it is compressed."""


@pytest.fixture
def collector(tmp_path: Path, kafka: KafkaServer) -> Iterator[CollectorProcess]:
    with running(CollectorProcess(tmp_path, kafka.bootstrap, settings())) as process:
        create_topics(process.kafka)
        yield process


def configure(collector: CollectorProcess, topic: Topic, **config: str) -> None:
    """Change one topic; Kafka goes by it before long."""
    admin = KafkaAdminClient(bootstrap_servers=collector.kafka.bootstrap)
    try:
        name = topic.full_name(collector.kafka.topic_prefix)
        wanted = {key.replace("_", "."): value for key, value in config.items()}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, wanted)])
    finally:
        admin.close()


def noise(size_bytes: int) -> str:
    """Text that does not become smaller by compression."""
    return random.Random(size_bytes).randbytes(size_bytes // 2).hex()


def click(event_id: str, size_bytes: int = 10) -> dict[str, object]:
    return {"type": "click", "event_id": event_id, "visitor_id": "one", "props": {"v": noise(size_bytes)}}


def quarantined(collector: CollectorProcess) -> list[dict[str, str]]:
    """What stands in the quarantine file, by its fields."""
    path = Path(collector.env["SNAG_INGEST__SPOOL_DIR"]) / "quarantine.ndjson"
    return [json.loads(line) for line in path.read_text().splitlines()]


def wait_quarantined(collector: CollectorProcess, events: int) -> None:
    def held() -> bool:
        return bool(collector.get("/ready").json["quarantine"]["events"] == events)

    wait_for(held, DEADLINE_S, f"{events} events are in quarantine")


def send_again(collector: CollectorProcess) -> str:
    done = subprocess.run(
        [SNAG, "quarantine", "send"],
        env=os.environ | collector.env,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    return done.stderr


def test_what_is_too_large_for_kafka_is_split_and_one_too_large_event_waits_in_quarantine(
    collector: CollectorProcess,
) -> None:
    configure(collector, CLICKSTREAM, max_message_bytes=str(SMALL_BYTES))
    kafka_is(collector, "up")
    sent = [click(f"e{n:02d}", 40_000 if n == 30 else 2000) for n in range(60)]  # a record of 160 kB
    assert collector.post(sent).status == 200
    wait_drained(collector)
    assert stored(collector).keys() == {str(event["event_id"]) for event in sent} - {"e30"}
    (held,) = quarantined(collector)
    assert json.loads(held["line"])["event_id"] == "e30"
    assert held["topic"] == CLICKSTREAM.name
    assert "too large" in held["reason"].lower()
    ready = collector.get("/ready")
    assert (ready.status, ready.json["kafka"]) == (200, "up")
    assert ready.json["quarantine"]["events"] == 1
    assert ready.json["quarantine"]["path"].endswith("quarantine.ndjson")
    assert ready.json["quarantine"]["reason"] == held["reason"]
    assert collector.metric("snag_ingest_quarantined_events_total") == 1
    log = (Path(collector.env["SNAG_INGEST__SPOOL_DIR"]).parent / "collector.log").read_text()
    assert "quarantine" in log
    assert held["reason"] in log
    assert noise(40_000)[:50] not in log
    assert "kafka is down" not in log

    assert collector.post(click("later")).status == 200
    assert "later" in stored(collector)
    collector.restart()
    wait_quarantined(collector, 1)

    configure(collector, CLICKSTREAM, max_message_bytes=str(1024 * 1024))
    assert "1 event" in send_again(collector)
    wait_for(lambda: "e30" in stored(collector), DEADLINE_S, "the event is in Kafka")
    wait_quarantined(collector, 0)
    wait_drained(collector)


def test_what_waited_in_the_spool_goes_on_in_order_around_what_kafka_refuses(tmp_path: Path) -> None:
    broker = KafkaServer(tmp_path)
    with running(CollectorProcess(tmp_path, broker.bootstrap, settings())) as collector:
        sent = [click(f"e{n:02d}", 40_000 if n in (10, 20) else 500) for n in range(30)]
        for event in sent:
            assert collector.post(event).status == 200
        broker.start()
        try:
            wait_for(lambda: "create the topics" in collector.get("/ready").json["reason"], DEADLINE_S, "topics missed")
            collector.kill()  # so that it finds the topic as it is to be
            create_topics(collector.kafka)
            configure(collector, CLICKSTREAM, max_message_bytes=str(SMALL_BYTES))
            collector.start()
            wait_drained(collector)
            in_order = [json.loads(line.value)["event_id"] for line in read_lines(collector.kafka, [CLICKSTREAM])]
            assert list(dict.fromkeys(in_order)) == [f"e{n:02d}" for n in range(30) if n not in (10, 20)]
            assert [json.loads(held["line"])["event_id"] for held in quarantined(collector)] == ["e10", "e20"]
        finally:
            broker.kill()


def test_a_topic_that_refuses_everything_holds_up_no_other(collector: CollectorProcess) -> None:
    """A compacted topic takes no record without a key: somebody's mistake in configuring it."""
    configure(collector, ERRORS, cleanup_policy="compact")
    kafka_is(collector, "up")
    errors = [{"type": "js_error", "event_id": f"error-{n}", "visitor_id": f"v{n}"} for n in range(20)]
    orders = [{"type": "order_completed", "event_id": f"order-{n}", "visitor_id": f"v{n}"} for n in range(20)]
    assert collector.post([*errors, *orders]).status == 200
    wait_drained(collector)
    assert stored(collector).keys() == {order["event_id"] for order in orders}
    assert {json.loads(held["line"])["event_id"] for held in quarantined(collector)} == {e["event_id"] for e in errors}
    assert {held["topic"] for held in quarantined(collector)} == {ERRORS.name}

    configure(collector, ERRORS, cleanup_policy="delete")
    assert "20 events" in send_again(collector)
    wait_for(lambda: len(stored(collector)) == 40, DEADLINE_S, "all are in Kafka")
    assert len(read_events(collector.kafka)) == 40, "each lies in its partition, and once"
    wait_quarantined(collector, 0)


def test_a_topic_of_another_version_holds_up_no_other(tmp_path: Path, kafka: KafkaServer) -> None:
    """Left in the spool by a collector that knew topics which this one does not."""
    collector = CollectorProcess(tmp_path, kafka.bootstrap, settings())
    create_topics(collector.kafka)
    left = tmp_path / "spool" / "7" / "000000000001.seg"
    left.parent.mkdir(parents=True)
    sent = Event(
        event_id="left", site="shop", kind="clickstream", type="click", ts=NOON, received_at=NOON, visitor_id="v"
    )
    event = msgspec.json.encode(sent)
    partition = partition_of(partition_key(sent), PARTITIONS)
    records = [Record(name, partition, PARTITIONS, to_ms(NOON), event) for name in ("gone", CLICKSTREAM.name)]
    left.write_bytes(b"".join(map(encode, records)))
    with running(collector):
        wait_drained(collector)
        wait_for(lambda: stored(collector).keys() == {"left"}, DEADLINE_S, "what stood behind it is in Kafka")
        (held,) = quarantined(collector)
        assert (held["topic"], held["line"].encode()) == ("gone", event)
