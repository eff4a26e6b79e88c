"""The local broker: its topics, and its comeback after kill -9."""

from __future__ import annotations

import dataclasses
import uuid
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from deploy.local.kafka import topics
from schemas import topics as table
from schemas.settings import KafkaSettings
from tests.support.stack import KafkaServer, kafka_broker
from tests.support.wait import wait_for

pytestmark = pytest.mark.integration


def settings(server: KafkaServer, **changes: object) -> KafkaSettings:
    return KafkaSettings.model_validate(
        {"bootstrap": server.bootstrap, "topic_prefix": f"t{uuid.uuid4().hex[:8]}.", "partitions": 3, **changes}
    )


def described(server: KafkaServer, name: str) -> tuple[int, dict[str, str]]:
    admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
    try:
        partitions = len(admin.describe_topics([name])[0]["partitions"])
        config = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)], config_filter="all")
        return partitions, {key: entry["value"] for key, entry in config["topic"][name].items()}
    finally:
        admin.close()


def test_creates_every_topic_once(kafka: KafkaServer) -> None:
    wanted = settings(kafka)
    created = topics.create_topics(wanted)
    assert created == sorted(topic.full_name(wanted.topic_prefix) for topic in table.ALL)
    assert topics.create_topics(wanted) == []
    for topic in table.ALL:
        partitions, config = described(kafka, topic.full_name(wanted.topic_prefix))
        assert partitions == (3 if topic.copartitioned else 1)
        assert topic.config().items() <= config.items()


def test_sets_a_configuration_that_differs(kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = settings(kafka)
    topics.create_topics(wanted)
    longer = dataclasses.replace(table.ALERTS, retention_ms=table.ALERTS.retention_ms + 1)
    monkeypatch.setattr(table, "ALL", (*(t for t in table.ALL if t is not table.ALERTS), longer))
    assert topics.create_topics(wanted) == []
    name = longer.full_name(wanted.topic_prefix)
    # The controller has answered; the broker's own view follows a moment later.
    wait_for(lambda: described(kafka, name)[1]["retention.ms"] == str(longer.retention_ms), 30, "the new retention")


def test_refuses_another_number_of_partitions_and_names_the_fix(kafka: KafkaServer) -> None:
    wanted = settings(kafka)
    topics.create_topics(wanted)
    with pytest.raises(topics.TopicsError, match=r"has 3 partitions, the settings say 4.*SNAG_KAFKA__PARTITIONS=3"):
        topics.create_topics(wanted.model_copy(update={"partitions": 4}))


def test_refuses_a_topic_with_too_few_replicas_and_names_the_fix(kafka: KafkaServer) -> None:
    wanted = settings(kafka)
    topics.create_topics(wanted)
    with pytest.raises(topics.TopicsError, match=r"has 1 replicas, the settings say 3.*SNAG_KAFKA__REPLICATION=1"):
        topics.create_topics(wanted.model_copy(update={"replication": 3}))


def test_a_killed_broker_comes_back_with_its_records(tmp_path: Path) -> None:
    with kafka_broker(tmp_path) as server:
        wanted = settings(server)
        topics.create_topics(wanted)
        name = table.CLICKSTREAM.full_name(wanted.topic_prefix)
        # The largest record that is allowed, so that the broker's own limits are shown to be no lower.
        value = b"x" * (table.MAX_RECORD_BYTES - 1024)
        producer = KafkaProducer(
            bootstrap_servers=server.bootstrap, acks="all", enable_idempotence=False, max_request_size=16 * 1024 * 1024
        )
        producer.send(name, value, partition=0).get(timeout=30)
        producer.close()
        first = server.pid
        server.kill()
        assert not server.is_running
        server.restart()
        assert server.pid != first
        consumer = KafkaConsumer(
            name,
            bootstrap_servers=server.bootstrap,
            auto_offset_reset="earliest",
            consumer_timeout_ms=30_000,
            max_partition_fetch_bytes=16 * 1024 * 1024,
        )
        assert next(consumer).value == value
        consumer.close()
