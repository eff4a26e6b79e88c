"""Snowplow's self-describing JSON: unpacking it from a tracker's payload."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from ingest.adapters.bodies import from_base64
from ingest.adapters.fields import part
from ingest.adapters.values import array, string
from ingest.decode import UNREADABLE

_SCHEMA: Final = re.compile(r"iglu:([^/]+)/([^/]+)/")


class UndescribedError(ValueError):
    """A self-describing JSON that cannot be unpacked. `field` is the payload's member that holds it."""

    def __init__(self, field: str, cause: str) -> None:
        super().__init__(cause)
        self.field = field


class Described(NamedTuple):
    """Data and the schema that describes it, such as `com.acme`, `checkout`."""

    vendor: str
    name: str
    data: dict[str, Any]


def unpack_event(payload: Mapping[str, Any]) -> Described:
    """The event in `ue_px` (base64) or `ue_pr` (JSON text). Raises UndescribedError."""
    field, outer = _member(payload, "ue_px", "ue_pr")
    if (described := _described(part(outer, "data"))) is None:
        raise UndescribedError(field, f"`{field}` holds no self-describing event.")
    return described


def unpack_contexts(payload: Mapping[str, Any]) -> list[Described]:
    """The contexts ("entities") in `cx` (base64) or `co` (JSON text), if there are any. Raises UndescribedError."""
    if not payload.get("cx") and not payload.get("co"):
        return []
    _, outer = _member(payload, "cx", "co")
    found = (_described(part(context)) for context in array(part(outer).get("data")))
    return [context for context in found if context is not None]


def _member(payload: Mapping[str, Any], encoded: str, plain: str) -> tuple[str, object]:
    field = encoded if payload.get(encoded) else plain
    value = string(payload.get(field)).encode(errors="replace")
    try:
        content = from_base64(value) if field == encoded else value
        return field, msgspec.json.decode(content or b"")
    except UNREADABLE as error:
        raise UndescribedError(field, f"`{field}` cannot be read: {error}.") from error


def _described(described: dict[str, Any]) -> Described | None:
    found = _SCHEMA.match(string(described.get("schema")))
    return Described(found[1], found[2], part(described.get("data"))) if found else None
