"""The floor: Faust's loop over records of 20 events with msgspec decoding, and nothing else.

usage: floor.py BOOTSTRAP PARTITIONS COUNT TOPIC..   prints {"events": .., "seconds": ..} when COUNT events were decoded
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import faust
import mode.loop
import orjson

from processors.domain.fact import decode_lines
from processors.live.delivery import Consumer


def create_app(bootstrap: str, partitions: int, count: int, topics: list[str]) -> Any:
    """The app; it ends its process when `count` events were decoded."""
    app = faust.App(
        f"floor-{time.time_ns()}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        topic_partitions=partitions,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=2000,
        stream_wait_empty=False,
        web_enabled=False,
        topic_disable_leader=True,
    )
    app.transport.Consumer = Consumer
    source = app.topic(*topics, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    seen = 0
    first = 0.0

    async def decode(stream: Any) -> None:
        nonlocal seen, first
        async for event in stream.noack().events():
            if not seen:
                first = time.perf_counter()
            seen += len(decode_lines(event.value)[0])
            event.ack()
            if seen >= count:
                os.write(1, orjson.dumps({"events": seen, "seconds": time.perf_counter() - first}) + b"\n")
                os._exit(0)  # Faust's own stop takes seconds and is not what is measured

    app.agent(source)(decode)
    return app


if __name__ == "__main__":
    mode.loop.use("uvloop")
    app = create_app(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
    sys.argv = ["faust", "worker", "-l", "warn", "--without-web"]
    app.main()
