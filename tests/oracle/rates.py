"""Errors per minute with their denominators, from raw events; bots are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.oracle.events import Happening, by_visitor, moment

RateKey = tuple[str, datetime, str, str, str, str, str]


@dataclass
class _Cell:
    events: int = 0
    page_views: int = 0
    requests: int = 0
    sessions: set[tuple[str, str]] = field(default_factory=set)
    visitors: set[str] = field(default_factory=set)
    messages: list[tuple[int, str, str]] = field(default_factory=list)


def rates(events: Iterable[Mapping[str, Any]]) -> dict[RateKey, dict[str, Any]]:
    """Rows by (site, minute, class, fingerprint, page, release, browser), summed over source partitions.

    The row with empty class and fingerprint counts everything. A session is one visitor's session id, or without one
    the visitor.
    """
    return {
        key: {
            "events": cell.events,
            "page_views": cell.page_views,
            "requests": cell.requests,
            "sessions": len(cell.sessions),
            "visitors": len(cell.visitors),
        }
        for key, cell in _cells(events).items()
    }


def messages(events: Iterable[Mapping[str, Any]]) -> dict[RateKey, str]:
    """The text of each error cell's earliest occurrence that has one."""
    return {key: min(cell.messages)[2] for key, cell in _cells(events).items() if key[2] and cell.messages}


def _cells(events: Iterable[Mapping[str, Any]]) -> dict[RateKey, _Cell]:
    cells: dict[RateKey, _Cell] = {}
    for (site, visitor, _), happenings in by_visitor(events).items():
        for h in happenings:
            if h.is_bot:
                continue
            minute = moment(h.at // 60_000 * 60_000)
            where = (h.page, h.text("release"), h.text("browser"))
            kinds = {("", "")} | ({(h.text("error_class"), h.text("fingerprint"))} if h.kind == "error" else set())
            for class_, fingerprint in kinds:
                _count(cells.setdefault((site, minute, class_, fingerprint, *where), _Cell()), h, visitor)
    return cells


def sum_partitions(rows: Iterable[Mapping[str, Any]]) -> dict[RateKey, dict[str, Any]]:
    """Table rows (the newest of each key and source partition) added up as the views add them."""
    found: dict[RateKey, dict[str, Any]] = {}
    for row in rows:
        names = ("class", "fingerprint", "page", "release", "browser")
        key: RateKey = (row["site"], row["minute"], *(row.get(name, "") for name in names))
        total = found.setdefault(key, dict.fromkeys(("events", "page_views", "requests", "sessions", "visitors"), 0))
        for name in total:
            total[name] += row.get(name, 0)
    return found


def _count(cell: _Cell, h: Happening, visitor: str) -> None:
    cell.events += 1
    cell.page_views += h.type == "page_view"
    cell.requests += h.type in ("page_view", "http_request", "http_error", "network_error")
    if visitor or h.text("session_id"):
        cell.sessions.add((visitor, h.text("session_id")))
    if visitor:
        cell.visitors.add(visitor)
    if h.text("message"):
        cell.messages.append((h.at, h.id, h.text("message")))
