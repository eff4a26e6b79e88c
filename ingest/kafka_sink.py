"""Records to Kafka, acknowledged by all replicas; and whether Kafka can be reached at all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ingest.batcher import AckError, Done
from schemas.logs import get_logger
from schemas.settings import KafkaSettings
from schemas.topics import CHECKOUTS, CLICKSTREAM, ERRORS, MAX_RECORD_BYTES, NDJSON, RECEIVED_AT_HEADER, REJECTED

_log = get_logger(__name__)

TOPICS: Final = (CLICKSTREAM, ERRORS, CHECKOUTS, REJECTED)

_PROBE_INTERVAL_S: Final = 1.0  # how long an idle collector may believe in a dead Kafka, and a busy one in a live one
_PROBE_TIMEOUT_S: Final = 2.0  # a broker that takes longer to list a topic is not one to promise durability on
_QUEUE_KIB: Final = 1024 * 1024  # librdkafka's own bound; ingest.max_in_flight_bytes lies far below it
_POLL_S: Final = 0.5  # how long the thread that takes outcomes sleeps without any
_CONTENT_TYPE: Final = ("content-type", NDJSON.encode())


class KafkaSink:
    """One librdkafka producer, bridged to the event loop, and a thread that watches whether Kafka answers.

    `up`, `reason` and `partitions` change only on the event loop. Nothing here blocks it: sending is putting into
    librdkafka's queue, whose own threads compress and send outside of Python's lock; metadata belongs to the watching
    thread. The producer is not idempotent: a record stored twice is recognised by its event ids.
    """

    def __init__(self, settings: KafkaSettings, *, ack_timeout_s: float) -> None:
        self._settings = settings
        self._names = [topic.full_name(settings.topic_prefix) for topic in TOPICS]
        self._producer = _producer(settings, max(int(ack_timeout_s * 1000 * 0.9), 100))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, name="kafka-watch", daemon=True),
            threading.Thread(target=self._take_outcomes, name="kafka-outcomes", daemon=True),
        ]
        self._outcomes: deque[tuple[Done, AckError | None]] = deque()
        self._delivery_scheduled = False
        self._down_at = 0.0
        self.up = False
        self.reason = "not connected yet"
        self.partitions = settings.partitions
        self.on_change: Callable[[], None] = lambda: None
        """Called after `up` has changed."""

    def start(self) -> None:
        """Begin connecting, in the background; call on the event loop."""
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()

    async def close(self, timeout_s: float) -> None:
        """Flush, waiting at most `timeout_s`, and stop watching, waiting as long for a probe under way."""
        left = await asyncio.to_thread(self._producer.flush, timeout_s)
        if left:  # none of it was answered 200 by Kafka
            _log.warning("the producer did not flush in time", records=left)
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                await asyncio.to_thread(thread.join, timeout_s)

    def send(self, topic: str, partition: int, value: bytes, received_at_ms: int, done: Done) -> None:
        """Send one record (see `batcher.Sink`)."""
        headers: list[tuple[str, str | bytes | None]] = [_CONTENT_TYPE, (RECEIVED_AT_HEADER, b"%d" % received_at_ms)]
        try:
            self._producer.produce(
                topic, value, partition=partition, headers=headers, on_delivery=partial(self._delivered, done)
            )
        except (KafkaException, BufferError) as error:  # partition unknown, record too large, queue full
            self.mark_down(str(error))
            assert self._loop is not None  # noqa: S101  start() is what makes a sink
            self._loop.call_soon(done, AckError(str(error)))

    def mark_down(self, reason: str) -> None:
        """Believe Kafka to be down until a probe that starts after now succeeds."""
        self._down_at = time.monotonic()
        self._set(up=False, reason=reason)

    def _set(self, *, up: bool, reason: str) -> None:
        if up != self.up:
            if up:
                _log.info("kafka is up", bootstrap=self._settings.bootstrap, partitions=self.partitions)
            else:
                _log.warning("kafka is down", bootstrap=self._settings.bootstrap, reason=reason)
        changed = up != self.up
        self.up = up
        self.reason = reason
        if changed:
            self.on_change()

    # From the thread that takes outcomes to the loop: they are queued, and one wake-up takes all that are there.

    def _take_outcomes(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(_POLL_S)

    def _delivered(self, done: Done, error: KafkaError | None, _message: Message) -> None:
        self._outcomes.append((done, None if error is None else AckError(error.str())))
        if not self._delivery_scheduled:
            self._delivery_scheduled = True
            assert self._loop is not None  # noqa: S101  start() is what makes a sink
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._delivery_scheduled = False  # first: an outcome queued from here on schedules its own delivery
        while self._outcomes:
            done, error = self._outcomes.popleft()
            if error is not None:
                self.mark_down(str(error))
            done(error)

    # The watching thread.

    def _watch(self) -> None:
        while not self._stopping.is_set():
            started_at = time.monotonic()
            try:
                partitions = self._probe()
            except KafkaException as error:
                self._report(partial(self._set, up=False, reason=_reason(error)))
            else:
                self._report(partial(self._seen, started_at, partitions))
            self._stopping.wait(_PROBE_INTERVAL_S)

    def _seen(self, started_at: float, partitions: int) -> None:
        if started_at < self._down_at:
            return
        if self.up and partitions != self.partitions:
            _log.warning("the number of partitions changed", before=self.partitions, now=partitions)
        self.partitions = partitions
        self._set(up=True, reason="")

    def _report(self, change: partial[None]) -> None:
        assert self._loop is not None  # noqa: S101  start() is what makes a sink
        if not self._stopping.is_set():
            self._loop.call_soon_threadsafe(change)

    def _probe(self) -> int:
        """How many partitions the co-partitioned topics have. Raises KafkaException unless all have a leader."""
        counts = []
        for name in self._names:
            topic = self._producer.list_topics(name, timeout=_PROBE_TIMEOUT_S).topics[name]
            if topic.error is not None:
                raise KafkaException(
                    KafkaError(
                        topic.error.code(), f"topic {name} is not there ({topic.error.str()}); create the topics"
                    )
                )
            if any(partition.leader < 0 for partition in topic.partitions.values()):
                raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE, f"topic {name} lacks a leader"))
            counts.append(len(topic.partitions))
        return min(counts)


def _producer(settings: KafkaSettings, delivery_ms: int) -> Producer:
    return Producer(
        {
            "bootstrap.servers": settings.bootstrap,
            "client.id": "snag-ingest",
            "acks": "all",
            "enable.idempotence": False,
            "compression.type": "lz4",
            "linger.ms": 0,  # the batcher lingers
            "message.max.bytes": MAX_RECORD_BYTES,
            "queue.buffering.max.kbytes": _QUEUE_KIB,
            "message.timeout.ms": delivery_ms,  # ends before we give up on it ourselves
            "request.timeout.ms": delivery_ms,
            "retry.backoff.ms": 50,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "allow.auto.create.topics": False,
            "topic.metadata.propagation.max.ms": delivery_ms,
            "socket.nagle.disable": True,
            "log_level": 0,  # whether Kafka answers is said once, by the watching thread
        }
    )


def _reason(error: KafkaException) -> str:
    found = error.args[0]
    return found.str() if isinstance(found, KafkaError) else str(error)
