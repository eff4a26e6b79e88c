"""Raw events read for the oracle: times as Unix ms, repeats removed, grouped by visitor."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Who = tuple[str, str, str]
"""(site, visitor id, session id); the session id is empty for a visitor with an id, both for nobody's event."""


@dataclass(frozen=True)
class Happening:
    """One event; `at` and `received` in Unix ms, `numbers` the numeric properties, `props` all of them."""

    id: str
    at: int
    received: int
    kind: str
    type: str
    raw: Mapping[str, Any]
    numbers: Mapping[str, float] = field(default_factory=dict)
    props: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A text field; empty when it is missing or null."""
        return str(self.raw.get(name) or "")

    def number(self, name: str) -> float | None:
        """A number field; None when it is missing or null."""
        value = self.raw.get(name)
        return None if value is None else float(value)

    def prop_number(self, *names: str) -> float | None:
        """The first of these properties that is, or spells, a finite number."""
        return next((self.numbers[name] for name in names if name in self.numbers), None)

    def prop_text(self, *names: str) -> str:
        """The first of these properties that says something, as people write it; at most 200 characters."""
        return next((text for name in names if (text := _spelled(self.props.get(name)))), "")

    @property
    def place(self) -> str:
        """Path, or page where there is none."""
        return self.text("path") or self.text("page")

    @property
    def page(self) -> str:
        """Path without ids, or the path."""
        return self.text("page") or self.text("path")

    @property
    def is_bot(self) -> bool:
        """Whether the event is labelled as a bot's."""
        return bool(self.raw.get("is_bot"))


def milliseconds(moment: str | datetime) -> int:
    """Unix ms of ISO text or a datetime; a naive one is UTC."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment(ms: int) -> datetime:
    """The aware UTC datetime of Unix `ms`."""
    return _EPOCH + timedelta(milliseconds=ms)


def by_visitor(events: Iterable[Mapping[str, Any]]) -> dict[Who, list[Happening]]:
    """Events by visitor, by time and then id. Of several copies of an event the first received counts.

    A visitor without an id is known by the session; an event with neither, or of a hot key, is nobody's:
    ("site", "", "").
    """
    first: dict[tuple[Who, str], Happening] = {}
    for event in events:
        visitor, session = str(event.get("visitor_id") or ""), str(event.get("session_id") or "")
        if event.get("is_hot"):
            visitor = session = ""
        who = (str(event["site"]), visitor, "" if visitor else session)
        happening = _read(event)
        known = first.get((who, happening.id))
        if known is None or happening.received < known.received:
            first[who, happening.id] = happening
    grouped: dict[Who, list[Happening]] = {}
    for (who, _), happening in first.items():
        grouped.setdefault(who, []).append(happening)
    for happenings in grouped.values():
        happenings.sort(key=lambda h: (h.at, h.id))
    return grouped


def _read(event: Mapping[str, Any]) -> Happening:
    props = event.get("props") or {}
    if isinstance(props, str):
        props = json.loads(props)
    if not isinstance(props, dict):
        props = {}
    return Happening(
        id=str(event["event_id"]),
        at=milliseconds(event["ts"]),
        received=milliseconds(event["received_at"]),
        kind=str(event["kind"]),
        type=str(event["type"]),
        raw=event,
        numbers=dict(_numbers(props)),
        props=props,
    )


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value[:200]
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            return ""
        return f"{number:.0f}" if number == round(number) else repr(number)
    return ""


def _numbers(props: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    for name, value in props.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        try:
            number = float(value)
        except (ValueError, OverflowError):
            continue
        if math.isfinite(number):
            yield name, number
