"""Simulated traffic straight to Kafka's topics, as the collector would have filled them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from processors.live.tick import Tick, encode_tick
from schemas.topics import MAX_RECORD_BYTES, NDJSON, RECEIVED_AT_HEADER, TICKS, TOPIC_OF_KIND, partition_of
from snag.errors import PartUnreachable, SnagError
from snag.simulator.stream import Arrived
from snag.simulator.variants import SITE, Templates

_RECORD_EVENTS: Final = 200  # the collector's own batches are of that order
_TIMEOUT_S: Final = 10.0
_QUEUE_KIB: Final = 65_536


class KafkaOutput:
    """Producer of the raw topics. Raises PartUnreachable when Kafka does not answer, SnagError when it refuses."""

    def __init__(self, bootstrap: str, prefix: str, templates: Templates) -> None:
        self._bootstrap, self._prefix, self._kinds = bootstrap, prefix, templates.kinds
        self._failed: KafkaError | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "client.id": "snag-simulate",
                "acks": "all",
                "compression.type": "lz4",
                "message.max.bytes": MAX_RECORD_BYTES,
                "queue.buffering.max.kbytes": _QUEUE_KIB,
                "allow.auto.create.topics": False,
                "log_level": 0,  # errors are told once, by what is raised here
            }
        )
        self.partitions = min(self._partitions(topic.full_name(prefix)) for topic in TOPIC_OF_KIND.values())
        self._key_to_partition: dict[tuple[str, bytes], int] = {}

    def send(self, arrived: Arrived, site: str = SITE) -> None:
        """Every event to its topic and partition, in micro-batches; blocks while the producer's queue is full."""
        batches: dict[tuple[str, int], list[bytes]] = defaultdict(list)
        topics = [TOPIC_OF_KIND[kind].full_name(self._prefix) for kind in self._kinds]
        for at_ms, line, variant, name in zip(
            arrived.at_ms.tolist(), arrived.lines, arrived.variants, arrived.names, strict=True
        ):
            key = topics[variant], self._partition(site, name)
            batch = batches[key]
            batch.append(line)
            if len(batch) >= _RECORD_EVENTS:
                self._produce(*key, batches.pop(key), at_ms)
        for key, batch in batches.items():
            self._produce(*key, batch, int(arrived.at_ms[-1]))

    def flush(self) -> None:
        """Wait until Kafka has everything. Raises SnagError."""
        left = self._producer.flush(_TIMEOUT_S * 6)
        if self._failed is not None or left:
            reason = self._failed.str() if self._failed is not None else f"{left} records were not acknowledged in time"
            raise SnagError(f"Kafka at {self._bootstrap} did not take everything: {reason}.")

    def tell_time(self, at_ms: int) -> None:
        """A tick (Unix ms) for every partition: for workers without a clock of their own (setting live.clock)."""
        for partition in range(self.partitions):
            self._producer.produce(TICKS.full_name(self._prefix), encode_tick(Tick(at_ms)), partition=partition)
        self._producer.poll(0)

    def _partition(self, site: str, name: bytes) -> int:
        visitor = name.partition(b".")[0]  # a person's later visits have a suffix
        found = self._key_to_partition.get((site, visitor))
        if found is None:
            found = partition_of(b"%b:v-%b" % (site.encode(), visitor), self.partitions)
            self._key_to_partition[site, visitor] = found
        return found

    def _produce(self, topic: str, partition: int, lines: Iterable[bytes], at_ms: int) -> None:
        headers: list[tuple[str, str | bytes | None]] = [
            ("content-type", NDJSON.encode()),
            (RECEIVED_AT_HEADER, b"%d" % at_ms),
        ]
        value = b"\n".join(lines)
        while True:
            try:
                self._producer.produce(topic, value, partition=partition, headers=headers, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(0.1)
                continue
            break
        self._producer.poll(0)

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._failed = self._failed or error

    def _partitions(self, topic: str) -> int:
        try:
            found = self._producer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
        except KafkaException as error:
            raise PartUnreachable(f"Kafka does not answer at {self._bootstrap}.") from error
        if found.error is not None or not found.partitions:
            raise SnagError(f"Kafka at {self._bootstrap} has no topic {topic}. Start Snag's parts once: they make it.")
        return len(found.partitions)
