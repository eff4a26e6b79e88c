"""Error rates per minute: how often each error occurred, in how many sessions, beside how much happened at all.

A cell holds numbers only. Whether a session or visitor already counts in it is read off the visitor's own facts, which
live at least as long, so a repeat or another order changes nothing. Bots are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from processors.domain.fact import ERROR, Fact
from processors.domain.visitor import Visitor
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


def enter(cell: Cell, key: CellKey, fact: Fact, visitor: Visitor) -> None:
    """Count the session and the visitor of a new fact in the cell of `key`, unless earlier facts have brought them in.

    Looks back from the visitor's newest fact: most often the one before is of the same page and session.
    """
    _, class_, fingerprint, page, release, browser = key
    own, session_id = bool(class_ or fingerprint), fact.session_id
    begins = fact.ts - fact.ts % MINUTE_MS
    is_first = visitor.visitor_id != ""
    for other in reversed(visitor.facts.values()) if visitor.newest >= begins else ():
        if other.ts < begins:
            if visitor.disordered:
                continue
            break
        if (
            other.page == page
            and other.release == release
            and other.browser == browser
            and other.ts < begins + MINUTE_MS
            and not other.is_bot
            and not (own and (other.kind != ERROR or other.error_class != class_ or other.fingerprint != fingerprint))
        ):
            if other.session_id == session_id:
                return
            is_first = False
    cell.sessions += 1
    cell.visitors += is_first


def cells_of(site: str, fact: Fact) -> Sequence[CellKey]:
    """The cells that `fact` counts in: the one of all events, and its error's own unless that names nothing."""
    everything = (site, "", "", fact.page, fact.release, fact.browser)
    if fact.kind != ERROR or not (fact.error_class or fact.fingerprint):
        return (everything,)
    return (everything, (site, fact.error_class, fact.fingerprint, fact.page, fact.release, fact.browser))


def count(cell: Cell, fact: Fact) -> None:
    """Count a new fact in its cell; sessions and visitors are counted by `enter`."""
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
