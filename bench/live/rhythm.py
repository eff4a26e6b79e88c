"""Memory of the live worker at 200,000 visitors who come as visitors do, 600 events/s, told in minutes.

The worker has no clock of its own (setting live.clock = "topic"): it is told the time of the events after each step of
them, so it makes its rows and checkpoints as often as it would have made them that day.
"""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path
from typing import Final

from kafka import KafkaProducer

from bench.live.events import EVENTS_PER_S, encode, events
from bench.live.fill import EVENTS_PER_RECORD, PARTITIONS, make_topics
from bench.live.session_rows import session_rows
from bench.live.worker import live_worker
from processors.live.tick import Tick, encode_tick
from schemas import topics
from schemas.event import Event, partition_key, to_ms
from schemas.topics import partition_of

EVENTS: Final = 2_380_000  # 200,000 visitors of events.py
STEP_MS: Final = 4_000  # five make a checkpoint's interval, five more its round

_LAST_STEPS: Final = 3  # rows are said every 3 s


class Feed:
    """Sends events and ticks to the topics under `prefix`."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._prefix = prefix
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=False, linger_ms=5)
        self._waiting: dict[tuple[str, int], list[bytes]] = defaultdict(list)

    def send(self, event: Event) -> None:
        """Send `event` in a record with others of its topic and partition."""
        slot = topics.TOPIC_OF_KIND[event.kind].full_name(self._prefix), partition_of(partition_key(event), PARTITIONS)
        lines = self._waiting[slot]
        lines.append(encode(event))
        if len(lines) == EVENTS_PER_RECORD:
            self._produce(slot, lines)

    def flush(self) -> None:
        """Have Kafka take everything."""
        for slot, lines in self._waiting.items():
            self._produce(slot, lines)
        self._producer.flush()

    def tell_time(self, at_ms: int) -> None:
        """A tick (Unix ms) for every partition."""
        for partition in range(PARTITIONS):
            self._producer.send(topics.TICKS.full_name(self._prefix), encode_tick(Tick(at_ms)), partition=partition)
        self._producer.flush()

    def _produce(self, slot: tuple[str, int], lines: list[bytes]) -> None:
        if lines:
            self._producer.send(slot[0], b"\n".join(lines), partition=slot[1])
            lines.clear()


def run_rhythm(bootstrap: str, prefix: str, log: Path, count: int = EVENTS) -> dict[str, float]:
    """Bytes per visitor above the empty worker: `open` when the last visitor has come, `peak` the most before that."""
    make_topics(bootstrap, prefix)
    feed = Feed(bootstrap, prefix)
    now = int(time.time() * 1000)
    step_end = now - int(count * 1000 / EVENTS_PER_S)
    with (
        session_rows(bootstrap, topics.SESSIONS.full_name(prefix)) as rows,
        live_worker(bootstrap, prefix, log, {"SNAG_LIVE__CLOCK": "topic"}) as worker,
    ):
        worker.wait(worker.is_ready, "the empty worker")
        empty, peak, sent = worker.rss_bytes(), 0.0, 0

        def step() -> None:
            feed.flush()
            worker.wait(lambda: worker.metric("snag_live_events_total") >= sent, "the last event", 0.01)
            feed.tell_time(step_end)

        for event in events(count, now):
            if to_ms(event.ts) >= step_end + STEP_MS:
                step_end += STEP_MS
                step()
                peak = max(peak, worker.rss_bytes() - empty)
            feed.send(event)
            sent += 1
        for _ in range(_LAST_STEPS):
            step()
            step_end += STEP_MS
        worker.wait(lambda: rows.events() == count, "every event in a row", 1)
        visitors, opened = worker.metric("snag_live_visitors"), worker.rss_bytes() - empty
    return {
        "visitors": visitors,
        "events_per_visitor": count / visitors,
        "open_mb": opened / 1e6,
        "open_bytes_per_visitor": opened / visitors,
        "peak_mb": peak / 1e6,
        "peak_bytes_per_visitor": max(peak, opened) / visitors,
    }
