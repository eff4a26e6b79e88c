"""Reading Snag's Kafka topics as they grow: no consumer group, no commits, any number of readers side by side."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.topics import NDJSON, Topic
from snag.errors import PartUnreachable, SnagError

_BOOTSTRAP_TIMEOUT_MS: Final = (
    5_000  # a local broker answers in milliseconds; its absence should not take half a minute
)
_POLL_MS: Final = 500


class KafkaUnreachable(PartUnreachable):
    """No Kafka broker answers at the address."""


class TopicMissing(SnagError):
    """A topic that Snag's parts create on start is not there."""


@dataclass(frozen=True)
class Record:
    """One Kafka record of `topic`; header values are text."""

    topic: Topic
    partition: int
    offset: int
    value: bytes
    headers: Mapping[str, str]

    def lines(self) -> list[bytes]:
        """The record's JSON objects: the lines of a micro-batch, or the value itself."""
        if self.topic.content_type != NDJSON:
            return [self.value]
        return [line for line in self.value.split(b"\n") if line]


def follow(bootstrap: str, topics: Sequence[Topic], *, prefix: str, from_start: bool) -> Generator[Record]:
    """Records of `topics` without end, those to come or (`from_start`) all that Kafka still keeps.

    Reading starts at the call, not at the first record taken. Close the iterator to leave. Raises KafkaUnreachable
    and TopicMissing.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what goes wrong is said once, by the errors raised here
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=None,
            enable_auto_commit=False,
            bootstrap_timeout_ms=_BOOTSTRAP_TIMEOUT_MS,
        )
    except KafkaError as error:
        raise KafkaUnreachable(f"No Kafka broker answers at {bootstrap}.") from error
    try:
        partitions: dict[Any, Topic] = {}
        for topic in topics:
            name = topic.full_name(prefix)
            numbers = consumer.partitions_for_topic(name)
            if not numbers:
                raise TopicMissing(
                    f"Kafka at {bootstrap} has no topic {name!r}. Snag's parts create it when they start; "
                    "if it has another prefix, set SNAG_KAFKA__TOPIC_PREFIX."
                )
            partitions |= {TopicPartition(name, number): topic for number in numbers}
        consumer.assign(list(partitions))
        # Offsets are asked for now, of all partitions at once: a lazy seek could still miss what is sent next.
        offsets = consumer.beginning_offsets if from_start else consumer.end_offsets
        for partition, offset in offsets(list(partitions)).items():
            consumer.seek(partition, offset)
    except BaseException as error:
        consumer.close()
        if isinstance(error, KafkaError):
            raise KafkaUnreachable(f"Kafka at {bootstrap} stopped answering: {error}") from error
        raise
    return _records(consumer, partitions)


def _records(consumer: Any, partitions: Mapping[Any, Topic]) -> Generator[Record]:
    try:
        while True:
            for partition, found in consumer.poll(timeout_ms=_POLL_MS).items():
                topic = partitions[partition]
                for record in found:
                    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
                    yield Record(topic, record.partition, record.offset, record.value or b"", headers)
    finally:
        consumer.close()
