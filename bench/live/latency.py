"""Time from an event to its signal on the topic, and how long checkpoints keep events waiting, at a modest rate."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from bench.live.events import encode, events
from bench.live.fill import PARTITIONS, make_topics
from bench.live.worker import live_worker
from schemas import topics
from schemas.event import from_ms, partition_key, to_ms
from schemas.rules import FRICTION_RULES
from schemas.topics import partition_of

EVENTS_PER_S: Final = 2_000
SECONDS: Final = 60  # two rounds of checkpoints and more
_LINGER_S: Final = 0.01  # records are what came in this time, as the collector makes them
_LAST_SIGNALS_S: Final = 5
_CLICKS: Final = int(FRICTION_RULES["rage_click"].thresholds["clicks"])


class Clicks:
    """When each visitor's clicks were produced, as (event's Unix ms, time.time()): which one completed a signal."""

    def __init__(self) -> None:
        self._clicks: dict[str, list[tuple[int, float]]] = defaultdict(list)

    def add(self, visitor_id: str, ms: int, at: float) -> None:
        """A click was produced."""
        self._clicks[visitor_id].append((ms, at))

    def completed_at(self, visitor_id: str, first_ms: int) -> float | None:
        """When the click was produced that made a rage click of those from `first_ms` on."""
        clicks = [at for ms, at in self._clicks[visitor_id] if ms >= first_ms]
        return clicks[_CLICKS - 1] if len(clicks) >= _CLICKS else None


class Signals(threading.Thread):
    """Reads the signals topic; `delays_s` of the rage clicks, each once."""

    def __init__(self, bootstrap: str, topic: str, clicks: Clicks) -> None:
        super().__init__(daemon=True)
        self._consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50)
        self._consumer.assign([TopicPartition(topic, p) for p in range(PARTITIONS)])
        self._clicks = clicks
        self._known: set[str] = set()
        self.delays_s: list[float] = []
        self.stopping = False

    def run(self) -> None:
        """Read until `stopping`."""
        while not self.stopping:
            for records in self._consumer.poll(timeout_ms=50).values():
                at = time.time()
                for record in records:
                    for line in record.value.splitlines():
                        self._take(orjson.loads(line), at)
        self._consumer.close()

    def _take(self, row: dict[str, str], at: float) -> None:
        if row["signal"] != "rage_click" or row["signal_id"] in self._known or row.get("deleted"):
            return
        self._known.add(row["signal_id"])
        first_ms = to_ms(datetime.fromisoformat(row["ts"]))
        completed = self._clicks.completed_at(row["visitor_id"], first_ms)
        if completed is not None:
            self.delays_s.append(at - completed)


def produce(bootstrap: str, prefix: str, clicks: Clicks) -> None:
    """Write EVENTS_PER_S events for SECONDS, each stamped with the moment it is written."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=False, linger_ms=0)
    coming = events(EVENTS_PER_S * SECONDS, int(time.time() * 1000))
    started = time.time()
    sent = 0
    while sent < EVENTS_PER_S * SECONDS:
        time.sleep(_LINGER_S)
        at = time.time()
        due = min(int((at - started) * EVENTS_PER_S), EVENTS_PER_S * SECONDS)
        batches: dict[tuple[str, int], list[bytes]] = defaultdict(list)
        for _ in range(due - sent):
            event = next(coming)
            ms = int(at * 1000)
            event.ts = event.received_at = event.client_ts = from_ms(ms)
            place = partition_of(partition_key(event), PARTITIONS)
            batches[topics.TOPIC_OF_KIND[event.kind].full_name(prefix), place].append(encode(event))
            if event.type == "click":
                clicks.add(event.visitor_id or "", ms, at)
        for (topic, partition), lines in batches.items():
            producer.send(topic, value=b"\n".join(lines), partition=partition)
        sent = due
    producer.flush()
    producer.close()


def run_latency(bootstrap: str, prefix: str, work: Path) -> dict[str, float]:
    """The percentiles, in seconds."""
    make_topics(bootstrap, prefix)
    ticks = work / "ticks.ndjson"
    settings = {"BENCH_TICKS": str(ticks)}
    with live_worker(bootstrap, prefix, work / "latency.log", settings, "bench.live.timed_worker") as worker:
        worker.wait(worker.is_ready, "the worker")
        clicks = Clicks()
        signals = Signals(bootstrap, topics.SIGNALS.full_name(prefix), clicks)
        signals.start()
        cpu = worker.cpu_s()
        produce(bootstrap, prefix, clicks)
        cpu = worker.cpu_s() - cpu
        time.sleep(_LAST_SIGNALS_S)
        signals.stopping = True
        signals.join()
    pauses = [json.loads(line) for line in ticks.read_text().splitlines()]
    checkpoints = [pause["checkpoint_s"] for pause in pauses if pause["checkpoint_s"]]
    return {
        "events_per_s": EVENTS_PER_S,
        "cores": cpu / SECONDS,
        "signals": len(signals.delays_s),
        **percentiles("signal", signals.delays_s),
        "checkpoint_pauses": len(checkpoints),
        **percentiles("checkpoint_pause", checkpoints),
        **percentiles("any_pause", [pause["pause_s"] for pause in pauses]),
    }


def percentiles(name: str, values: Sequence[float]) -> dict[str, float]:
    """p50, p99 and the largest of `values`."""
    if len(values) < 2:
        raise SystemExit(f"{name}: {len(values)} readings are too few")
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {f"{name}_p50_s": cuts[49], f"{name}_p99_s": cuts[98], f"{name}_max_s": max(values)}
