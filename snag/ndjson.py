"""NDJSON files as people have them: plain, gzipped, or standard input."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, cast

STDIN: Final = "-"

_GZIP_MAGIC: Final = b"\x1f\x8b"


def open_bytes(name: str) -> BinaryIO:
    """The file `name` for reading, decompressed when it is gzip; "-" is standard input. Raises OSError."""
    if name == STDIN:
        return sys.stdin.buffer
    with open(name, "rb") as head:
        compressed = head.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    return cast(BinaryIO, gzip.open(name, "rb")) if compressed else open(name, "rb")


def read_lines(name: str) -> Iterator[tuple[int, bytes]]:
    """Every line of `name` that is not blank, without its newline, beside its number (from 1). Raises OSError."""
    with open_bytes(name) as file:
        for number, line in enumerate(file, start=1):
            stripped = line.strip()
            if stripped:
                yield number, stripped


def batches(lines: Iterable[bytes], max_events: int, max_bytes: int) -> Iterator[list[bytes]]:
    """`lines` in lists of at most `max_events` and `max_bytes` (a single longer line makes a list of its own)."""
    batch: list[bytes] = []
    size_bytes = 0
    for line in lines:
        if batch and (len(batch) >= max_events or size_bytes + len(line) + 1 > max_bytes):
            yield batch
            batch, size_bytes = [], 0
        batch.append(line)
        size_bytes += len(line) + 1
    if batch:
        yield batch
