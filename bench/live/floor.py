"""The floor: Faust's consumer over records of 20 events with msgspec decoding, and nothing else.

usage: -m bench.live.floor BOOTSTRAP PARTITIONS COUNT TOPIC..   prints {"events", "seconds", "cpu_s"}
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
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
    watch = Stopwatch()

    async def decode(tp: Any, records: Sequence[Any]) -> None:
        for record in records:
            watch.count(len(decode_lines(record.value)[0]))
            app.consumer.acknowledge(tp, record.offset + 1)
        if watch.seen >= count:
            watch.tell_and_leave()

    app.transport.Consumer = functools.partial(Consumer, take=decode, topics=topics)
    source = app.topic(*topics, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def nothing(stream: Any) -> None:
        async for _ in stream:
            pass

    run(app, source, nothing)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
