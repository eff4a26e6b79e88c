"""The second reading of an event: other spellings, other types and unknown fields, where the strict reading gave up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, get_args

from ingest.draft import Draft
from ingest.refusal import Refusal
from ingest.times import read_moment
from schemas.event import ID_MAX_CHARS, TEXT_MAX_CHARS, Kind
from schemas.openapi import EventCode

ALIASES: Final[dict[str, str]] = {
    "eventId": "event_id",
    "messageId": "event_id",
    "sessionId": "session_id",
    "visitorId": "visitor_id",
    "anonymousId": "visitor_id",
    "userId": "user_id",
    "sentAt": "sent_at",
    "isBot": "is_bot",
    "userAgent": "user_agent",
    "properties": "props",
}
"""Other names of a field. The field's own name wins, then the first alias that is there."""

OURS: Final = frozenset({"site", "received_at", "client_ts", "ts_source", "is_hot", "error_class", "fingerprint"})
"""Fields that only the collector fills: a client's are ignored, so that a recorded event can be sent again."""

_KINDS: Final = get_args(Kind)


class _RefusedError(Exception):
    def __init__(self, code: EventCode, field: str, cause: str) -> None:
        super().__init__(code, field, cause)
        self.code = code
        self.field = field
        self.cause = cause


def read_leniently(data: object) -> Draft | Refusal:
    """The event in decoded JSON `data`.

    Unknown top-level fields move into `props`, where a field of `props` itself wins over one beside it. Numbers are
    taken as ids, long texts are cut, `null` and a missing field are the same. What is left is refused.
    """
    if not isinstance(data, dict):
        return Refusal("not_an_object", "", f"The event is {_json_name(data)}.")
    known: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for name, value in data.items():
        if name in _READERS:
            known[name] = value
        elif name not in ALIASES and name not in OURS:
            unknown[name] = value
    for alias, name in ALIASES.items():
        if alias in data and known.get(name) is None:
            known[name] = data[alias]
    try:
        fields = {name: _READERS[name](value, name) for name, value in known.items() if value is not None}
        if not fields.get("type"):
            raise _RefusedError("missing_type", "type", "The event has no `type`.")
    except _RefusedError as refused:
        return Refusal(refused.code, refused.field, refused.cause, _id_or_empty(known.get("event_id")))
    if unknown:
        fields["props"] = unknown | fields.get("props", {})
    return Draft(**fields)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _wrong_type(value, name, "a string")
    return value[:TEXT_MAX_CHARS]


def _label(value: Any, name: str) -> str:
    return _text(value, name)[:ID_MAX_CHARS]


def _id(value: Any, name: str) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong_type(value, name, "a string or a number")
    elif isinstance(value, float):
        text = str(int(value)) if value.is_integer() else repr(value)
    elif abs(value) >= 10**ID_MAX_CHARS:
        raise _RefusedError("too_long", name, f"`{name}` has more than {ID_MAX_CHARS} digits.")
    else:
        text = str(value)
    if len(text) > ID_MAX_CHARS:
        raise _RefusedError("too_long", name, f"`{name}` has {len(text)} characters.")
    return text


def _type(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _wrong_type(value, name, "a string")
    return _id(value, name)


def _kind(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _wrong_type(value, name, "a string")
    if value not in _KINDS:
        raise _RefusedError("unknown_kind", name, f"The kind {value[:ID_MAX_CHARS]!r} is not known.")
    return value


def _moment(value: Any, name: str) -> Any:
    moment = read_moment(value)
    if moment is None:
        raise _RefusedError("invalid_timestamp", name, f"`{name}` is {_shown(value)}, which names no usable moment.")
    return moment


def _sent_at(value: Any, _name: str) -> Any:
    return read_moment(value)  # says nothing about the event itself: an unreadable one is as good as none


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong_type(value, name, "a number")
    try:
        return float(value)
    except OverflowError:
        raise _wrong_type(value, name, "a number that fits 64 bits") from None


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong_type(value, name, "true or false")
    return value


def _props(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong_type(value, name, "an object")
    return value


_READERS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "event_id": _id,
    "type": _type,
    "kind": _kind,
    "ts": _moment,
    "timestamp": _moment,
    "sent_at": _sent_at,
    "session_id": _id,
    "visitor_id": _id,
    "user_id": _id,
    **dict.fromkeys(("url", "path", "page", "referrer", "title", "element", "user_agent", "message"), _text),
    **dict.fromkeys(("device", "browser", "os", "country", "release", "ip"), _label),
    "x": _number,
    "y": _number,
    "is_bot": _flag,
    "props": _props,
}


def _wrong_type(value: Any, name: str, wanted: str) -> _RefusedError:
    return _RefusedError("invalid_type", name, f"`{name}` is {_json_name(value)}, not {wanted}.")


def _json_name(value: object) -> str:
    if value is None:
        return "null"
    for kind, name in ((bool, "a boolean"), (str, "a string"), (dict, "an object"), (list, "an array")):
        if isinstance(value, kind):
            return name
    return "a number"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return repr(value[:64])
    return repr(value) if isinstance(value, float) else _json_name(value)


def _id_or_empty(value: Any) -> str:
    try:
        return _id(value, "event_id")
    except _RefusedError:
        return ""
