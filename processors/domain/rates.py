"""Error rates per minute: how often each error occurred, in how many sessions, beside how much happened at all.

A cell holds numbers only. Whether a session or visitor already counts in it is read off the visitor's own facts, which
live at least as long, so a repeat or another order changes nothing. Bots are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from processors.domain.fact import ERROR, Fact
from schemas.event import from_ms
from schemas.rows import ErrorRateRow

MINUTE_MS: Final = 60_000

_REQUESTS: Final = frozenset({"page_view", "http_request", "http_error", "network_error"})
"""Types that tell of one request to the site, answered well or badly."""

CellKey = tuple[str, str, str, str, str, str]
"""(site, class, fingerprint, page, release, browser); class and fingerprint are empty in the cell of all events."""


class Cell(msgspec.Struct, array_like=True, gc=False):
    """What one cell counts. `events` is every fact of the cell, so it also serves as the version.

    `said`: whether its row has been said since it changed.
    """

    events: int = 0
    page_views: int = 0
    requests: int = 0
    sessions: int = 0
    visitors: int = 0
    message: str = ""
    message_at: int = 0
    message_id: str = ""
    said: bool = True


class Present:
    """What one visitor already counts in during one minute (Unix ms; -1: not worked out). Never rests.

    `first`: by cell, the session that was the visitor's first in it; `more`: the other (cell, session id).
    """

    __slots__ = ("first", "minute", "more")

    def __init__(self) -> None:
        self.minute = -1
        self.first: dict[CellKey, str] = {}
        self.more: set[tuple[CellKey, str]] = set()

    def turn_to(self, minute: int, site: str, facts: Iterable[Fact]) -> None:
        """Work out the visitor's presence in `minute`; `facts` must hold all that lie in it."""
        self.minute = minute
        self.first.clear()
        self.more.clear()
        for fact in facts:
            if fact.ts - fact.ts % MINUTE_MS == minute and not fact.is_bot:
                for key in cells_of(site, fact):
                    if self.first.setdefault(key, fact.session_id) != fact.session_id:
                        self.more.add((key, fact.session_id))

    def enter(self, cell: Cell, key: CellKey, session_id: str, *, is_visitor: bool) -> None:
        """Count the visitor and the session in `cell`, unless they are in it already."""
        first = self.first.get(key)
        if first is None:
            self.first[key] = session_id
            cell.sessions += 1
            cell.visitors += is_visitor
        elif first != session_id and (key, session_id) not in self.more:
            self.more.add((key, session_id))
            cell.sessions += 1


def cells_of(site: str, fact: Fact) -> Sequence[CellKey]:
    """The cells that `fact` counts in: the one of all events, and its error's own unless that names nothing."""
    everything = (site, "", "", fact.page, fact.release, fact.browser)
    if fact.kind != ERROR or not (fact.error_class or fact.fingerprint):
        return (everything,)
    return (everything, (site, fact.error_class, fact.fingerprint, fact.page, fact.release, fact.browser))


def count(cell: Cell, fact: Fact) -> None:
    """Count a new fact in its cell; sessions and visitors are counted by `Present.enter`."""
    cell.said = False
    cell.events += 1
    type_ = fact.type
    if type_ in _REQUESTS:
        cell.requests += 1
        if type_ == "page_view":
            cell.page_views += 1
    if fact.message and (not cell.message or fact.order < (cell.message_at, cell.message_id)):
        cell.message, cell.message_at, cell.message_id = fact.message, fact.ts, fact.event_id


def rate_row(minute: int, key: CellKey, cell: Cell, source_partition: int) -> ErrorRateRow:
    """The snapshot row of one cell of `minute` (Unix ms)."""
    site, class_, fingerprint, page, release, browser = key
    return ErrorRateRow(
        site=site,
        minute=from_ms(minute),
        source_partition=source_partition,
        version=cell.events,
        class_=class_,
        fingerprint=fingerprint,
        message=cell.message if class_ or fingerprint else "",
        page=page,
        release=release,
        browser=browser,
        events=cell.events,
        sessions=cell.sessions,
        visitors=cell.visitors,
        page_views=cell.page_views,
        requests=cell.requests,
    )
