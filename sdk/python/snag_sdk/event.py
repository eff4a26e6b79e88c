"""An event in the collector's native form. Its id is made here, once, so that every retry is the same event."""

from __future__ import annotations

import json
import traceback
import uuid
from datetime import UTC, datetime
from pathlib import PurePath
from types import TracebackType
from typing import Any, Final

from snag_sdk.errors import EventRefusedError

MAX_EVENT_BYTES: Final = 250_000  # the collector takes 256 KiB as it stores them; its own fields need room
MAX_FRAMES: Final = 20  # a fingerprint uses five; more help a person, hundreds (a recursion) help nobody
_LIBRARY_PARTS: Final = frozenset({"site-packages", "dist-packages"})


def make_event(
    type_: str,
    *,
    visitor_id: str | None = None,
    session_id: str | None = None,
    user_id: str | None = None,
    event_id: str | None = None,
    timestamp: datetime | None = None,
    props: dict[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """The event as a dict; `fields` are further envelope fields (url, path, referrer, title, message, release, ..).

    A naive `timestamp` means local time, as everywhere in Python; none means now. Raises EventRefusedError for an
    event without a type.
    """
    if not type_:
        raise EventRefusedError('the event has no type. Name what happened, such as "checkout_started".')
    moment = timestamp or datetime.now(UTC)
    event: dict[str, Any] = {
        "event_id": event_id or str(uuid.uuid4()),
        "type": type_,
        "ts": moment.astimezone(UTC).isoformat(timespec="milliseconds"),
    }
    named = {"visitor_id": visitor_id, "session_id": session_id, "user_id": user_id, **fields}
    event.update((name, value) for name, value in named.items() if value is not None)
    if props:
        event["props"] = dict(props)
    return event


def encode(event: dict[str, Any]) -> bytes:
    """The event as JSON. What JSON does not know (dates, decimals, paths) becomes text.

    Raises EventRefusedError for an event that JSON cannot hold (a cycle, NaN) or that is larger than MAX_EVENT_BYTES.
    """
    try:
        text = json.dumps(event, default=str, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        data = text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise EventRefusedError(f"event {event.get('type')!r} cannot be written as JSON: {error}.") from error
    if len(data) > MAX_EVENT_BYTES:
        raise EventRefusedError(
            f"event {event.get('type')!r} has {len(data)} bytes; the limit is {MAX_EVENT_BYTES}. Send less in `props`."
        )
    return data


def exception_fields(error: BaseException) -> tuple[str, dict[str, Any]]:
    """Message and props of an exception: its class and the frames, innermost first. No values of variables."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return str(error) or name, {"error_type": name, "frames": _frames(error.__traceback__)}


def _frames(trace: TracebackType | None) -> list[dict[str, Any]]:
    frames = traceback.extract_tb(trace)[-MAX_FRAMES:]
    return [
        {
            "file": frame.filename,
            "function": frame.name,
            "line": frame.lineno,
            "in_app": _LIBRARY_PARTS.isdisjoint(PurePath(frame.filename).parts) and not frame.filename.startswith("<"),
        }
        for frame in reversed(frames)
    ]
