"""Events/s of the live worker over a backlog; its session rows are read back and must add up to every event."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

from kafka import TopicPartition

from bench.live.counting import counted
from bench.live.fill import PARTITIONS
from bench.live.session_rows import session_rows
from bench.live.subject import rated
from bench.live.worker import live_worker
from schemas import topics
from schemas.products import Product
from tests.support.records import records_at


def run_live(
    bootstrap: str, prefix: str, count: int, log: Path, *, turn: int, products: tuple[Product, ...] = ()
) -> dict[str, float]:
    """Start a worker on the full topics; events/s from the first reading above zero to the last event.

    `turn` names a group of its own, so that it begins at the beginning. `products`: all when empty.
    `said_per_s`: until every event is in a session row in Kafka, by the broker's clock;
    `said_cpu_us`: CPU an event until that was seen.
    """
    settings = {"SNAG_LIVE__APP_ID": f"speed{turn}-{'-'.join(products) or 'all'}"}
    if products:
        settings["SNAG_LIVE__PRODUCTS"] = json.dumps(products)
    sessions = topics.SESSIONS.full_name(prefix)
    with session_rows(bootstrap, sessions) as rows, live_worker(bootstrap, prefix, log, settings) as worker:
        started = worker.wait(lambda: worker.metric("snag_live_events_total") > 0, "the first event", 0.05)
        started_s = time.time()
        before, cpu = worker.metric("snag_live_events_total"), worker.cpu_s()
        applied = worker.wait(lambda: worker.metric("snag_live_events_total") >= count, "the last event")
        cpu_applied = worker.cpu_s() - cpu
        worker.wait(lambda: rows.events() == count, "every event in a row")
        cpu_said = worker.cpu_s() - cpu
        said_s = rows.reached_at_s(count) - started_s
        rss = worker.rss_bytes()
    events = count - before
    found = rated({"events": events, "seconds": applied - started, "cpu_s": cpu_applied})
    return {**found, "said_per_s": events / said_s, "said_cpu_us": cpu_said / events * 1e6, "rss_mb": rss / 1e6}


def run_counting(bootstrap: str, prefix: str, count: int, log: Path, *, turn: int) -> dict[str, float]:
    """As `run_live` with the idiom's task, events per session; the counts in the checkpoints must add up to all.

    `said_per_s`: until Kafka holds a checkpoint of every event.
    """
    app_id = f"speed{turn}-counting"
    changelog = f"{prefix}{app_id}-{topics.LIVE_TABLES[0]}-changelog"
    settings = {"SNAG_LIVE__APP_ID": app_id}
    with live_worker(bootstrap, prefix, log, settings, module="bench.live.counting") as worker:
        started = worker.wait(lambda: worker.metric("snag_live_events_total") > 0, "the first event", 0.05)
        before, cpu = worker.metric("snag_live_events_total"), worker.cpu_s()
        applied = worker.wait(lambda: worker.metric("snag_live_events_total") >= count, "the last event", 0.05)
        cpu = worker.cpu_s() - cpu
        said = worker.wait(lambda: counted(_records(bootstrap, changelog)) == count, "a checkpoint of everything", 1)
        rss = worker.rss_bytes()
    found = rated({"events": count - before, "seconds": applied - started, "cpu_s": cpu})
    return {**found, "said_per_s": (count - before) / (said - started), "rss_mb": rss / 1e6}


def _records(bootstrap: str, topic: str) -> Iterator[tuple[bytes, bytes | None]]:
    """Key and value of every record that `topic` has now."""
    for record in records_at(bootstrap, [TopicPartition(topic, p) for p in range(PARTITIONS)]):
        yield record.key, record.value
