"""From an event as it was sent to the event as it is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from ingest.paths import path_of
from ingest.refusal import Refusal
from ingest.skew import Shift
from ingest.times import read_moment
from schemas.errors import error_class, fingerprint
from schemas.event import KIND_OF_TYPE, TEXT_MAX_CHARS, Event, TsSource
from schemas.openapi import IncomingEvent

_LEVELS_ABOVE_PROPS: Final = 2  # the event and its `props`


class Normaliser:
    """Makes Events of what was sent in one request: same input, same result (but for ids it assigns)."""

    def __init__(
        self,
        site: str,
        received_at: datetime,
        *,
        sent_at: datetime | None,
        shift: Shift | None,
        future_tolerance: timedelta,
        max_nesting: int,
        next_id: Callable[[], str],
    ) -> None:
        """`received_at` has millisecond precision; `shift` corrects client times (see `skew.py`)."""
        self._site = site
        self._received_at = received_at
        self._sent_at = sent_at
        self._shift = shift
        self._latest = received_at + future_tolerance
        self._max_nesting = max_nesting
        self._room = max_nesting - _LEVELS_ABOVE_PROPS
        self._next_id = next_id

    def __call__(self, sent: IncomingEvent) -> Event | Refusal:
        """The event to keep, or why it is refused."""
        props = sent.props or {}
        for value in props.values():
            if ((kind_ := type(value)) is dict or kind_ is list) and _deeper_than(value, self._room):
                cause = f"The event is nested more than {self._max_nesting} levels deep."
                return Refusal("too_deep", "props", cause, sent.event_id or "")

        ts = self._received_at
        client_ts: datetime | None = None
        ts_source: TsSource = "received"
        said = sent.ts
        if said is None:
            said = sent.timestamp
        if said is not None:
            client_ts = read_moment(said)
            if client_ts is None:
                field = "ts" if sent.ts is not None else "timestamp"
                cause = f"`{field}` names no usable moment."
                return Refusal("invalid_timestamp", field, cause, sent.event_id or "")
            ts_source = "client"
            ts = client_ts if self._shift is None else client_ts + self._shift(sent)
            if ts > self._latest:
                ts, ts_source = self._received_at, "received_future"

        type_ = sent.type
        kind = sent.kind or KIND_OF_TYPE.get(type_, "clickstream")
        # Only what most events have goes through the constructor: it costs the square of its keywords.
        event = Event(
            event_id=sent.event_id or self._next_id(),
            site=self._site,
            kind=kind,
            type=type_,
            ts=ts,
            received_at=self._received_at,
            client_ts=client_ts,
            sent_at=self._sent_at,
            ts_source=ts_source,
            session_id=sent.session_id or "",
            visitor_id=sent.visitor_id or "",
        )
        if url := sent.url:
            event.url = url
            event.path = path_of(url)
        if sent.path:
            event.path = sent.path
        event.page = sent.page or event.path
        _copy_rest(sent, event)
        if props:
            event.props = props
            _take_from_props(event, props)
        if kind == "error":
            event.error_class = error_class(type_, props)
            event.fingerprint = fingerprint(event.error_class, type_, event.message, props)
        return event


def _copy_rest(sent: IncomingEvent, event: Event) -> None:  # noqa: PLR0912  a loop over names costs three times this
    if sent.user_id:
        event.user_id = sent.user_id
    if sent.referrer:
        event.referrer = sent.referrer
    if sent.title:
        event.title = sent.title
    if sent.element:
        event.element = sent.element
    if sent.x is not None:
        event.x = sent.x
    if sent.y is not None:
        event.y = sent.y
    if sent.device:
        event.device = sent.device
    if sent.browser:
        event.browser = sent.browser
    if sent.os:
        event.os = sent.os
    if sent.country:
        event.country = sent.country
    if sent.release:
        event.release = sent.release
    if sent.is_bot:
        event.is_bot = True
    if sent.message:
        event.message = sent.message


def _take_from_props(event: Event, props: dict[str, Any]) -> None:
    """Position and message may stand in `props`; they stay there too."""
    if "x" in props and event.x is None and type(x := props["x"]) in (int, float):
        event.x = _float(x)
    if "y" in props and event.y is None and type(y := props["y"]) in (int, float):
        event.y = _float(y)
    if "message" in props and not event.message and isinstance(message := props["message"], str):
        event.message = message[:TEXT_MAX_CHARS]


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except OverflowError:  # JSON's whole numbers have no bound
        return None


def _deeper_than(value: Any, levels: int) -> bool:
    """Whether the object or array `value` holds more than `levels` levels of them, itself being the first."""
    level = [value]
    for _ in range(levels):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) in (dict, list)
        ]
        if not level:
            return False
    return True
