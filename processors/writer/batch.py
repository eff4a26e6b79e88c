"""Batches: which records go into one insert, and which offsets are written when it succeeded. Pure bookkeeping."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_TOKEN_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record: lines of JSON, one row each. `received_ms`: its newest receipt at the collector, Unix ms."""

    partition: int
    offset: int
    value: bytes
    received_ms: int


@dataclass(frozen=True, slots=True)
class Line:
    """One row's text and where it came from: the `index`-th line of `record`."""

    record: Record
    index: int
    text: bytes


@dataclass(frozen=True)
class Batch:
    """What one insert holds. `ranges`: first and last offset by partition, records without a value included."""

    topic: str
    records: tuple[Record, ...]
    ranges: Mapping[int, tuple[int, int]]

    @property
    def next_offsets(self) -> dict[int, int]:
        """The offset to commit by partition, once every record is written."""
        return {partition: last + 1 for partition, (_, last) in self.ranges.items()}

    def body(self) -> bytes:
        """The rows as JSONEachRow; empty when there is none. The same bytes at each call."""
        return b"\n".join(record.value for record in self.records)

    def lines(self) -> list[Line]:
        """The rows one by one."""
        return [
            Line(record, index, text)
            for record in self.records
            for index, text in enumerate(record.value.split(b"\n"))
            if text.strip()
        ]

    def row_count(self) -> int:
        """How many rows `body` has; blank lines are none, and nobody writes any."""
        return sum(record.value.count(b"\n") + 1 for record in self.records)

    def token(self, body: bytes) -> str:
        """The deduplication token of an insert of `body`, all of this batch or a part of it.

        Made of the offset ranges, and of the bytes too: a topic made anew starts at offset 0 again, and ClickHouse
        silently drops other rows under a token that it knows.
        """
        ranges = ",".join(f"{partition}:{first}-{last}" for partition, (first, last) in sorted(self.ranges.items()))
        digest = hashlib.blake2b(f"{self.topic}|{ranges}|".encode(), digest_size=_TOKEN_BYTES)
        digest.update(body)
        return digest.hexdigest()


class Buffer:
    """Records of one topic that wait for the next insert."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._records: list[Record] = []
        self._ranges: dict[int, tuple[int, int]] = {}
        self.size_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._ranges)

    @property
    def partitions(self) -> frozenset[int]:
        """Partitions with something to write or to commit."""
        return frozenset(self._ranges)

    def add(self, partition: int, offset: int, value: bytes | None, received_ms: int) -> None:
        """Take one record. A record without a value (a tombstone) has no row; its offset counts all the same."""
        first, last = self._ranges.get(partition, (offset, offset))
        self._ranges[partition] = (min(first, offset), max(last, offset))
        if value:
            self._records.append(Record(partition, offset, value, received_ms))
            self.size_bytes += len(value)

    def keep(self, partitions: Collection[int]) -> None:
        """Forget every partition that is not in `partitions`: another writer has it now and reads it again."""
        self._records = [record for record in self._records if record.partition in partitions]
        self._ranges = {p: offsets for p, offsets in self._ranges.items() if p in partitions}
        self.size_bytes = sum(len(record.value) for record in self._records)

    def cut(self) -> Batch:
        """Everything taken so far as a batch; the buffer is empty afterwards."""
        batch = Batch(self._topic, tuple(self._records), dict(self._ranges))
        self._records, self._ranges, self.size_bytes = [], {}, 0
        return batch


def join_lines(lines: Iterable[Line]) -> bytes:
    """The lines as JSONEachRow."""
    return b"\n".join(line.text for line in lines)
