"""The peer: faust-streaming as its guide shows it. One JSON event a record, `async for`, a table write per event.

usage: idiom.py BOOTSTRAP TOPIC PARTITIONS COUNT   prints {"events": .., "seconds": ..} when COUNT events were counted
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import faust
import orjson


def create_app(bootstrap: str, topic: str, partitions: int, count: int) -> Any:
    """The app; it ends its process when `count` events were counted per session."""
    app = faust.App(
        f"idiom-{topic}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        topic_partitions=partitions,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=2000,
        stream_wait_empty=False,
        web_enabled=False,
        topic_disable_leader=True,
    )
    source = app.topic(topic, value_serializer="json", key_type=str, key_serializer="raw")
    table = app.Table("sessions", default=int, partitions=partitions)
    seen = 0
    first = 0.0

    async def count_sessions(stream: Any) -> None:
        nonlocal seen, first
        async for event in stream:
            table[event["session_id"]] += 1
            seen += 1
            if seen == 1:
                first = time.perf_counter()
            if seen == count:
                os.write(1, orjson.dumps({"events": seen, "seconds": time.perf_counter() - first}) + b"\n")
                os._exit(0)  # Faust's own stop takes seconds and is not what is measured

    app.agent(source)(count_sessions)
    return app


if __name__ == "__main__":
    app = create_app(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    sys.argv = ["faust", "worker", "-l", "warn", "--without-web"]
    app.main()
