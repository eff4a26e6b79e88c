"""JSON Schema of an event as it lies in Kafka and in ClickHouse: `python -m schemas.jsonschema` writes the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.event import Event
from schemas.event_types import EVENT_TYPES

PATH: Final = Path(__file__).with_name("event.schema.json")


def document() -> dict[str, Any]:
    """The schema of one line of the topics clickstream, errors and checkouts (draft 2020-12)."""
    (reference,), definitions = msgspec.json.schema_components((Event,), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "event.schema.json",
        "title": "Snag event",
        **reference,
        "allOf": [_understood(name) for name, event_type in EVENT_TYPES.items() if event_type.props],
        "$defs": definitions,
    }


def _understood(type_: str) -> dict[str, Any]:
    """What the properties of an event of `type_` mean; any other, and any value, may be there too."""
    props = {name: {"description": meaning} for name, meaning in EVENT_TYPES[type_].props.items()}
    return {
        "if": {"properties": {"type": {"const": type_}}},
        "then": {"properties": {"props": {"properties": props}}},
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(document(), indent=2) + "\n")
