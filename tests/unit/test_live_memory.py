"""Freed memory goes back though what is still used lies after it."""

from __future__ import annotations

import psutil

from processors.live.memory import give_back

SIZE_BYTES = 1_000  # more than Python's own allocator takes
COUNT = 60_000


def resident() -> int:
    size: int = psutil.Process().memory_info().rss
    return size


def test_freed_memory_goes_back() -> None:
    pieces = [bytes([n % 251]) * SIZE_BYTES for n in range(COUNT)]
    last = pieces[-1]
    full = resident()
    del pieces
    give_back()
    assert full - resident() > COUNT * SIZE_BYTES / 2
    assert len(last) == SIZE_BYTES
