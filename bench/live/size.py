"""Memory of the live worker at 200,000 visitors, hot and packed, and how long one takes to come back with them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from bench.live.fill import PARTITIONS, fill, make_topics
from bench.live.session_rows import SessionRows, session_rows
from bench.live.worker import Worker, live_worker
from schemas import topics

EVENTS: Final = 2_380_000  # 200,000 visitors of events.py
_CHECKPOINT_S: Final = 150  # nothing rests before all were applied


def run_size(bootstrap: str, prefix: str, work: Path, count: int = EVENTS) -> dict[str, float]:
    """Megabytes and bytes per visitor above the empty worker, and seconds from a start until all of it is there again.

    hot: nothing rests before all was applied; rested: after a checkpoint; open: with the settings as they come, caught
    up and rested; packed: of a restarted worker. After kill -9 a start has to wait
    until Kafka believes that the member before is gone (`live.session_timeout_s`), after a clean stop not.
    """
    log = work / "size.log"
    make_topics(bootstrap, f"{prefix}empty.")
    with live_worker(bootstrap, f"{prefix}empty.", log) as worker:
        worker.wait(worker.is_ready, "the empty worker")
        empty = worker.rss_bytes()
    fill(bootstrap, prefix, f"{prefix}plain", count=count, plain_count=0)
    seldom = {"SNAG_LIVE__CHECKPOINT_INTERVAL_S": str(_CHECKPOINT_S)}
    with (
        session_rows(bootstrap, topics.SESSIONS.full_name(prefix)) as rows,
        live_worker(bootstrap, prefix, log, seldom) as worker,
    ):
        _say_all(worker, rows, count)
        visitors, hot = worker.metric("snag_live_visitors"), worker.rss_bytes()
        checkpoints = worker.metric("snag_live_checkpoints_total")
        _rest(worker)
        rested, blob = worker.rss_bytes(), worker.metric("snag_live_blob_bytes_max")
    with (
        session_rows(bootstrap, topics.SESSIONS.full_name(prefix)) as rows,
        live_worker(bootstrap, prefix, log, {"SNAG_LIVE__APP_ID": "size-open"}) as worker,
    ):
        _say_all(worker, rows, count)
        _rest(worker)
        opened = worker.rss_bytes()
    with live_worker(bootstrap, prefix, log) as worker:
        again = time.perf_counter()
        ready = worker.wait(worker.is_ready, "the restarted worker", 0.05)
        packed = worker.rss_bytes()
        worker.process.terminate()
        worker.process.wait(60)
    with live_worker(bootstrap, prefix, log) as worker:
        again_clean = time.perf_counter()
        ready_clean = worker.wait(worker.is_ready, "the worker started after a clean stop", 0.05)
    return {
        "visitors": visitors,
        "events_per_visitor": count / visitors,
        "empty_mb": empty / 1e6,
        "hot_mb": hot / 1e6,
        "hot_bytes_per_visitor": (hot - empty) / visitors,
        "rested_mb": rested / 1e6,
        "rested_bytes_per_visitor": (rested - empty) / visitors,
        "open_mb": opened / 1e6,
        "open_bytes_per_visitor": (opened - empty) / visitors,
        "packed_mb": packed / 1e6,
        "packed_bytes_per_visitor": (packed - empty) / visitors,
        "largest_blob_bytes": blob,
        "rounds_before_hot": checkpoints / PARTITIONS,
        "recovery_s": ready - again,
        "recovery_after_clean_stop_s": ready_clean - again_clean,
    }


def _say_all(worker: Worker, rows: SessionRows, count: int) -> None:
    """Wait until `count` events are applied, and all of them in rows."""
    worker.wait(lambda: worker.metric("snag_live_events_total") >= count, "the last event")
    worker.wait(lambda: rows.events() == count, "every event in a row", 1)


def _rest(worker: Worker) -> None:
    """Wait for a checkpoint of every partition."""
    wanted = worker.metric("snag_live_checkpoints_total") + PARTITIONS
    worker.wait(lambda: worker.metric("snag_live_checkpoints_total") >= wanted, "a round of checkpoints")
