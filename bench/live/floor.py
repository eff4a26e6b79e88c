"""The floor: Faust's loop over records of 20 events with msgspec decoding, and nothing else.

usage: -m bench.live.floor BOOTSTRAP PARTITIONS COUNT TOPIC..   prints {"events", "seconds", "cpu_s"}
"""

from __future__ import annotations

import sys
from typing import Any

import mode.loop

from bench.live.faust_app import create_app, run
from bench.live.stopwatch import Stopwatch
from processors.domain.fact import decode_lines
from processors.live.delivery import Consumer


def main(bootstrap: str, partitions: int, count: int, *topics: str) -> None:
    """Decode `count` events."""
    mode.loop.use("uvloop")
    app = create_app("floor", bootstrap, partitions)
    app.transport.Consumer = Consumer
    source = app.topic(*topics, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    watch = Stopwatch()

    async def decode(stream: Any) -> None:
        async for event in stream.noack().events():
            watch.count(len(decode_lines(event.value)[0]))
            event.ack()
            if watch.seen >= count:
                watch.tell_and_leave()

    run(app, source, decode)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
