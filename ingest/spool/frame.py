"""A segment's format: frames one after the other, each with a checksum over all of it.

    mark, length u32, crc32c u32, partition u16, partitions u16, received_at_ms u64, topic's length u8, topic, value

Integers are little-endian. `length` counts what follows the checksum; the checksum covers the length and what follows
it. The mark lets a reader go on behind a damaged frame. No mark can stand inside a value, and so no sender can plant a
frame there: values are JSON in UTF-8, and UTF-8 has no byte of the mark.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from crc32c import crc32c

MARK: Final = b"\xf5\xfe\xff\xfd"
MAX_FRAME_BYTES: Final = 32 * 1024 * 1024  # several times Kafka's largest record here: a longer one is damage

_HEAD: Final = struct.Struct("<4sII")
_FIELDS: Final = struct.Struct("<HHQB")
_CRC_FROM: Final = 4  # the length, which stands behind the mark
_LENGTH: Final = struct.Struct("<I")


class Record(NamedTuple):
    """One micro-batch on its way to Kafka.

    `topic` is the bare name, without the configurable prefix. `partitions` is how many its topic was believed to have
    when `partition` was chosen. `received_at_ms` is the newest receipt inside, Unix milliseconds. `value` is NDJSON.
    """

    topic: str
    partition: int
    partitions: int
    received_at_ms: int
    value: bytes


@dataclass(frozen=True)
class Scan:
    """What a segment holds: its whole frames, each with the offset of its end.

    `damaged_bytes` lie between whole frames, or behind them with the length of a frame but not its checksum: something
    on the disk changed. `torn_bytes` lie behind the last whole frame: a write that a crash cut short, and that was
    therefore never acknowledged.
    """

    records: list[tuple[Record, int]]
    damaged_bytes: int
    torn_bytes: int


def encode(record: Record) -> bytes:
    """The frame of `record`. Raises ValueError when a field does not fit."""
    topic = record.topic.encode()
    try:
        fields = _FIELDS.pack(record.partition, record.partitions, record.received_at_ms, len(topic))
    except struct.error as error:
        raise ValueError(f"a record of topic {record.topic!r} does not fit a frame: {error}") from error
    size_bytes = len(fields) + len(topic) + len(record.value)
    if _HEAD.size + size_bytes > MAX_FRAME_BYTES:
        raise ValueError(f"a record of {len(record.value)} bytes does not fit a frame of {MAX_FRAME_BYTES}")
    length = _LENGTH.pack(size_bytes)
    crc = crc32c(record.value, crc32c(topic, crc32c(fields, crc32c(length))))
    return b"".join((_HEAD.pack(MARK, size_bytes, crc), fields, topic, record.value))


def frame_bytes(record: Record) -> int:
    """How long the frame of `record` is."""
    return _HEAD.size + _FIELDS.size + len(record.topic.encode()) + len(record.value)


def scan(data: bytes, start: int = 0) -> Scan:
    """The frames of a segment's bytes from offset `start`, where a frame begins."""
    records: list[tuple[Record, int]] = []
    damaged_bytes = 0
    whole_until = at = start
    while at >= 0:
        found = _frame_at(data, at)
        if found is None:
            at = data.find(MARK, at + 1)
            continue
        damaged_bytes += at - whole_until
        records.append(found)
        whole_until = at = found[1]
    left = len(data) - whole_until
    return (
        Scan(records, damaged_bytes + left, 0)
        if _is_long_enough(data, whole_until)
        else Scan(records, damaged_bytes, left)
    )


def _is_long_enough(data: bytes, at: int) -> bool:
    """Whether what begins at offset `at` has a frame's head, and all the bytes the head promises."""
    if at + _HEAD.size > len(data):
        return False
    mark, size_bytes, _ = _HEAD.unpack_from(data, at)
    return bool(mark == MARK and at + _HEAD.size + size_bytes <= len(data))


def _frame_at(data: bytes, at: int) -> tuple[Record, int] | None:
    """The frame that begins at offset `at`, and its end; None if no whole one does."""
    body = at + _HEAD.size
    if body > len(data):
        return None
    mark, size_bytes, crc = _HEAD.unpack_from(data, at)
    end = body + size_bytes
    if mark != MARK or size_bytes < _FIELDS.size or size_bytes > MAX_FRAME_BYTES or end > len(data):
        return None
    view = memoryview(data)
    if crc32c(view[body:end], crc32c(view[at + _CRC_FROM : at + _CRC_FROM + _LENGTH.size])) != crc:
        return None
    partition, partitions, received_at_ms, topic_bytes = _FIELDS.unpack_from(data, body)
    value_at = body + _FIELDS.size + topic_bytes
    if value_at > end:
        return None
    topic = data[body + _FIELDS.size : value_at].decode()
    return Record(topic, partition, partitions, received_at_ms, data[value_at:end]), end
