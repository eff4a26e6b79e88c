"""Fill the broker: all topics made, and the same seeded events as micro-batches and one by one."""

from __future__ import annotations

import time
from typing import Final

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from bench.live.events import encode, events
from schemas import topics
from schemas.event import partition_key
from schemas.topics import partition_of

PARTITIONS: Final = 8
EVENTS_PER_RECORD: Final = 20
_ARRIVAL: Final = {"message.timestamp.type": "LogAppendTime"}  # records tell when the broker took them in


def make_topics(bootstrap: str, prefix: str, *plain_topics: str) -> None:
    """Make all of the project's topics under `prefix`, and `plain_topics` with as many partitions."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    made = [
        NewTopic(t.full_name(prefix), PARTITIONS if t.copartitioned else 1, 1, topic_configs=t.config() | _ARRIVAL)
        for t in topics.ALL
    ]
    admin.create_topics([*made, *(NewTopic(name, PARTITIONS, 1) for name in plain_topics)])
    admin.close()


def fill(bootstrap: str, prefix: str, plain_topic: str, *, count: int, plain_count: int) -> None:
    """Write `count` events as micro-batches to the raw topics, the first `plain_count` also singly to `plain_topic`."""
    make_topics(bootstrap, prefix, plain_topic)
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=False, linger_ms=20)
    waiting: dict[tuple[str, int], list[bytes]] = {}
    for i, event in enumerate(events(count, int(time.time() * 1000))):
        partition = partition_of(partition_key(event), PARTITIONS)
        line = encode(event)
        if i < plain_count:
            producer.send(plain_topic, key=event.session_id.encode(), value=line, partition=partition)
        slot = (topics.TOPIC_OF_KIND[event.kind].full_name(prefix), partition)
        batch = waiting.setdefault(slot, [])
        batch.append(line)
        if len(batch) == EVENTS_PER_RECORD:
            producer.send(slot[0], value=b"\n".join(batch), partition=partition)
            batch.clear()
    for (topic, partition), batch in waiting.items():
        if batch:
            producer.send(topic, value=b"\n".join(batch), partition=partition)
    producer.flush()
    producer.close()
