"""Records to Kafka, acknowledged by all replicas; and whether Kafka can be reached at all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError

from ingest.batcher import AckError, Done
from schemas.logs import get_logger
from schemas.settings import KafkaSettings
from schemas.topics import ERASURES, MAX_RECORD_BYTES, NDJSON, RAW, RECEIVED_AT_HEADER, REJECTED

_log = get_logger(__name__)

TOPICS: Final = (*RAW, REJECTED, ERASURES)

_PROBE_INTERVAL_S: Final = 1.0  # how long an idle collector may believe in a dead Kafka, and a busy one in a live one
_PROBE_TIMEOUT_MS: Final = 2000  # a broker that takes longer to list five topics is not one to promise durability on
_PRODUCER_BATCH_BYTES: Final = 1024 * 1024  # per partition and request; our records are up to half of it
_HEADER_TYPE: Final = ("content-type", NDJSON.encode())


class KafkaSink:
    """One kafka-python producer, bridged to the event loop, and a thread that watches whether Kafka answers.

    `up`, `reason` and `partitions` change only on the event loop. Nothing here blocks it: connecting and metadata
    belong to the watching thread, and the producer's own thread does the sending.

    The producer is not idempotent: after an outage longer than its delivery timeout, kafka-python's idempotent one
    never sends again (measured). A record stored twice is recognised by its event ids.
    """

    def __init__(self, settings: KafkaSettings, *, ack_timeout_s: float) -> None:
        self._settings = settings
        self._ack_timeout_s = ack_timeout_s
        self._names = [topic.full_name(settings.topic_prefix) for topic in TOPICS]
        self._producer: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
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
        self._watcher = threading.Thread(target=self._watch, name="kafka-watch", daemon=True)
        self._watcher.start()

    async def close(self, timeout_s: float) -> None:
        """Stop watching and close the producer, waiting at most about `timeout_s` for what it still holds."""
        self._stopping.set()
        await asyncio.to_thread(self._close, timeout_s)

    def send(self, topic: str, partition: int, value: bytes, received_at_ms: int, done: Done) -> None:
        """Send one record (see `batcher.Sink`)."""
        assert self._loop is not None  # noqa: S101  start() is what makes a sink
        if self._producer is None:
            self._loop.call_soon(done, AckError(self.reason))
            return
        headers = [_HEADER_TYPE, (RECEIVED_AT_HEADER, b"%d" % received_at_ms)]
        try:
            future = self._producer.send(topic, value, headers=headers, partition=partition)
        except (KafkaError, ValueError) as error:  # metadata gone, partition unknown, record too large
            self.mark_down(str(error))
            self._loop.call_soon(done, AckError(str(error)))
            return
        future.add_callback(partial(self._acknowledged, done))
        future.add_errback(partial(self._failed, done))

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

    # From the producer's thread to the loop: outcomes are queued, and one wake-up takes all that are there.

    def _acknowledged(self, done: Done, _metadata: object) -> None:
        self._hand_over(done, None)

    def _failed(self, done: Done, error: BaseException) -> None:
        self._hand_over(done, AckError(str(error)))

    def _hand_over(self, done: Done, error: AckError | None) -> None:
        self._outcomes.append((done, error))
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
        admin: Any = None
        while not self._stopping.is_set():
            started_at = time.monotonic()
            try:
                if self._producer is None:
                    self._producer = self._connect()
                if admin is None:
                    admin = KafkaAdminClient(
                        bootstrap_servers=self._settings.bootstrap,
                        request_timeout_ms=_PROBE_TIMEOUT_MS,
                        bootstrap_timeout_ms=_PROBE_TIMEOUT_MS,
                        reconnect_backoff_max_ms=500,
                    )
                partitions = self._probe(admin)
            except Exception as error:
                self._report(partial(self._set, up=False, reason=f"{type(error).__name__}: {error}"))
            else:
                self._report(partial(self._seen, started_at, partitions))
            self._stopping.wait(_PROBE_INTERVAL_S)
        if admin is not None:
            admin.close()

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

    def _connect(self) -> Any:
        delivery_ms = max(int(self._ack_timeout_s * 1000 * 0.9), 100)  # ends before we give up on it ourselves
        return KafkaProducer(
            bootstrap_servers=self._settings.bootstrap,
            client_id="snag-ingest",
            enable_idempotence=False,
            acks="all",
            compression_type="lz4",
            linger_ms=0,  # the batcher lingers
            batch_size=_PRODUCER_BATCH_BYTES,
            max_request_size=MAX_RECORD_BYTES,
            delivery_timeout_ms=delivery_ms,
            request_timeout_ms=int(delivery_ms * 0.9),
            retry_backoff_ms=50,
            reconnect_backoff_max_ms=500,
            bootstrap_timeout_ms=_PROBE_TIMEOUT_MS,
            max_block_ms=1,  # send() is called on the event loop
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    def _probe(self, admin: Any) -> int:
        """How many partitions the co-partitioned topics have. Raises when not every partition has a leader."""
        counts = {}
        for topic in admin.describe_topics(self._names):
            if topic["error_code"]:
                raise KafkaError(f"topic {topic['name']} is not there (error {topic['error_code']}); create the topics")
            if any(partition["error_code"] or partition["leader_id"] < 0 for partition in topic["partitions"]):
                raise KafkaError(f"a partition of topic {topic['name']} has no leader")
            counts[topic["name"]] = len(topic["partitions"])
        self._await_producer_metadata(self._names)
        return min(counts[topic.full_name(self._settings.topic_prefix)] for topic in (*RAW, REJECTED))

    def _await_producer_metadata(self, names: Sequence[str]) -> None:
        """Return once the producer knows the topics itself, so that its send() never waits for them."""
        deadline = time.monotonic() + _PROBE_TIMEOUT_MS / 1000
        for name in names:
            while True:
                try:
                    self._producer.partitions_for(name)
                    break
                except KafkaError:
                    if time.monotonic() > deadline or self._stopping.wait(0.02):
                        raise

    def _close(self, timeout_s: float) -> None:
        if self._producer is not None:
            try:
                self._producer.close(timeout=timeout_s)
            except KafkaError as error:  # what it still holds was never answered 200
                _log.warning("the producer did not flush in time", reason=str(error))
        if self._watcher is not None:
            self._watcher.join(timeout_s)
