"""Sends a stream of events to Kafka as the collector does, at a pace; nothing counts as sent until acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.topics import NDJSON, RECEIVED_AT_HEADER, partition_of
from tests.oracle.events import milliseconds
from tests.oracle.streams import TOPIC, Event, lines
from tests.support.wait import wait_for

_MOST_EVENTS = 8  # of one record
_LINGER_MS = 60_000  # the stream's hours pass in seconds, and so does this
_DELIVERY_TIMEOUT_MS = 10_000
_SENT_DEADLINE_S = 180  # a broker that is killed in between, on a busy machine
_UNACKNOWLEDGED = 64  # records under way at once: what a kill of the broker can put in doubt


def micro_batches(
    events: Iterable[Event], partitions: int, behind_ms: Mapping[str, int]
) -> list[tuple[str, int, list[Event]]]:
    """Records as (topic, partition, events) in the order of their sending: that of receipt.

    `behind_ms`: by topic, how much later than others received at the same time its events are sent.
    """

    def sent_at(event: Event) -> int:
        return milliseconds(event["received_at"]) + behind_ms.get(TOPIC[event["kind"]], 0)

    open_: dict[tuple[str, int], list[Event]] = {}
    records: list[tuple[str, int, list[Event]]] = []
    for event in sorted(events, key=sent_at):
        who = event["visitor_id"] or event["session_id"] or event["event_id"]
        place = TOPIC[event["kind"]], partition_of(f"{event['site']}:{who}".encode(), partitions)
        batch = open_.get(place)
        if not batch or len(batch) == _MOST_EVENTS or sent_at(event) - sent_at(batch[0]) > _LINGER_MS:
            open_[place] = []
            records.append((*place, open_[place]))
        open_[place].append(event)
    return records


class Feeder:
    """Sends records on a thread, `per_s` events a second, which may be changed meanwhile. Use as a context manager.

    A record that is not acknowledged is sent again, so all are in Kafka at the end, some perhaps twice.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        records: list[tuple[str, int, list[Event]]],
        per_s: float,
    ) -> None:
        self._bootstrap, self._prefix, self._records = bootstrap, prefix, records
        self.per_s = per_s
        self.sent = 0
        self.total = sum(len(events) for _, _, events in records)
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Feeder:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._stop.set()
        else:
            self.wait_sent(1.0)
        self._thread.join(_SENT_DEADLINE_S)
        assert self._failure is None, self._failure

    def wait_sent(self, share: float) -> None:
        """Wait until this share (0 to 1) of the events has been sent."""
        wait_for(
            lambda: self.sent >= share * self.total or self._failure is not None,
            _SENT_DEADLINE_S,
            f"{share:.0%} of {self.total} events are sent",
        )

    def _run(self) -> None:
        try:
            self._feed()
        except BaseException as error:  # shown by the test's thread
            self._failure = error

    def _feed(self) -> None:
        producer = KafkaProducer(
            bootstrap_servers=self._bootstrap.split(","),
            acks="all",
            enable_idempotence=False,
            delivery_timeout_ms=_DELIVERY_TIMEOUT_MS,
            request_timeout_ms=_DELIVERY_TIMEOUT_MS // 2,
            reconnect_backoff_max_ms=500,
            compression_type="lz4",
        )
        under_way: list[tuple[Any, tuple[str, int, list[Event]]]] = []
        try:
            due = time.monotonic()
            for record in self._records:
                under_way.append((_send(producer, self._prefix, record), record))
                while len(under_way) > _UNACKNOWLEDGED:
                    self._land(producer, under_way.pop(0))
                due += len(record[2]) / self.per_s
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    return
            for flight in under_way:
                self._land(producer, flight)
        finally:
            producer.close(timeout=5)

    def _land(self, producer: KafkaProducer, flight: tuple[Any, tuple[str, int, list[Event]]]) -> None:
        """Wait until Kafka has the record, sending it again as often as it takes."""
        future, record = flight
        deadline = time.monotonic() + _SENT_DEADLINE_S
        while not self._stop.is_set():
            try:
                future.get(timeout=2 * _DELIVERY_TIMEOUT_MS / 1000)
                self.sent += len(record[2])
                return
            except KafkaError:
                if time.monotonic() > deadline:
                    raise
                future = _send(producer, self._prefix, record)


def _send(producer: KafkaProducer, prefix: str, record: tuple[str, int, list[Event]]) -> Any:
    topic, partition, events = record
    received = max(milliseconds(event["received_at"]) for event in events)
    headers = [("content-type", NDJSON.encode()), (RECEIVED_AT_HEADER, b"%d" % received)]
    return producer.send(f"{prefix}{topic}", lines(events), partition=partition, headers=headers)
