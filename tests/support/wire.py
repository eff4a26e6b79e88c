"""Requests for adapters, as the route makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ingest.adapters.adapter import Request
from ingest.draft import Draft
from schemas.openapi import RejectedEvent, Verdicts

RECEIVED_AT = datetime(2026, 11, 22, 16, 10, 10, tzinfo=UTC)


def request(
    path: str,
    body: Any = b"",
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
    parameters: Mapping[str, str] | None = None,
    max_events: int = 100,
) -> Request:
    """A request; a `body` that is no bytes is sent as JSON."""
    return Request(
        method=method,
        path=path,
        query=query.encode(),
        headers={name.lower().encode(): value.encode() for name, value in (headers or {}).items()},
        received_at=RECEIVED_AT,
        max_body_bytes=100_000,
        max_events=max_events,
        parameters=parameters or {},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
    )


def fields(item: object) -> dict[str, Any]:
    """What an event says: its fields that are there."""
    assert isinstance(item, Draft), item
    return {name: value for name in item.__struct_fields__ if (value := getattr(item, name)) is not None}


def verdicts(accepted: int, *refused: tuple[int, str]) -> Verdicts:
    """Verdicts that refuse the events of these (index, event id)."""
    return Verdicts(
        accepted=accepted,
        rejected=[
            RejectedEvent(index=index, event_id=event_id, code="invalid_type", field="x", message="`x` is wrong.")
            for index, event_id in refused
        ],
    )
