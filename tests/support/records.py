"""Topics read whole, as they are when asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition

DEADLINE_S: Final = 60


def records_at(bootstrap: str, places: Sequence[TopicPartition]) -> Iterator[Any]:
    """Every record that is at `places` now, those of one partition in order.

    Raises:
        AssertionError: they were not read within DEADLINE_S.
    """
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        deadline = monotonic() + DEADLINE_S
        while any(consumer.position(place) < end for place, end in ends.items()):
            assert monotonic() < deadline, f"the topics were not read within {DEADLINE_S} s"
            for records in consumer.poll(timeout_ms=200).values():
                yield from records
    finally:
        consumer.close()
