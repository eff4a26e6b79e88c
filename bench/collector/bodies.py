"""What is posted: the same seeded events of about 400 bytes for everybody, in each one's envelope."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

EVENT_BYTES: Final = 400
BODIES: Final = 400  # with 50 events each 20,000 visitors, none of whom is a hot key

_TYPES: Final = ("page_view", "click", "js_error", "product_added", "checkout_started", "order_completed")


def event(source: random.Random) -> dict[str, Any]:
    """One event of EVENT_BYTES."""
    found: dict[str, Any] = {
        "event_id": f"{source.getrandbits(128):032x}",
        "type": source.choice(_TYPES),
        "ts": 1_760_000_000_000 + source.randrange(86_400_000),
        "session_id": f"s{source.getrandbits(48):012x}",
        "visitor_id": f"v{source.getrandbits(48):012x}",
        "url": f"https://shop.example/p/{source.randrange(10**6):06d}?ref={source.getrandbits(16):04x}",
        "props": {"value": round(source.uniform(1, 500), 2), "sku": f"SKU{source.randrange(10**6):06d}", "note": ""},
    }
    found["props"]["note"] = "x" * (EVENT_BYTES - len(orjson.dumps(found)))
    return found


def as_array(events: list[dict[str, Any]]) -> bytes:
    """For Snag and the floor: one object, or an array."""
    return orjson.dumps(events if len(events) > 1 else events[0])


def as_otlp(events: list[dict[str, Any]]) -> bytes:
    """For the OpenTelemetry Collector: log records whose bodies are the events."""
    records = [{"body": {"stringValue": orjson.dumps(one).decode()}} for one in events]
    return orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})


def write(path: Path, events_per_body: int, envelope: Callable[[list[dict[str, Any]]], bytes]) -> Path:
    """Write BODIES bodies, one a line; returns `path`."""
    source = random.Random(events_per_body)
    path.write_bytes(
        b"\n".join(envelope([event(source) for _ in range(events_per_body)]) for _ in range(BODIES)) + b"\n"
    )
    return path
