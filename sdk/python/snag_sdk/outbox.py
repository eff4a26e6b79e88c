"""The bounded queue between the program and the sender."""

from __future__ import annotations

import threading
import time
from collections import deque


class Outbox:
    """Encoded events in order. Any thread puts; one sender takes. An event counts as waiting until `done`."""

    def __init__(self, max_events: int) -> None:
        self._max_events = max_events
        self._events: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._taken = 0  # events of the batch that the sender has in hand
        self._put_total = self._done_total = 0
        self._hurry = 0  # callers of flush that wait
        self._closed = False

    def put(self, event: bytes) -> bool:
        """Add an event without blocking; False when the queue is full or closed."""
        with self._changed:
            if self._closed or len(self._events) + self._taken >= self._max_events:
                return False
            self._events.append(event)
            self._put_total += 1
            self._changed.notify_all()
            return True

    def take(self, max_events: int, max_bytes: int, linger_s: float) -> list[bytes]:
        """The next batch; waits until it is full, or `linger_s` after its first event, or at once in a flush.

        Empty only when the outbox is closed and has nothing left.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._closed)
            deadline = time.monotonic() + linger_s
            self._changed.wait_for(
                lambda: len(self._events) >= max_events or self._hurry or self._closed, deadline - time.monotonic()
            )
            batch: list[bytes] = []
            size = 0
            while self._events and len(batch) < max_events:
                size += len(self._events[0])
                if batch and size > max_bytes:
                    break
                batch.append(self._events.popleft())
            self._taken = len(batch)
            return batch

    def done(self) -> None:
        """The batch last taken is delivered or given up."""
        with self._changed:
            self._done_total += self._taken
            self._taken = 0
            self._changed.notify_all()

    def flush(self, timeout_s: float | None) -> bool:
        """Wait until everything put so far is done with; False when it takes longer than `timeout_s`."""
        with self._changed:
            wanted = self._put_total
            self._hurry += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: self._done_total >= wanted, timeout_s)
            finally:
                self._hurry -= 1

    def close(self) -> None:
        """Take no more events; what waits is still given out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._events) + self._taken
