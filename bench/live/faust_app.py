"""What the Faust subjects have in common: the settings of the app, and how it is started."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import faust


def create_app(name: str, bootstrap: str, partitions: int) -> Any:
    """A Faust app that reads from the start, with as few of Faust's extras as possible."""
    return faust.App(
        f"{name}-{time.time_ns()}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        topic_partitions=partitions,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=2000,
        stream_wait_empty=False,
        web_enabled=False,
        topic_disable_leader=True,
    )


def run(app: Any, source: Any, agent: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    """Run `agent` on `source` until it ends the process."""
    app.agent(source)(agent)
    sys.argv = ["faust", "worker", "-l", "warn", "--without-web"]
    app.main()
