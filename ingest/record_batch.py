"""A Kafka record batch (message format 2) of one record, as it stands in a produce request: pure bytes.

One record, because the batcher has put many lines into it already. Layout: Kafka's documentation, "Message Format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import lz4.frame
from crc32c import crc32c

_MAGIC: Final = 2
_LZ4: Final = 3  # attributes: the codec, in the lowest bits
_NO_EPOCH: Final = -1
_NO_PRODUCER: Final = (-1, -1, -1)  # id, epoch and sequence: not idempotent

_HEAD: Final = struct.Struct(">qiibI")  # base offset, bytes that follow, leader epoch, magic, checksum
_HEAD_UNCOUNTED_BYTES: Final = 12  # base offset and length itself
_CHECKED: Final = struct.Struct(">hiqqqhii")  # attributes, last offset, first and last time, producer, records


def encode(value: bytes, headers: Iterable[tuple[str, bytes]], timestamp_ms: int) -> bytes:
    """The batch of a record without key: `value`, `headers` and when it was made (Unix ms), packed with LZ4."""
    start = b"\0\0\0" + _varint(-1) + _varint(len(value))  # attributes, time and offset as in the batch; no key
    end = _headers(headers)
    length = _varint(len(start) + len(value) + len(end))
    records: bytes = lz4.frame.compress(b"".join((length, start, value, end)), block_linked=False, store_size=False)
    checked = _CHECKED.pack(_LZ4, 0, timestamp_ms, timestamp_ms, *_NO_PRODUCER, 1) + records
    size_bytes = _HEAD.size - _HEAD_UNCOUNTED_BYTES + len(checked)
    head = _HEAD.pack(0, size_bytes, _NO_EPOCH, _MAGIC, crc32c(checked))
    return head + checked


def _headers(headers: Iterable[tuple[str, bytes]]) -> bytes:
    found = [(name.encode(), value) for name, value in headers]
    parts = [_varint(len(found))]
    for name, value in found:
        parts += (_varint(len(name)), name, _varint(len(value)), value)
    return b"".join(parts)


def _varint(value: int) -> bytes:
    """Zigzag and base 128, as Protocol Buffers have it."""
    left = value << 1 if value >= 0 else (-value << 1) - 1
    found = bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    return bytes(found)
