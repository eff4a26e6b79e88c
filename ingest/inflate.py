"""Compressed bodies, made plain within a bound."""

from __future__ import annotations

import zlib
from typing import Final

from ingest.refusal import RequestError

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31
_ZLIB_WINDOW: Final = 15
_RAW_WINDOW: Final = -15


def inflate(body: bytes, encoding: bytes, max_bytes: int) -> bytes:
    """The plain bytes of `body`; `encoding` is its Content-Encoding header.

    gzip is known by its first bytes: SDKs send it without the header, proxies undo it and leave the header behind.
    Raises RequestError: damaged, another encoding, or more than `max_bytes` of plain data.
    """
    if body.startswith(_GZIP_MAGIC):
        return _inflate(body, _GZIP_WINDOW, max_bytes)
    encoding = encoding.strip().lower()
    if encoding in (b"", b"identity", b"gzip", b"x-gzip"):
        return body
    if encoding == b"deflate":
        if body[:1] in (b"{", b"["):
            return body
        # RFC 9110 means zlib's format; some clients send it without zlib's header.
        return _inflate(body, _ZLIB_WINDOW if body[:1] == b"\x78" else _RAW_WINDOW, max_bytes)
    raise RequestError("unsupported_encoding", encoding.decode("latin-1")[:64])


def _inflate(body: bytes, window: int, max_bytes: int) -> bytes:
    plain = bytearray()
    while body:
        stream = zlib.decompressobj(window)
        try:
            plain += stream.decompress(body, max_bytes + 1 - len(plain))
        except zlib.error as error:
            raise RequestError("invalid_encoding", str(error)) from error
        if len(plain) > max_bytes:
            raise RequestError("body_too_large", f"It inflates to more than {max_bytes} bytes.")
        if not stream.eof:
            raise RequestError("invalid_encoding", "The compressed stream ends early.")
        body = stream.unused_data if window == _GZIP_WINDOW else b""  # gzip may hold several members
        if not body.startswith(_GZIP_MAGIC):
            break
    return bytes(plain)
