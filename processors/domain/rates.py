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

CellKey = tuple[str, str, str, str, str]
"""(class, fingerprint, page, release, browser); class and fingerprint are empty in the cell of all events."""

MinuteKey = tuple[str, int]
"""(site, minute as Unix ms)."""


class Cell(msgspec.Struct, array_like=True, gc=False):
    """What one cell counts. `events` is every fact of the cell, so it also serves as the version.

    `said` is false from a change until the changed row has been said.
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


class Minute(msgspec.Struct, array_like=True):
    """The cells of one site and minute; `received` is the receipt time (Unix ms) of the newest fact in it."""

    cells: dict[CellKey, Cell] = {}
    received: int = 0


class Present:
    """What one visitor already counts in during one minute (Unix ms; -1: not worked out). Never rests.

    `cells` holds the keys of cells the visitor is in, and (key, session id) for the sessions.
    """

    __slots__ = ("cells", "minute")

    def __init__(self) -> None:
        self.minute = -1
        self.cells: set[CellKey | tuple[CellKey, str]] = set()

    def turn_to(self, minute: int, facts: Iterable[Fact]) -> None:
        """Work out the visitor's presence in `minute`; `facts` must hold all that lie in it."""
        self.minute = minute
        self.cells.clear()
        for fact in facts:
            if fact.ts - fact.ts % MINUTE_MS == minute and not fact.is_bot:
                for key in cells_of(fact):
                    self.cells.add(key)
                    self.cells.add((key, fact.session_id))


def cells_of(fact: Fact) -> Sequence[CellKey]:
    """The cells that `fact` counts in: the one of all events, and its error's own unless that names nothing."""
    everything = ("", "", fact.page, fact.release, fact.browser)
    if fact.kind != ERROR or not (fact.error_class or fact.fingerprint):
        return (everything,)
    return (everything, (fact.error_class, fact.fingerprint, fact.page, fact.release, fact.browser))


def count(cell: Cell, key: CellKey, fact: Fact, present: Present | None, *, is_visitor: bool) -> None:
    """Count a new fact in the cell of `key`.

    `present`: the visitor's presence in that minute, None for nobody's event; `is_visitor`: whether it has an id.
    """
    cell.events += 1
    type_ = fact.type
    if type_ in _REQUESTS:
        cell.requests += 1
        if type_ == "page_view":
            cell.page_views += 1
    if present is not None and (key, fact.session_id) not in present.cells:
        present.cells.add((key, fact.session_id))
        cell.sessions += 1
        if key not in present.cells:
            present.cells.add(key)
            cell.visitors += is_visitor
    if fact.message and (not cell.message or fact.order < (cell.message_at, cell.message_id)):
        cell.message, cell.message_at, cell.message_id = fact.message, fact.ts, fact.event_id


def rate_row(minute: MinuteKey, key: CellKey, cells: Sequence[Cell], source_partition: int) -> ErrorRateRow:
    """The snapshot row of one cell from its parts, which share no visitor."""
    class_, fingerprint, page, release, browser = key
    events = sum(cell.events for cell in cells)
    first = min((c for c in cells if c.message), key=lambda c: (c.message_at, c.message_id), default=None)
    return ErrorRateRow(
        site=minute[0],
        minute=from_ms(minute[1]),
        source_partition=source_partition,
        version=events,
        class_=class_,
        fingerprint=fingerprint,
        message=first.message if first and (class_ or fingerprint) else "",
        page=page,
        release=release,
        browser=browser,
        events=events,
        sessions=sum(cell.sessions for cell in cells),
        visitors=sum(cell.visitors for cell in cells),
        page_views=sum(cell.page_views for cell in cells),
        requests=sum(cell.requests for cell in cells),
    )
