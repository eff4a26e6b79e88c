"""ClickHouse's own compressed blocks: what `compress=1` asks for in a response and `decompress=1` announces in a body.

A block is a CityHash128 of all that follows it (two little-endian words, low one first), a byte for the method, the
compressed size with these nine bytes of header, the uncompressed size (both uint32, little-endian), and the data. The
engine's column files have the same layout (ClickHouse docs, "Compression in ClickHouse": Block).
"""

import struct
from collections.abc import Iterator
from typing import Final

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from deploy.local.clickhouse.errors import CANNOT_DECOMPRESS, CHECKSUM_DOESNT_MATCH, error

NONE, LZ4, ZSTD = 0x02, 0x82, 0x90
_HEADER = struct.Struct("<BII")
_CHECKSUM = struct.Struct("<QQ")
_BLOCK_BYTES: Final = 1 << 20  # ClickHouse's max_compress_block_size
_MAX_BYTES: Final = 64 << 20  # of one block, either way; clients send about 1 MiB
_WORD: Final = (1 << 64) - 1


def checksum(data: bytes) -> bytes:
    """The sixteen bytes that stand before a block's header and data."""
    value: int = CityHash128(data)
    # The binding gives the first word of the pair as the upper half.
    return _CHECKSUM.pack(value >> 64, value & _WORD)


class BlockEncoder:
    """Compresses a response into LZ4 blocks."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def compress(self, data: bytes, /) -> bytes:
        """The blocks that `data` fills."""
        self._waiting += data
        out: list[bytes] = []
        while len(self._waiting) >= _BLOCK_BYTES:
            out.append(_block(bytes(self._waiting[:_BLOCK_BYTES])))
            del self._waiting[:_BLOCK_BYTES]
        return b"".join(out)

    def flush(self) -> bytes:
        """The last block, if anything is left."""
        rest, self._waiting = bytes(self._waiting), bytearray()
        return _block(rest) if rest else b""


def _block(data: bytes) -> bytes:
    packed = lz4.block.compress(data, store_size=False)
    body: bytes = _HEADER.pack(LZ4, _HEADER.size + len(packed), len(data)) + packed
    return checksum(body) + body


class BlockDecoder:
    """Decompresses a body made of blocks (LZ4, ZSTD or stored), checking each one's checksum."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` completes, a block at a time.

        Raises:
            ClickHouseError: a block is broken, too large, or compressed by another method.
        """
        self._waiting += data
        while len(self._waiting) >= _CHECKSUM.size + _HEADER.size:
            method, packed_bytes, size_bytes = _HEADER.unpack_from(self._waiting, _CHECKSUM.size)
            if packed_bytes < _HEADER.size or max(packed_bytes, size_bytes) > _MAX_BYTES:
                raise error(
                    CANNOT_DECOMPRESS,
                    f"a compressed block claims {packed_bytes} bytes for {size_bytes}: the body is not in ClickHouse's "
                    f"block format, or its blocks are larger than {_MAX_BYTES >> 20} MiB",
                )
            end = _CHECKSUM.size + packed_bytes
            if len(self._waiting) < end:
                return
            given, body = bytes(self._waiting[: _CHECKSUM.size]), bytes(self._waiting[_CHECKSUM.size : end])
            del self._waiting[:end]
            if given != checksum(body):
                raise error(CHECKSUM_DOESNT_MATCH, "Checksum doesn't match: corrupted data in a compressed block")
            yield _unpack(method, body[_HEADER.size :], size_bytes)

    def finish(self) -> None:
        """Check that the body ended with a whole block.

        Raises:
            ClickHouseError: it did not.
        """
        if self._waiting:
            raise error(CANNOT_DECOMPRESS, "the body ends in the middle of a compressed block")


def _unpack(method: int, packed: bytes, size_bytes: int) -> bytes:
    data: bytes
    try:
        if method == LZ4:
            data = lz4.block.decompress(packed, uncompressed_size=size_bytes)
        elif method == ZSTD:
            data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size_bytes)
        elif method == NONE:
            data = packed
        else:
            raise error(CANNOT_DECOMPRESS, f"compression method {method:#04x} is not supported: use LZ4, ZSTD or NONE")
    except (lz4.block.LZ4BlockError, zstandard.ZstdError) as cause:
        raise error(CANNOT_DECOMPRESS, f"a compressed block cannot be decompressed: {cause}") from None
    if len(data) != size_bytes:
        raise error(CANNOT_DECOMPRESS, f"a compressed block holds {len(data)} bytes and claims {size_bytes}")
    return data
