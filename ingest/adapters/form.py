"""Arguments in a query or a form, as bytes: what they hold need be neither ASCII nor UTF-8."""

from __future__ import annotations

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


def _decoded(part: bytes) -> bytes:
    return unquote_to_bytes(part.replace(b"+", b" "))
