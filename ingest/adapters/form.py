"""Arguments in a query or a form, as bytes: what they hold need be neither ASCII nor UTF-8."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes


def arguments_of(encoded: bytes) -> dict[bytes, bytes]:
    """The decoded arguments of `a=1&b=2`; of one given twice the first. One without `=` is left out.

    By hand: urllib's parser of bytes fails on every argument that is not ASCII.
    """
    found: dict[bytes, bytes] = {}
    for pair in encoded.split(b"&"):
        name, is_argument, value = pair.partition(b"=")
        if is_argument:
            found.setdefault(_decoded(name), _decoded(value))
    return found


def texts_of(arguments: Mapping[bytes, bytes]) -> dict[str, str]:
    """`arguments` as texts: what is no UTF-8 is replaced."""
    return {name.decode(errors="replace"): value.decode(errors="replace") for name, value in arguments.items()}


def _decoded(part: bytes) -> bytes:
    return unquote_to_bytes(part.replace(b"+", b" "))
