"""Records to Kafka, acknowledged by all replicas; and whether Kafka can be reached at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

from confluent_kafka import KafkaError

from ingest import record_batch
from ingest.batcher import AckError, Done, RefusedError
from ingest.broker import Address, Broker, BrokerError, Slot
from ingest.kafka_watch import KafkaWatch, Layout
from schemas.logs import get_logger
from schemas.settings import KafkaSettings
from schemas.topics import CHECKOUTS, CLICKSTREAM, ERASURES, ERRORS, NDJSON, RECEIVED_AT_HEADER, REJECTED

_log = get_logger(__name__)

TOPICS: Final = (CLICKSTREAM, ERRORS, CHECKOUTS, REJECTED, ERASURES)
"""All that the collector writes to: Kafka counts as up when it has them all."""

_MAX_ROUND_BYTES: Final = 16 * 1024 * 1024  # before packing; a broker takes requests of 100 MiB unless told otherwise
_CLIENT_ID: Final = "snag-ingest"
_LEAST_TIMEOUT_MS: Final = 100
_LASTING: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,  # the topic's max.message.bytes
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


class _Record(NamedTuple):
    slot: Slot
    value: bytes
    received_at_ms: int
    done: Done


class KafkaSink:
    """A connection to each broker that leads, and a watch over whether Kafka answers and who leads.

    What is sent in one turn of the event loop goes as one round, a request for each leader. Nothing is sent again from
    here: whatever Kafka does not acknowledge comes back as an error, and a record stored twice is recognised by its
    event ids. `up`, `reason` and `partitions` change only on the event loop.
    """

    def __init__(self, settings: KafkaSettings, *, ack_timeout_s: float) -> None:
        self._settings = settings
        self._topics = {topic.full_name(settings.topic_prefix) for topic in TOPICS}
        # Ends before we give up on a record ourselves.
        self._timeout_ms = max(int(ack_timeout_s * 1000 * 0.9), _LEAST_TIMEOUT_MS)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch = KafkaWatch(settings, TOPICS, seen=self._was_seen, missed=self._was_missed)
        self._stopped = False
        self._leaders: dict[Slot, Address] = {}
        self._brokers: dict[Address, Broker] = {}
        self._collected: list[_Record] = []
        self._rounds: set[asyncio.Task[None]] = set()  # without an answer
        self._reaching: asyncio.Task[None] | None = None
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
        self._watch.start()

    async def close(self, timeout_s: float) -> None:
        """Await outcomes for at most `timeout_s`, and stop watching, waiting as long for a look under way."""
        self._send_round()
        if self._rounds:
            _, late = await asyncio.wait(self._rounds, timeout=timeout_s)
            if late:  # none of it was answered 200 by Kafka
                _log.warning("Kafka did not acknowledge everything in time", requests=len(late))
        self._stopped = True
        self._watch.stop()
        for broker in self._brokers.values():
            broker.close()
        if self._reaching is not None:
            await asyncio.wait([self._reaching])
        await asyncio.to_thread(self._watch.join, timeout_s)

    def send(self, topic: str, partition: int, value: bytes, received_at_ms: int, done: Done) -> None:
        """Send one record (see `batcher.Sink`)."""
        assert self._loop is not None  # noqa: S101  start() is what makes a sink
        if not self._collected:
            self._loop.call_soon(self._send_round)
        self._collected.append(_Record((topic, partition), value, received_at_ms, done))

    def mark_down(self, reason: str) -> None:
        """Believe Kafka to be down until a look at it that begins after now finds it there."""
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

    def _send_round(self) -> None:
        """Send what was collected: a request for each leader, and another where a partition has several records."""
        collected, self._collected = self._collected, []
        by_leader: dict[Address, list[_Record]] = {}
        for record in collected:
            leader = self._leaders.get(record.slot)
            if leader is None:
                record.done(self._failure(record.slot, f"partition {record.slot[1]} of {record.slot[0]} has no leader"))
            else:
                by_leader.setdefault(leader, []).append(record)
        for leader, records in by_leader.items():
            broker = self._broker(leader)
            for round_ in _rounds_of(records):
                task = asyncio.get_running_loop().create_task(self._produce(broker, round_))
                self._rounds.add(task)
                task.add_done_callback(self._rounds.discard)

    async def _produce(self, broker: Broker, round_: dict[Slot, _Record]) -> None:
        now_ms = int(time.time() * 1000)
        batches = {
            slot: record_batch.encode(
                record.value, (_CONTENT_TYPE, (RECEIVED_AT_HEADER, b"%d" % record.received_at_ms)), now_ms
            )
            for slot, record in round_.items()
        }
        try:
            codes = await broker.produce(batches)
        except BrokerError as error:
            for slot, record in round_.items():
                record.done(self._failure(slot, str(error)))
            return
        for slot, record in round_.items():
            code = codes.get(slot, KafkaError.UNKNOWN)
            record.done(None if code == 0 else self._failure(slot, KafkaError(code)))

    def _failure(self, slot: Slot, error: KafkaError | str) -> AckError:
        """What `error` says of the record, or, if it is none about records, of Kafka, which then counts as down."""
        reason = error if isinstance(error, str) else error.str()
        if isinstance(error, KafkaError) and error.code() in _LASTING:
            return RefusedError(reason)
        if slot[0] not in self._topics:  # a name of another version: no look will tell when it is there
            return RefusedError(reason)
        self.mark_down(reason)
        return AckError(reason)

    # Called on the watching thread.

    def _was_seen(self, began_at: float, layout: Layout) -> None:
        self._report(partial(self._take, began_at, layout))

    def _was_missed(self, reason: str) -> None:
        self._report(partial(self._set, up=False, reason=reason))

    def _report(self, change: partial[None]) -> None:
        assert self._loop is not None  # noqa: S101  start() is what makes a sink
        if not self._stopped:
            self._loop.call_soon_threadsafe(change)

    def _take(self, began_at: float, layout: Layout) -> None:
        if began_at < self._down_at:
            return
        if layout.partitions != self.partitions:
            if self.up:
                _log.warning("the number of partitions changed", before=self.partitions, now=layout.partitions)
            self.before_relayout()
            self._send_round()
            self.partitions = layout.partitions
        self._leaders = dict(layout.leaders)
        if not self.up and self._reaching is None:
            self._reaching = asyncio.get_running_loop().create_task(self._reach(began_at))

    async def _reach(self, began_at: float) -> None:
        """Connect to all leaders: Kafka is up when that is done, for what it tells of itself may be out of reach."""
        try:
            await asyncio.gather(*(self._broker(address).connect() for address in set(self._leaders.values())))
        except BrokerError as error:
            self._set(up=False, reason=str(error))
        else:
            if began_at >= self._down_at:
                self._set(up=True, reason="")
        finally:
            self._reaching = None

    def _broker(self, address: Address) -> Broker:
        broker = self._brokers.get(address)
        if broker is None:
            broker = self._brokers[address] = Broker(address, client_id=_CLIENT_ID, timeout_ms=self._timeout_ms)
        return broker


def _rounds_of(records: list[_Record]) -> Iterator[dict[Slot, _Record]]:
    """`records` in their order, in rounds that have each partition once and keep within the bound of bytes."""
    round_: dict[Slot, _Record] = {}
    size_bytes = 0
    for record in records:
        if record.slot in round_ or (round_ and size_bytes + len(record.value) > _MAX_ROUND_BYTES):
            yield round_
            round_, size_bytes = {}, 0
        round_[record.slot] = record
        size_bytes += len(record.value)
    if round_:
        yield round_
