"""Helpers that put foreign values into the fields of an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ingest.decode import Item
from ingest.lenient import read_leniently
from schemas.event import ID_MAX_CHARS

_NOTHING: Final[dict[str, Any]] = {}


def part(value: Any, *names: str) -> dict[str, Any]:
    """`value`, or what lies in it under `names`, one below the other, if that is an object; else an empty one."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else _NOTHING


def text(*values: Any) -> str | None:
    """The first of `values` that is a string with something in it; numbers are written out."""
    for value in values:
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(value)
    return None


def cut_id(*values: Any) -> str | None:
    """As `text`, no longer than an id may be: for ids that only group, where a cut one still does."""
    found = text(*values)
    return found[:ID_MAX_CHARS] if found is not None else None


def event(type_: Any, props: Mapping[str, Any], **fields: Any) -> Item:
    """The event with these fields, those that are None left out; or its refusal when one of them cannot be taken."""
    return read_leniently({"type": type_, "props": {k: v for k, v in props.items() if v is not None}, **fields})
