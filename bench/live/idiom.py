"""The peer: faust-streaming as its guide shows it. One JSON event a record, `async for`, a table write per event.

usage: -m bench.live.idiom BOOTSTRAP PARTITIONS COUNT TOPIC   prints {"events", "seconds", "cpu_s"}
"""

from __future__ import annotations

import sys
from typing import Any

from bench.live.faust_app import create_app, run
from bench.live.stopwatch import Stopwatch


def main(bootstrap: str, partitions: int, count: int, topic: str) -> None:
    """Count `count` events per session."""
    app = create_app("idiom", bootstrap, partitions)
    source = app.topic(topic, value_serializer="json", key_type=str, key_serializer="raw")
    table = app.Table("sessions", default=int, partitions=partitions)
    watch = Stopwatch()

    async def count_sessions(stream: Any) -> None:
        async for event in stream:
            table[event["session_id"]] += 1
            watch.count(1)
            if watch.seen == count:
                watch.tell_and_leave()

    run(app, source, count_sessions)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
