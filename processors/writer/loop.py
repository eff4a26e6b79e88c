"""The writer's loop: poll Kafka, feed the tables, commit what is written."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import Any, Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from processors.writer.delivery import Backoff, Delivery
from processors.writer.eraser import Eraser
from processors.writer.feed import Feed
from processors.writer.insert import Inserter
from processors.writer.rejection import RejectedTopic
from schemas.logs import get_logger
from schemas.metrics import Metrics
from schemas.settings import Settings
from schemas.topics import ERASURES, RECEIVED_AT_HEADER, REJECTED, TABLE_OF_TOPIC

_log = get_logger(__name__)

_POLL_S: Final = 0.5  # how long the loop may sleep while nothing happens: SIGTERM is seen within it
_FLYING_POLL_S: Final = 0.05  # while an insert is under way, whose end should be seen soon
_COMMIT_TIMEOUT_MS: Final = 5_000
_STOP_DEADLINE_S: Final = 6.0  # to flush at the end; supervisors kill after ten
_LEAVE_TIMEOUT_MS: Final = 2_000
_SESSION_TIMEOUT_MS: Final = 10_000  # a killed writer's partitions move on after it
_METADATA_AGE_MS: Final = 10_000  # new topics and partitions are seen after it
_RECONNECT_MAX_MS: Final = 1_000  # a broker that was restarted is used again after it
_FETCH_MAX_BYTES: Final = 16 * 1024 * 1024  # bounds the memory of records fetched and not yet polled


class _Assignments(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Hands changes of the assignment to the loop. Called on the consumer's I/O thread, which must not be held up.

    Revoked partitions are no news: nothing is fetched until the next assignment, and in the one that says which are
    lost the consumer goes on with the others where it was.
    """

    def __init__(self) -> None:
        self.changes: SimpleQueue[tuple[bool, frozenset[TopicPartition]]] = SimpleQueue()
        """Whether the group has this consumer, and what it has been assigned."""

    def on_partitions_revoked(self, revoked: Any) -> None:
        pass

    def on_partitions_assigned(self, assigned: Any) -> None:
        self.changes.put((True, frozenset(assigned)))

    def on_partitions_lost(self, lost: Any) -> None:
        self.changes.put((False, frozenset()))


class Writer:
    """Writes every topic of TABLE_OF_TOPIC into its table. `run` blocks; the rest may be read from other threads."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        prefix = settings.kafka.topic_prefix
        self._rejected = RejectedTopic(settings.kafka)
        self._inserter = Inserter(settings.clickhouse)
        self._feeds = {
            f"{prefix}{topic}": self._feed(f"{prefix}{topic}", table) for topic, table in TABLE_OF_TOPIC.items()
        }
        self._eraser = Eraser(settings, metrics)
        self._erasures = TopicPartition(ERASURES.full_name(prefix), 0)
        self._assignments = _Assignments()
        self._owned: frozenset[TopicPartition] = frozenset()
        self._to_commit: dict[TopicPartition, int] = {}
        self._written: dict[TopicPartition, int] = {}
        self.joined = False
        self.beat_s = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Write until `stop` is set; then flush, commit and leave the group within a deadline.

        Raises:
            RejectError: refused rows could not be kept; nothing of their batch is committed.
            kafka.errors.KafkaError: Kafka did not answer at the start.
        """
        consumer = self._consumer()
        try:
            while not stop.is_set():
                self._turn(consumer, self._poll_timeout_s())
            self._flush(consumer)
        finally:
            for feed in self._feeds.values():
                feed.abandon()
            consumer.close(autocommit=False, timeout_ms=_LEAVE_TIMEOUT_MS)
            self._rejected.close()
            self._inserter.close()

    def _turn(self, consumer: Any, timeout_s: float) -> None:
        """One round: poll, take the records, start and finish deliveries, commit."""
        polled = consumer.poll(timeout_ms=int(timeout_s * 1000))
        self.beat_s = now_s = time.monotonic()
        self._adopt_assignment()
        for partition, records in polled.items():
            if partition in self._owned:
                self._take(partition, records, now_s)
        for feed in self._feeds.values():
            due_s = feed.due_in_s(now_s)
            if due_s is not None and due_s <= 0:
                feed.launch()
        self._collect()
        self._commit(consumer)
        self._eraser.turn(now_s, is_ours=self._erasures in self._owned)
        self._pause_blocked(consumer)
        self._report_lag(consumer)

    def _take(self, partition: TopicPartition, records: list[Any], now_s: float) -> None:
        feed = self._feeds[partition.topic]
        self._written.setdefault(partition, records[0].offset)
        for record in records:
            feed.add(partition.partition, record.offset, record.value, _received_ms(record), now_s)

    def _adopt_assignment(self) -> None:
        while True:
            try:
                self.joined, assigned = self._assignments.changes.get_nowait()
            except Empty:
                return
            self._owned = assigned
            for topic, feed in self._feeds.items():
                feed.keep({partition.partition for partition in assigned if partition.topic == topic})
            self._to_commit = {p: offset for p, offset in self._to_commit.items() if p in assigned}
            self._written = {p: offset for p, offset in self._written.items() if p in assigned}
            _log.info("partitions_assigned", partitions=len(assigned))

    def _collect(self) -> None:
        for topic, feed in self._feeds.items():
            for partition, offset in feed.collect().items():
                self._to_commit[TopicPartition(topic, partition)] = offset
                if topic == self._erasures.topic:
                    self._eraser.wake()

    def _commit(self, consumer: Any) -> None:
        if not self._to_commit:
            return
        offsets = {p: OffsetAndMetadata(offset, "", -1) for p, offset in self._to_commit.items()}
        try:
            consumer.commit(offsets, timeout_ms=_COMMIT_TIMEOUT_MS)
        except KafkaError as error:
            # A rebalance is on, or Kafka is out: what is still ours is committed with the next round.
            _log.warning("commit_failed", error=type(error).__name__, partitions=len(offsets))
        else:
            self._written |= self._to_commit
            self._to_commit = {}

    def _pause_blocked(self, consumer: Any) -> None:
        wanted = {partition for partition in self._owned if self._feeds[partition.topic].blocked}
        paused = consumer.paused()
        consumer.pause(*(wanted - paused))
        consumer.resume(*(paused - wanted))

    def _report_lag(self, consumer: Any) -> None:
        lag = dict.fromkeys(self._feeds, 0)
        for partition in self._owned:
            end = consumer.highwater(partition)
            if end is not None:
                lag[partition.topic] += end - self._written.get(partition, end)
        for topic, records in lag.items():
            self._metrics.gauge("snag_writer_lag_records", topic).set(records)

    def _poll_timeout_s(self) -> float:
        now_s = time.monotonic()
        waits = [_POLL_S]
        for feed in self._feeds.values():
            due_s = feed.due_in_s(now_s)
            if due_s is not None:
                waits.append(due_s)
            elif feed.landing:
                waits.append(_FLYING_POLL_S)
        return min(waits)

    def _flush(self, consumer: Any) -> None:
        deadline_s = time.monotonic() + _STOP_DEADLINE_S
        consumer.pause(*self._owned)
        while time.monotonic() < deadline_s:
            for feed in self._feeds.values():
                feed.launch()
            self._collect()
            if all(feed.idle for feed in self._feeds.values()):
                break
            time.sleep(_FLYING_POLL_S)
        else:
            _log.warning("stopped_unflushed", reason="ClickHouse did not take the rest in time; it is read again")
        self._commit(consumer)

    def _feed(self, topic: str, table: str) -> Feed:
        writer = self._settings.writer

        def insert(body: bytes, token: str) -> None:
            self._inserter.insert(table, body, token)

        reject = None if table == TABLE_OF_TOPIC[REJECTED.name] else self._rejected.send
        delivery = Delivery(table, insert, reject, Backoff(writer.retry_min_s, writer.retry_max_s), self._metrics)
        return Feed(topic, delivery, writer.insert_interval_s, writer.max_insert_bytes)

    def _consumer(self) -> Any:
        kafka = self._settings.kafka
        consumer = KafkaConsumer(
            bootstrap_servers=kafka.bootstrap,
            group_id=self._settings.writer.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            session_timeout_ms=_SESSION_TIMEOUT_MS,
            metadata_max_age_ms=_METADATA_AGE_MS,
            reconnect_backoff_max_ms=_RECONNECT_MAX_MS,
            fetch_max_bytes=_FETCH_MAX_BYTES,
            # kafka-python computes CRC-32C in Python, 7 MB/s; the broker has checked it, and TCP checks the way here.
            check_crcs=False,
        )
        consumer.subscribe(list(self._feeds), listener=self._assignments)
        return consumer


def _received_ms(record: Any) -> int:
    """When the newest row of `record` was received, Unix ms; Kafka's own time for a record without the header."""
    for name, value in record.headers:
        if name == RECEIVED_AT_HEADER and value is not None and value.isdigit():
            return int(value)
    return int(record.timestamp)
