"""The session rows in Kafka, read as they come: how many events they tell of, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from kafka import KafkaConsumer, TopicPartition

from bench.live.fill import PARTITIONS


class SessionRows:
    """What `topic` tells, from where it ended when this was made. Reading goes on where it stood, so ask at will."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._newest: dict[tuple[str, str], tuple[int, int]] = {}
        self._events = 0
        self._reached: dict[int, int] = {}

    def events(self) -> int:
        """The sum of events over the newest row of each session so far."""
        places = self._consumer.assignment()
        ends = self._consumer.end_offsets(list(places))
        while any(self._consumer.position(place) < ends[place] for place in places):
            found = [record for records in self._consumer.poll(timeout_ms=1000).values() for record in records]
            for record in sorted(found, key=lambda record: record.timestamp):
                self._take(record)
        return self._events

    def reached_at_s(self, events: int) -> float:
        """When Kafka had taken in rows that tell of `events`, in seconds as of time.time(); KeyError if it has not."""
        return self._reached[events] / 1000

    def _take(self, record: Any) -> None:
        for line in record.value.splitlines():
            row = orjson.loads(line)
            key = (row["session_id"], row["started_at"])
            before = self._newest.get(key, (0, 0))
            after = max(before, (row["version"], 0 if row.get("deleted") else row["events"]))
            self._newest[key] = after
            self._events += after[1] - before[1]
        self._reached.setdefault(self._events, record.timestamp)


@contextmanager
def session_rows(bootstrap: str, topic: str, *, from_start: bool = False) -> Iterator[SessionRows]:
    """The rows of `topic`, those from now on or all."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    consumer.assign(places)
    if from_start:
        consumer.seek_to_beginning(*places)
    else:
        consumer.seek_to_end(*places)
    try:
        for place in places:
            consumer.position(place)  # where the end is now, not when it is first asked
        yield SessionRows(consumer)
    finally:
        consumer.close()
