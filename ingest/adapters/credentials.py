"""Where clients put their write key outside the body."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from ingest.adapters.form import arguments_of

QUERY_NAMES: Final = (b"writeKey", b"write_key")


def standard_key(headers: Mapping[bytes, bytes], query: bytes) -> bytes:
    """The key in `Authorization` (Basic user name or Bearer), `X-Write-Key`, or the query's `writeKey`; else empty.

    The first of them that is there counts, also when what it holds is no key.
    """
    if authorization := headers.get(b"authorization"):
        return key_of_authorization(authorization)
    if x_write_key := headers.get(b"x-write-key"):
        return x_write_key.strip()
    return query_key(query, *QUERY_NAMES) if query else b""


def key_of_authorization(authorization: bytes) -> bytes:
    """The user name of Basic credentials, or the token of Bearer ones; a NUL, which is no key, for anything else."""
    scheme, _, credentials = authorization.strip().partition(b" ")
    scheme = scheme.lower()
    if scheme == b"basic":
        try:
            return base64.b64decode(credentials.strip(), validate=True).partition(b":")[0] or b"\0"
        except (binascii.Error, ValueError):
            return b"\0"
    return (credentials.strip() if scheme == b"bearer" else b"") or b"\0"


def query_key(query: bytes, *names: bytes) -> bytes:
    """The first argument of `query` that has one of `names`; else empty."""
    arguments = arguments_of(query)
    return next((arguments[name] for name in names if name in arguments), b"")
