"""Compressed bodies, made plain within a bound."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

import brotli
import zstandard

from ingest.refusal import RequestError

_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_ZLIB_MAGICS: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")  # RFC 1950 with the usual window; no text
_GZIP_WINDOW: Final = 31
_ZLIB_WINDOW: Final = 15
_RAW_WINDOW: Final = -15
_ZSTD_MAX_WINDOW_BYTES: Final = 8 * 1024 * 1024  # what RFC 8878 asks every decoder to support, and no more
_MAX_STREAMS: Final = 128  # one behind the other, as parallel packers write them; each costs a copy of what follows it


class _DamagedError(Exception):
    """The stream is none of its format, or ends early. The text says which."""


def inflate(body: bytes, encoding: bytes, max_bytes: int) -> bytes:
    """The plain bytes of `body`; `encoding` is its Content-Encoding header.

    gzip, zlib and zstd are known by their first bytes: SDKs send them without the header, proxies undo them and leave
    the header behind. Brotli and bare deflate have no such mark and are believed to the header, unless a body that they
    cannot be looks like JSON. Raises RequestError: damaged, another encoding, or more than `max_bytes` of plain data.
    """
    try:
        if body.startswith(_GZIP_MAGIC):
            return _inflate(body, _GZIP_WINDOW, max_bytes)
        if body.startswith(_ZSTD_MAGIC):
            return _zstd(body, max_bytes)
        if body.startswith(_ZLIB_MAGICS):
            return _inflate(body, _ZLIB_WINDOW, max_bytes)
        if not encoding:
            return body
        name = encoding.strip().lower()
        if name in (b"", b"identity", b"gzip", b"x-gzip", b"zstd"):
            return body
        unmarked = _UNMARKED.get(name)
        if unmarked is None:
            raise RequestError("unsupported_encoding", name.decode("latin-1")[:64])
        try:
            return unmarked(body, max_bytes)
        except _DamagedError:
            if body[:1] in (b"{", b"["):
                return body
            raise
    except _DamagedError as error:
        raise RequestError("invalid_encoding", str(error)) from error


def _inflate(body: bytes, window: int, max_bytes: int) -> bytes:
    plain = bytearray()
    streams = 0
    while body:
        streams = _one_more(streams)
        stream = zlib.decompressobj(window)
        try:
            plain += stream.decompress(body, max_bytes + 1 - len(plain))
        except zlib.error as error:
            raise _DamagedError(str(error)) from error
        _check(len(plain), max_bytes)
        if not stream.eof:
            raise _DamagedError("The compressed stream ends early.")
        body = stream.unused_data if window == _GZIP_WINDOW else b""  # gzip may hold several members
        if not body.startswith(_GZIP_MAGIC):
            break
    return bytes(plain)


def _deflate(body: bytes, max_bytes: int) -> bytes:
    """RFC 9110 means zlib's format by `deflate`, which was tried before; some clients send it without its header."""
    return _inflate(body, _RAW_WINDOW, max_bytes)


def _brotli(body: bytes, max_bytes: int) -> bytes:
    stream = brotli.Decompressor()
    plain = bytearray()
    try:
        while not stream.is_finished():
            part = stream.process(body, output_buffer_limit=max_bytes + 1)
            body = b""
            plain += part
            _check(len(plain), max_bytes)
            if not part and stream.can_accept_more_data():
                raise _DamagedError("The compressed stream ends early.")
    except brotli.error as error:
        raise _DamagedError(str(error)) from error
    return bytes(plain)


def _zstd(body: bytes, max_bytes: int) -> bytes:
    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_MAX_WINDOW_BYTES)
    plain = bytearray()
    try:
        # Twice: this way stops at a bound but does not tell the end of the stream from the end of what came; once the
        # bound is known to hold, the other way, which does, is safe.
        with decoder.stream_reader(body, read_across_frames=True) as reader:
            _check(len(reader.read(max_bytes + 1)), max_bytes)
        streams = 0
        while body.startswith(_ZSTD_MAGIC):
            streams = _one_more(streams)
            stream = decoder.decompressobj()
            plain += stream.decompress(body)
            if not stream.eof:
                raise _DamagedError("The compressed stream ends early.")
            body = stream.unused_data
    except zstandard.ZstdError as error:
        raise _DamagedError(str(error)) from error
    return bytes(plain)


_UNMARKED: Final[dict[bytes, Callable[[bytes, int], bytes]]] = {b"br": _brotli, b"deflate": _deflate}


def _check(size_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        raise RequestError("body_too_large", f"It inflates to more than {max_bytes} bytes.")


def _one_more(streams: int) -> int:
    if streams == _MAX_STREAMS:
        raise _DamagedError(f"It holds more than {_MAX_STREAMS} compressed streams one behind the other.")
    return streams + 1
