"""The look at a real Kafka: what is there, who leads, and in what words it says what is missing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.local.kafka.topics import create_topics
from ingest.kafka_sink import TOPICS
from ingest.kafka_watch import KafkaWatch, Layout
from schemas.settings import KafkaSettings
from schemas.topics import RAW
from tests.support.ports import free_port
from tests.support.stack import KafkaServer
from tests.support.wait import wait_for

pytestmark = pytest.mark.integration

DEADLINE_S = 60
PARTITIONS = 3


@contextmanager
def watching(settings: KafkaSettings) -> Iterator[tuple[list[tuple[float, Layout]], list[str]]]:
    """What was seen and what was missed, as it comes."""
    seen: list[tuple[float, Layout]] = []
    missed: list[str] = []
    watch = KafkaWatch(settings, TOPICS, seen=lambda *found: seen.append(found), missed=missed.append)
    watch.start()
    try:
        yield seen, missed
    finally:
        watch.stop()
        watch.join(DEADLINE_S)


def test_it_names_the_topic_that_is_missing_and_tells_the_leaders_when_all_are_there(kafka: KafkaServer) -> None:
    settings = KafkaSettings(bootstrap=kafka.bootstrap, topic_prefix=f"t{uuid.uuid4().hex[:8]}_", partitions=PARTITIONS)
    with watching(settings) as (seen, missed):
        wait_for(lambda: missed, DEADLINE_S, "the topics are missed")
        assert missed[0].startswith(
            f"{kafka.bootstrap}: topic {TOPICS[0].full_name(settings.topic_prefix)} is not there"
        )
        assert missed[0].endswith("create the topics")
        assert not seen
        create_topics(settings)
        wait_for(lambda: seen, DEADLINE_S, "the topics are seen")
    when, layout = seen[0]
    assert when < time.monotonic()
    assert layout.partitions == PARTITIONS
    raw = {(topic.full_name(settings.topic_prefix), at) for topic in RAW for at in range(PARTITIONS)}
    assert raw <= set(layout.leaders)
    host, port = kafka.bootstrap.split(":")
    assert set(layout.leaders.values()) == {(host, int(port))}


def test_it_says_where_nobody_answers() -> None:
    settings = KafkaSettings(bootstrap=f"127.0.0.1:{free_port()}")
    with watching(settings) as (seen, missed):
        wait_for(lambda: missed, DEADLINE_S, "Kafka is missed")
    assert missed[0].startswith(f"{settings.bootstrap}: ")
    assert not seen
