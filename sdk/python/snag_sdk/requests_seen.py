"""What a finished web request tells: server errors, pages not found, slow answers. For both kinds of middleware."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, TypeVar

from snag_sdk.event import exception_fields
from snag_sdk.events_api import EventsApi

_log: Final = logging.getLogger("snag_sdk")

_Request = TypeVar("_Request")

VISITOR_HEADER: Final = "x-snag-visitor-id"
SESSION_HEADER: Final = "x-snag-session-id"
VISITOR_COOKIE: Final = "snag_visitor"
SLOW_AFTER_S: Final = 1.0  # Nielsen: about the limit for a visitor's flow of thought to stay unbroken


@dataclass(frozen=True)
class Who:
    """Whose request it is; what is not known stays None."""

    visitor_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True)
class Seen:
    """One finished request. `url` as the visitor's browser shows it; `error` what the program raised, if it did."""

    method: str
    url: str
    path: str
    status: int
    duration_s: float
    error: BaseException | None = None


def who_from(headers: Mapping[str, str]) -> Who:
    """Ids from the headers (lower-case names): X-Snag-Visitor-Id and X-Snag-Session-Id, else the visitor cookie."""
    visitor = headers.get(VISITOR_HEADER)
    if visitor is None and VISITOR_COOKIE in headers.get("cookie", ""):
        try:
            cookie = SimpleCookie(headers["cookie"]).get(VISITOR_COOKIE)
            visitor = cookie.value if cookie is not None else None
        except CookieError:
            visitor = None
    return Who(visitor or None, headers.get(SESSION_HEADER) or None)


def found_by(who: Callable[[_Request], Who], request: _Request) -> Who:
    """Whose `request` is, by a program's own `who`. One that raises costs the ids, never the answer."""
    try:
        return who(request)
    except Exception:
        _log.warning("who= raised; what this request met is reported without its visitor", exc_info=True)
        return Who()


def is_worth_telling(status: int, duration_s: float, error: BaseException | None, slow_after_s: float) -> bool:
    """Whether a finished request is one that `report` says something of; most are not, and cost no more than this."""
    return error is not None or status == 404 or status >= 500 or duration_s >= slow_after_s


def report(client: EventsApi, seen: Seen, who: Who, slow_after_s: float) -> None:
    """Queue what `seen` tells: an `http_error` for 404 and 5xx, a `slow_response` for one that took too long."""
    ids = {"visitor_id": who.visitor_id, "session_id": who.session_id, "user_id": who.user_id}
    props: dict[str, Any] = {
        "status": seen.status,
        "method": seen.method,
        "request_path": seen.path,
        "duration_ms": round(seen.duration_s * 1000),
    }
    if seen.error is not None:
        message, details = exception_fields(seen.error)
        client.track("http_error", kind="error", url=seen.url, message=message, props={**props, **details}, **ids)
    elif seen.status == 404 or seen.status >= 500:
        client.track("http_error", kind="error", url=seen.url, props=props, **ids)
    if seen.duration_s >= slow_after_s:
        client.track("slow_response", url=seen.url, props=props, **ids)
