"""One readable line per Kafka record's object, for people who watch a stream."""

from __future__ import annotations

from typing import Any, Final

import orjson

from schemas.topics import ALERTS, REJECTED, Topic

_RAW_MAX_CHARS: Final = 80
_PROPS_MAX_CHARS: Final = 60


def readable(topic: Topic, line: bytes) -> str:
    """`line` of `topic` for a terminal: no control characters, whoever sent them, and no line breaks."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        return _printable(f"{topic.name:<11} {line[:_RAW_MAX_CHARS].decode(errors='replace')}")
    if topic is ALERTS:
        return _printable(_alert(found))
    return _printable(_rejected(found) if topic is REJECTED else _event(topic, found))


def _event(topic: Topic, event: dict[str, Any]) -> str:
    parts = [_time(event.get("ts")), f"{topic.name:<11}", f"{event.get('type', ''):<16}"]
    parts.append(str(event.get("visitor_id") or event.get("session_id") or "-"))
    parts += [str(event[name]) for name in ("path", "element", "error_class", "message") if event.get(name)]
    if event.get("is_bot"):
        parts.append("(bot)")
    if event.get("props"):
        parts.append(orjson.dumps(event["props"]).decode()[:_PROPS_MAX_CHARS])
    return " ".join(parts)


def _rejected(row: dict[str, Any]) -> str:
    where = f" at {row['field']}" if row.get("field") else ""
    raw = str(row.get("raw", ""))[:_RAW_MAX_CHARS]
    what = f"{row.get('code', '')}{where}: {row.get('message', '')}"
    return f"{_time(row.get('received_at'))} {REJECTED.name:<11} {what} {row.get('event_id', '')} {raw}".rstrip()


def _alert(row: dict[str, Any]) -> str:
    status = str(row.get("status", "")).upper()
    return (
        f"{_time(row.get('updated_at'))} {status:<8} {row.get('severity', '')} "
        f"{row.get('site', '')}/{row.get('rule', '')}: {row.get('summary', '')}"
    )


def _time(moment: Any) -> str:
    """Date and time to the millisecond, in UTC as on the wire."""
    return str(moment or "")[:23].replace("T", " ")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text)
