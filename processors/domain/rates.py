"""Error rates per minute: how often each error occurred, in how many sessions, beside how much happened at all.

Kept as sets of sessions and visitors per cell, so a repeat or another order changes nothing. Bots are left out.
"""

from __future__ import annotations

import msgspec

from processors.domain.fact import ERROR, Fact
from schemas.event import from_ms
from schemas.rows import ErrorRateRow

MINUTE_MS = 60_000

CellKey = tuple[str, str, str, str, str]
"""(class, fingerprint, page, release, browser); class and fingerprint are empty in the cell of all events."""

MinuteKey = tuple[str, int]
"""(site, minute as Unix ms)."""


class Cell(msgspec.Struct, array_like=True):
    """What one cell counts. `events` is every fact of the cell, so it also serves as the version.

    `said` is false from a change until the changed row has been said.
    """

    events: int = 0
    page_views: int = 0
    sessions: set[str] = msgspec.field(default_factory=set)
    visitors: set[str] = msgspec.field(default_factory=set)
    message: str = ""
    message_at: tuple[int, str] = (0, "")
    said: bool = True


class Minute(msgspec.Struct, array_like=True):
    """The cells of one site and minute; `received` is the receipt time (Unix ms) of the newest fact in it."""

    cells: dict[CellKey, Cell] = {}
    received: int = 0


def cells_of(fact: Fact) -> list[CellKey]:
    """The cells that `fact` counts in: the one of all events, and its error's own."""
    everything = ("", "", fact.page, fact.release, fact.browser)
    if fact.kind != ERROR:
        return [everything]
    return [everything, (fact.error_class, fact.fingerprint, fact.page, fact.release, fact.browser)]


def count(cell: Cell, fact: Fact, visitor: str) -> None:
    """Count a fact that is new to the cell's visitor; `visitor` may be empty."""
    cell.events += 1
    cell.page_views += fact.type == "page_view"
    session = fact.session_id or visitor
    if session:
        cell.sessions.add(session)
    if visitor:
        cell.visitors.add(visitor)
    if fact.message and (not cell.message or fact.order < cell.message_at):
        cell.message, cell.message_at = fact.message, fact.order


def rate_row(minute: MinuteKey, key: CellKey, cells: list[Cell], source_partition: int) -> ErrorRateRow:
    """The snapshot row of one cell from its parts, which share no visitor."""
    class_, fingerprint, page, release, browser = key
    _, message = min(((c.message_at, c.message) for c in cells if c.message), default=((0, ""), ""))
    events = sum(cell.events for cell in cells)
    return ErrorRateRow(
        site=minute[0],
        minute=from_ms(minute[1]),
        source_partition=source_partition,
        version=events,
        class_=class_,
        fingerprint=fingerprint,
        message=message if class_ else "",
        page=page,
        release=release,
        browser=browser,
        events=events,
        sessions=sum(len(cell.sessions) for cell in cells),
        visitors=sum(len(cell.visitors) for cell in cells),
        page_views=sum(cell.page_views for cell in cells),
    )
