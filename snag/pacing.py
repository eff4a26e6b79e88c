"""Sending events when they are due: the one place where recorded or simulated time meets the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

_LINGER_MS: Final = 50  # what comes due within this goes in one request; far below what a person can see


class Delivery(NamedTuple):
    """One encoded event and when it reaches the collector (Unix ms)."""

    at_ms: int
    line: bytes


def paced_batches(
    deliveries: Iterable[Delivery],
    *,
    now_ms: Callable[[], float],
    sleep: Callable[[float], None],
    max_events: int,
    max_bytes: int,
) -> Iterator[list[bytes]]:
    """The lines of `deliveries` (by rising `at_ms`) in batches, none handed out before it is due.

    What is overdue comes at once, in full batches. `sleep` takes seconds.
    """
    batch: list[bytes] = []
    size_bytes = 0
    for at_ms, line in deliveries:
        if at_ms > now_ms():
            if batch:
                yield batch
                batch, size_bytes = [], 0
            wait_ms = at_ms + _LINGER_MS - now_ms()
            if wait_ms > 0:
                sleep(wait_ms / 1000)
        if batch and (len(batch) >= max_events or size_bytes + len(line) + 1 > max_bytes):
            yield batch
            batch, size_bytes = [], 0
        batch.append(line)
        size_bytes += len(line) + 1
    if batch:
        yield batch
