"""AsyncAPI description of the Kafka topics, from the topics table: `python -m schemas.asyncapi` writes the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.event import Event
from schemas.rows import (
    AlertRow,
    ErasureRow,
    ErrorRateRow,
    FrictionSignalRow,
    FunnelAttemptRow,
    FunnelCohortRow,
    MinuteMetrics,
    RejectedRow,
    SessionRow,
)
from schemas.topics import ALL, NDJSON, RECEIVED_AT_HEADER, Topic

PATH: Final = Path(__file__).with_name("asyncapi.json")

PAYLOADS: Final[dict[str, type[msgspec.Struct] | None]] = {
    "clickstream": Event,
    "errors": Event,
    "checkouts": Event,
    "ticks": None,  # internal to the live workers: time as data, no contract with anyone else
    "rejected": RejectedRow,
    "erasures": ErasureRow,
    "sessions": SessionRow,
    "funnels": FunnelAttemptRow,
    "funnel_cohorts": FunnelCohortRow,
    "signals": FrictionSignalRow,
    "error_rates": ErrorRateRow,
    "metrics": MinuteMetrics,
    "alerts": AlertRow,
}
"""What a record of each topic holds; of NDJSON topics, what each line holds."""


def document() -> dict[str, Any]:
    """The AsyncAPI 3.0 description of every topic, as JSON-ready data."""
    payloads = {name: payload for name, payload in PAYLOADS.items() if payload is not None}
    references, components = msgspec.json.schema_components(
        tuple(payloads.values()), ref_template="#/components/schemas/{name}"
    )
    schemas = dict(zip(payloads, references, strict=True))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Snag topics",
            "version": "1",
            "description": "Names may carry a configured prefix. A record of an NDJSON topic holds one or more lines.",
        },
        "defaultContentType": NDJSON,
        "channels": {topic.name: _channel(topic) for topic in ALL},
        "operations": {
            f"receive_{topic.name}": {"action": "receive", "channel": {"$ref": f"#/channels/{topic.name}"}}
            for topic in ALL
        },
        "components": {
            "messages": {topic.name: _message(topic, schemas.get(topic.name)) for topic in ALL},
            "schemas": components,
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"{topic.description} Partitioned by: {topic.key}.",
        "messages": {topic.name: {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {
            "kafka": {
                "topicConfiguration": {
                    "cleanup.policy": [topic.cleanup],
                    "retention.ms": topic.retention_ms,
                    "max.message.bytes": int(topic.config()["max.message.bytes"]),
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(topic: Topic, payload: dict[str, Any] | None) -> dict[str, Any]:
    message: dict[str, Any] = {"contentType": topic.content_type}
    if topic.content_type == NDJSON:
        message["headers"] = {
            "type": "object",
            "properties": {
                "content-type": {"type": "string", "const": NDJSON},
                RECEIVED_AT_HEADER: {"type": "string", "description": "Newest receipt inside, Unix ms."},
            },
        }
    if payload is not None:
        message["payload"] = payload
    return message


if __name__ == "__main__":
    PATH.write_text(json.dumps(document(), indent=2) + "\n")
