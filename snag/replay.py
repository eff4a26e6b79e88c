"""A recorded stream sent again: with its own timing, moved so that it ends now, or as the history it is."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from ingest.times import read_moment
from schemas.event import MILLISECOND, from_ms, to_ms
from snag.errors import SnagError
from snag.pacing import Delivery

_TIMES: Final = ("ts", "timestamp")
_ID_BYTES: Final = 16


class NothingRecorded(SnagError):
    """The file holds no event with a readable time."""


@dataclass
class Recording:
    """What one pass over a recording finds: events, those without a time, unreadable lines (by number), the span.

    The span runs over the times of arrival: `received_at` where the collector wrote it, else `ts`.
    """

    events: int = 0
    untimed: int = 0
    unreadable: list[int] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None

    @property
    def span_ms(self) -> int:
        """Milliseconds between the first and the last arrival."""
        return 0 if self.first is None or self.last is None else (self.last - self.first) // MILLISECOND


def survey(lines: Iterable[tuple[int, bytes]]) -> Recording:
    """Count the numbered `lines` and find their span. Raises NothingRecorded."""
    found = Recording()
    for number, line in lines:
        event = _decode(line)
        if event is None:
            found.unreadable.append(number)
            continue
        found.events += 1
        arrival = _arrival(event)
        if arrival is None:
            found.untimed += 1
            continue
        found.first = arrival if found.first is None else min(found.first, arrival)
        found.last = arrival if found.last is None else max(found.last, arrival)
    if found.first is None:
        raise NothingRecorded(
            "The recording holds no event with a readable `ts`. Record one with: snag tail clickstream --json"
        )
    return found


def shifted(
    lines: Iterable[tuple[int, bytes]], recording: Recording, *, start_ms: int, speed: float, run: str
) -> Iterator[Delivery]:
    """The deliveries of a replay that starts at `start_ms` (Unix ms) and runs `speed` (>= 1) times as fast.

    All times move by one amount, so gaps, lateness and disorder stay as they were, and the last arrival falls on the
    replay's end. Events keep the order of the file: one that arrived out of order is due with the newest before it.
    Visitors and sessions keep their ids; event ids become new ones made from `run` and the old one, so that a replay
    is not taken for a repeat, while repeats within the file stay repeats.
    """
    if recording.first is None or recording.last is None:
        raise NothingRecorded("the recording has no span")
    first_ms = to_ms(recording.first)
    shift = from_ms(start_ms + round(recording.span_ms / speed)) - recording.last
    due_ms = start_ms
    for _, line in lines:
        event = _decode(line)
        if event is None:
            continue
        arrival = _arrival(event)
        if arrival is not None:
            due_ms = max(due_ms, start_ms + round((to_ms(arrival) - first_ms) / speed))
        for name in _TIMES:
            moment = read_moment(event.get(name))
            if moment is not None:
                event[name] = (moment + shift).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event["event_id"] = _new_id(event.get("event_id"), run)
        yield Delivery(due_ms, _encode(event))


def as_history(lines: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    """The events as they were, with their times and ids: importing them twice adds nothing."""
    for _, line in lines:
        event = _decode(line)
        if event is not None:
            yield _encode(event)


def _decode(line: bytes) -> dict[str, Any] | None:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) else None


def _encode(event: dict[str, Any]) -> bytes:
    event.pop("sent_at", None)  # the clock reading of another sending; the collector ignores its own fields by itself
    return orjson.dumps(event)


def _arrival(event: dict[str, Any]) -> datetime | None:
    for name in ("received_at", *_TIMES):
        moment = read_moment(event.get(name))
        if moment is not None:
            return moment
    return None


def _new_id(old: Any, run: str) -> str:
    if not isinstance(old, str) or not old:
        return uuid.uuid4().hex
    return hashlib.blake2b(f"{run}|{old}".encode(), digest_size=_ID_BYTES).hexdigest()
