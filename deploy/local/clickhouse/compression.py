"""Bodies compressed on the way in (Content-Encoding) and on the way out (Accept-Encoding)."""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import lz4.frame
import zstandard

from deploy.local.clickhouse.blocks import BlockDecoder, BlockEncoder
from deploy.local.clickhouse.errors import BAD_ARGUMENTS, CANNOT_DECOMPRESS, error

# A hostile body expands at most 1,032 times (deflate) and 33,000 times (zstd): input is fed in slices so small that
# what comes out of one stays around 30 MB, whatever was sent.
_SLICE_BYTES = {"zstd": 1 << 10}
_DEFAULT_SLICE_BYTES = 1 << 15
_LEVEL = 3  # ClickHouse's own http_zlib_compression_level
# Fastest first: client and server share the machine.
RESPONSE_ENCODINGS = ("lz4", "zstd", "gzip", "deflate")


class Encoder(Protocol):
    """Compresses a response piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """Bytes ready to send, maybe none yet."""

    def flush(self) -> bytes:
        """The rest, once no more data comes."""


class Decoder(Protocol):
    """Decompresses a request body piece by piece."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` completes, in pieces of bounded size."""

    def finish(self) -> None:
        """Check that the body ended where its last frame does."""


class _Lz4Encoder:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._head: bytes = self._frame.begin()

    def compress(self, data: bytes) -> bytes:
        head, self._head = self._head, b""
        return head + bytes(self._frame.compress(data))

    def flush(self) -> bytes:
        head, self._head = self._head, b""
        return head + bytes(self._frame.flush())


class _Chain:
    """One compressor behind the other."""

    def __init__(self, inner: Encoder, outer: Encoder) -> None:
        self._inner, self._outer = inner, outer

    def compress(self, data: bytes) -> bytes:
        return self._outer.compress(self._inner.compress(data))

    def flush(self) -> bytes:
        return self._outer.compress(self._inner.flush()) + self._outer.flush()


def response_encoder(encoding: str | None, *, blocks: bool) -> Encoder | None:
    """What a response goes through: ClickHouse's blocks if asked for, then one of RESPONSE_ENCODINGS; maybe nothing."""
    outer = None if encoding is None else _encoder(encoding)
    if not blocks:
        return outer
    return BlockEncoder() if outer is None else _Chain(BlockEncoder(), outer)


def _encoder(encoding: str) -> Encoder:
    if encoding == "lz4":
        return _Lz4Encoder()
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=1).compressobj()
    return zlib.compressobj(_LEVEL, zlib.DEFLATED, 31 if encoding == "gzip" else 15)


def choose_encoding(accept: str) -> str | None:
    """The response encoding for an Accept-Encoding header, or None for none."""
    accepted = set()
    for item in accept.split(","):
        name, _, quality = item.partition(";")
        if quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            accepted.add(name.strip().lower())
    return next((name for name in RESPONSE_ENCODINGS if name in accepted), None)


class _FrameDecoder:
    """Any number of frames put end to end, each read by a fresh object of `make`."""

    def __init__(self, encoding: str, make: Callable[[], object]) -> None:
        self._encoding = encoding
        self._make = make
        self._frame: object | None = None
        self._slice_bytes = _SLICE_BYTES.get(encoding, _DEFAULT_SLICE_BYTES)

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), self._slice_bytes):
            rest = data[start : start + self._slice_bytes]
            while rest:
                frame = self._frame or self._make()
                try:
                    out: bytes = frame.decompress(rest)  # type: ignore[attr-defined] # three libraries, one shape
                except (zlib.error, RuntimeError, zstandard.ZstdError, ValueError) as cause:
                    raise error(CANNOT_DECOMPRESS, f"the body is not valid {self._encoding}: {cause}") from None
                ended: bool = frame.eof  # type: ignore[attr-defined] # likewise
                rest = (frame.unused_data or b"") if ended else b""  # type: ignore[attr-defined] # likewise
                self._frame = None if ended else frame
                if out:
                    yield out

    def finish(self) -> None:
        if self._frame is not None:
            raise error(CANNOT_DECOMPRESS, f"the {self._encoding} body ends in the middle of a frame")


class _Behind:
    """Decoders one behind the other."""

    def __init__(self, outer: Decoder, inner: Decoder) -> None:
        self._outer, self._inner = outer, inner

    def feed(self, data: bytes) -> Iterator[bytes]:
        for piece in self._outer.feed(data):
            yield from self._inner.feed(piece)

    def finish(self) -> None:
        self._outer.finish()
        self._inner.finish()


def body_decoder(encoding: str, *, blocks: bool) -> Decoder | None:
    """What a body goes through: its Content-Encoding, then ClickHouse's blocks if announced; None for nothing.

    Raises:
        ClickHouseError: an encoding this server does not speak.
    """
    outer = _decoder(encoding)
    if not blocks:
        return outer
    return BlockDecoder() if outer is None else _Behind(outer, BlockDecoder())


def _decoder(encoding: str) -> Decoder | None:
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip"):
        return _FrameDecoder("gzip", lambda: zlib.decompressobj(31))
    if name == "deflate":
        return _FrameDecoder("deflate", lambda: zlib.decompressobj(15))
    if name == "lz4":
        return _FrameDecoder("lz4", lz4.frame.LZ4FrameDecompressor)
    if name == "zstd":
        return _FrameDecoder("zstd", lambda: zstandard.ZstdDecompressor().decompressobj())
    raise error(
        BAD_ARGUMENTS,
        f"Unknown compression method: {name}; use gzip, deflate, lz4 or zstd as Content-Encoding, or none",
    )
