"""Records to Kafka, acknowledged by all replicas; and whether Kafka can be reached at all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ingest.batcher import AckError, Done, RefusedError
from schemas.logs import get_logger
from schemas.settings import KafkaSettings
from schemas.topics import (
    CHECKOUTS,
    CLICKSTREAM,
    ERASURES,
    ERRORS,
    MAX_RECORD_BYTES,
    NDJSON,
    RECEIVED_AT_HEADER,
    REJECTED,
)

_log = get_logger(__name__)

TOPICS: Final = (CLICKSTREAM, ERRORS, CHECKOUTS, REJECTED, ERASURES)
"""All that the collector writes to: Kafka counts as up when it has them all."""

_PROBE_INTERVAL_S: Final = 1.0  # how long an idle collector may believe in a dead Kafka, and a busy one in a live one
_PROBE_TIMEOUT_S: Final = 2.0  # a broker that takes longer to list a topic is not one to promise durability on
_QUEUE_KIB: Final = 1024 * 1024  # librdkafka's own bound; ingest.max_in_flight_bytes lies far below it
_POLL_S: Final = 0.001  # between looks for outcomes while there are any to come; a broker takes longer than that
_LASTING: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,  # the topic's max.message.bytes, or ours
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.RECORD_LIST_TOO_LARGE,  # the broker's segment size
        KafkaError.INVALID_RECORD,  # a compacted topic, a schema that the broker checks
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
        KafkaError.POLICY_VIOLATION,
        KafkaError.TOPIC_EXCEPTION,  # no name of a topic
    }
)
"""Answers to what a record is. That a topic or partition is not there, or not ours to write to, is none: it is mended
in Kafka, and until then everything waits."""

_CONTENT_TYPE: Final = ("content-type", NDJSON.encode())


class KafkaSink:
    """One librdkafka producer, bridged to the event loop, and a thread that watches whether Kafka answers.

    `up`, `reason` and `partitions` change only on the event loop. Nothing here blocks it: sending is putting into
    librdkafka's queue, whose own threads compress and send outside of Python's lock; metadata belongs to the watching
    thread. The producer is not idempotent: a record stored twice is recognised by its event ids.
    """

    def __init__(self, settings: KafkaSettings, *, ack_timeout_s: float) -> None:
        self._settings = settings
        self._topics = {topic.full_name(settings.topic_prefix): topic for topic in TOPICS}
        self._producer = _producer(settings, max(int(ack_timeout_s * 1000 * 0.9), 100))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="kafka-watch", daemon=True)
        self._outstanding = 0  # records whose outcome is not known
        self._polling = False
        self._flushed: asyncio.Event | None = None
        self._down_at = 0.0
        self.up = False
        self.reason = "not connected yet"
        self.partitions = settings.partitions
        self.on_change: Callable[[], None] = lambda: None
        """Called after `up` has changed."""
        self.before_relayout: Callable[[], None] = lambda: None
        """Called before `partitions` changes: what was partitioned by the old number has to be sent while it holds."""

    def start(self) -> None:
        """Begin connecting, in the background; call on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._watcher.start()

    async def close(self, timeout_s: float) -> None:
        """Await outcomes for at most `timeout_s`, and stop watching, waiting as long for a probe under way."""
        if self._outstanding:
            self._flushed = asyncio.Event()
            try:
                await asyncio.wait_for(self._flushed.wait(), timeout_s)
            except TimeoutError:  # none of it was answered 200 by Kafka
                _log.warning("the producer did not flush in time", records=self._outstanding)
        self._stopping.set()
        if self._watcher.is_alive():
            await asyncio.to_thread(self._watcher.join, timeout_s)

    def send(self, topic: str, partition: int, value: bytes, received_at_ms: int, done: Done) -> None:
        """Send one record (see `batcher.Sink`)."""
        headers: list[tuple[str, str | bytes | None]] = [_CONTENT_TYPE, (RECEIVED_AT_HEADER, b"%d" % received_at_ms)]
        try:
            self._producer.produce(
                topic, value, partition=partition, headers=headers, on_delivery=partial(self._delivered, done)
            )
        except (KafkaException, BufferError) as error:  # partition unknown, record too large, queue full
            found = error.args[0]
            assert self._loop is not None  # noqa: S101  start() is what makes a sink
            self._loop.call_soon(done, self._failure(topic, found if isinstance(found, KafkaError) else str(error)))
            return
        self._outstanding += 1
        self._poll_soon()

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

    # Outcomes are taken on the loop, all that are there at a time. A thread that waits for them would have to wrest
    # Python's lock from the loop for each one: two switches a record, and a record holds few lines when each request
    # brings one.

    def _poll_soon(self) -> None:
        if self._outstanding and not self._polling:
            self._polling = True
            assert self._loop is not None  # noqa: S101  start() is what makes a sink
            self._loop.call_later(_POLL_S, self._poll)

    def _poll(self) -> None:
        self._polling = False
        try:
            self._producer.poll(0)
        finally:
            self._poll_soon()

    def _delivered(self, done: Done, error: KafkaError | None, message: Message) -> None:
        self._outstanding -= 1
        if not self._outstanding and self._flushed is not None:
            self._flushed.set()
        done(None if error is None else self._failure(message.topic() or "", error))

    def _failure(self, topic: str, error: KafkaError | str) -> AckError:
        """What `error` says of the record, or, if it is none about records, of Kafka, which then counts as down."""
        reason = error if isinstance(error, str) else error.str()
        if isinstance(error, KafkaError) and error.code() in _LASTING:
            return RefusedError(reason)
        if topic not in self._topics:  # a name of another version: no probe will tell when it is there
            return RefusedError(reason)
        self.mark_down(reason)
        return AckError(reason)

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
        if partitions != self.partitions:
            self.before_relayout()
            self.partitions = partitions
        self._set(up=True, reason="")

    def _report(self, change: partial[None]) -> None:
        assert self._loop is not None  # noqa: S101  start() is what makes a sink
        if not self._stopping.is_set():
            self._loop.call_soon_threadsafe(change)

    def _probe(self) -> int:
        """How many partitions the co-partitioned topics have. Raises KafkaException unless all have a leader."""
        counts = []
        for name, known in self._topics.items():
            topic = self._producer.list_topics(name, timeout=_PROBE_TIMEOUT_S).topics[name]
            if topic.error is not None:
                raise KafkaException(
                    KafkaError(
                        topic.error.code(), f"topic {name} is not there ({topic.error.str()}); create the topics"
                    )
                )
            if any(partition.leader < 0 for partition in topic.partitions.values()):
                raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE, f"topic {name} lacks a leader"))
            if known.copartitioned:
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
