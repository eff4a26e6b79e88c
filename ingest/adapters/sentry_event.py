"""One Sentry event, made an error of ours.

Kept: what tells errors apart and whom they hit: type, message, in-app frames, handled or not, release, tags. Left out:
breadcrumbs, local variables, installed modules and extra data, which hold what people typed more often than a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ingest.adapters.bodies import moment_of
from ingest.adapters.fields import cut_id, event, part, text
from ingest.adapters.stacks import innermost_frames
from ingest.adapters.values import array, present, string
from ingest.decode import Item
from ingest.paths import path_of

_NOT_ERRORS: Final = frozenset({"debug", "info", "log", "warning"})
_SCRIPTS: Final = frozenset({"javascript"})
_APPS: Final = frozenset({"cocoa", "objc", "native", "dart", "flutter"})
_OUR_IDS: Final = ("session_id", "visitor_id")


def event_of(data: Mapping[str, Any]) -> Item:
    """The error in an event item's `data`.

    A page's error is `js_error`, a failed request that the SDK reports `http_error`, an app that it ended `crash`, any
    other `exception`. A message below level "error" is none: `log`, of kind clickstream. Session and visitor are the
    tags `session_id` and `visitor_id`: Sentry has no such ids of its own.
    """
    exception = _exception(data)
    mechanism = part(exception, "mechanism")
    tags = _pairs(data.get("tags"))
    request = part(data, "request")
    headers = {name.lower(): value for name, value in _pairs(request.get("headers")).items()}
    platform = string(data.get("platform"))
    props = {
        "error_type": exception.get("type"),
        "level": data.get("level"),
        "handled": mechanism.get("handled"),
        "mechanism": mechanism.get("type"),
        "frames": innermost_frames(part(exception, "stacktrace").get("frames")),
        "fingerprint": _own_fingerprint(data.get("fingerprint")),
        "transaction": data.get("transaction"),
        "environment": data.get("environment"),
        "platform": platform,
        "logger": data.get("logger"),
        "server_name": data.get("server_name"),
        "trace_id": part(data, "contexts", "trace").get("trace_id"),
        "tags": {name: value for name, value in tags.items() if name not in _OUR_IDS},
    }
    type_ = _type(data, exception, platform)
    status = part(data, "contexts", "response").get("status_code")
    if isinstance(status, int) and "http.client" in string(mechanism.get("type")):
        type_ = "http_error"
        props |= {"status": status, "request_path": path_of(string(request.get("url")))}
    return event(
        type_,
        present(props),
        kind="clickstream" if type_ == "log" else "error",
        event_id=text(data.get("event_id")),
        ts=moment_of(data.get("timestamp")),
        user_id=cut_id(part(data, "user").get("id")),
        session_id=cut_id(tags.get("session_id")),
        visitor_id=cut_id(tags.get("visitor_id")),
        url=text(request.get("url")),
        referrer=text(headers.get("referer")),
        user_agent=text(headers.get("user-agent")),
        release=text(data.get("release")),
        message=text(exception.get("value"), *_messages(data)),
        **(_device(data) if platform in _SCRIPTS | _APPS else {}),
    )


def _device(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the visitor uses; on a server the same contexts describe the server."""
    return {
        "browser": text(part(data, "contexts", "browser").get("name")),
        "os": text(part(data, "contexts", "os").get("name")),
        "device": text(part(data, "contexts", "device").get("family")),
    }


def _exception(data: Mapping[str, Any]) -> dict[str, Any]:
    """The exception that was raised: the last one; those before it are its causes."""
    exception = data.get("exception")
    values = array(exception) or array(part(exception).get("values"))
    return part(values[-1]) if values else {}


def _messages(data: Mapping[str, Any]) -> tuple[Any, ...]:
    entry = part(data, "logentry")
    return data.get("message"), entry.get("formatted"), entry.get("message")


def _type(data: Mapping[str, Any], exception: Mapping[str, Any], platform: str) -> str:
    mechanism = part(exception.get("mechanism"))
    is_raised = bool(exception) and mechanism.get("synthetic") is not True
    if not is_raised and string(data.get("level")) in _NOT_ERRORS:
        return "log"
    if platform in _SCRIPTS:
        return "js_error"
    if platform in _APPS and mechanism.get("handled") is False:
        return "crash"
    return "exception"


def _pairs(value: object) -> dict[str, Any]:
    """Tags or headers, which SDKs send as an object or as an array of pairs."""
    if isinstance(value, dict):
        return value
    pairs: Iterable[Any] = (pair for pair in array(value) if isinstance(pair, list) and len(pair) == 2)
    return {name: content for name, content in pairs if isinstance(name, str)}


def _own_fingerprint(value: object) -> list[str]:
    """The client's own grouping; none if it is the default one."""
    parts = [entry for entry in array(value) if isinstance(entry, str)]
    return [] if parts == ["{{ default }}"] else parts
