"""What every subject measures of itself: events, and wall and CPU time from the first to the last of them."""

from __future__ import annotations

import os
import time

import msgspec


class Stopwatch:
    """Counts events. `seconds` and `cpu_s` (all threads) run from the first count to the last."""

    def __init__(self) -> None:
        self.seen = 0
        self._first = self._last = (0.0, 0.0)

    def start(self) -> None:
        """The first events are there; later calls do nothing."""
        if not self._first[0]:
            self._first = (time.perf_counter(), time.process_time())

    def count(self, events: int) -> None:
        """So many events are done."""
        self.start()
        self.seen += events

    def result(self, **more: float) -> bytes:
        """One line of JSON."""
        seconds, cpu_s = time.perf_counter() - self._first[0], time.process_time() - self._first[1]
        return msgspec.json.encode({"events": self.seen, "seconds": seconds, "cpu_s": cpu_s, **more}) + b"\n"

    def tell_and_leave(self) -> None:
        """Print the result and end the process: Faust's own stop takes seconds and is not what is measured."""
        os.write(1, self.result())
        os._exit(0)
