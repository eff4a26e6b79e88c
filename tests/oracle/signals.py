"""Friction signals of raw events, by the published rules with their thresholds as plain numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.oracle.events import Happening, by_visitor, moment
from tests.oracle.spans import spans

Thresholds = Mapping[str, Mapping[str, float]]

DEFAULT_THRESHOLDS: Thresholds = {
    "rage_click": {"clicks": 3, "gap_ms": 1000, "distance_px": 30},
    "error_click": {"delay_ms": 1000},
    "quick_back": {"dwell_ms": 5000},
}
_POINTS_AND_CAP = {"rage_click": (12, 3), "error_click": (15, 3), "quick_back": (6, 3)}

SignalKey = tuple[str, str, str, str, datetime, int]


@dataclass(frozen=True)
class Friction:
    """One signal: where it began (`first`), where it was certain (`at`), and what was measured."""

    signal: str
    first: Happening
    at: Happening
    measured: Mapping[str, Any]


def score(counts: Mapping[str, int]) -> float:
    """Points times occurrences, each signal capped, 100 at most."""
    return float(
        min(100, sum(_POINTS_AND_CAP[name][0] * min(n, _POINTS_AND_CAP[name][1]) for name, n in counts.items()))
    )


def found_in(session: Sequence[Happening], thresholds: Thresholds = DEFAULT_THRESHOLDS) -> list[Friction]:
    """All signals of one session's happenings, which are in order."""
    return [
        *_rage(session, thresholds["rage_click"]),
        *_error_clicks(session, thresholds["error_click"]["delay_ms"]),
        *_quick_backs(session, thresholds["quick_back"]["dwell_ms"]),
    ]


def signals(
    events: Iterable[Mapping[str, Any]], idle_s: float, max_s: float, *, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> dict[SignalKey, dict[str, Any]]:
    """Signal rows by (site, signal, visitor_id, session_id, ts, n), n from 0 for several that agree in all the rest.

    `evidence` holds what was measured; without the thresholds, `version` and `signal_id`.
    """
    rows: list[tuple[tuple[str, str, str, str, datetime], dict[str, Any]]] = []
    for (site, visitor, session), happenings in by_visitor(events).items():
        if not visitor and not session:
            continue
        for span in spans(visitor or session, happenings, idle_s, max_s):
            bot = any(h.is_bot for h in span.happenings)
            for f in found_in(span.happenings, thresholds):
                row: dict[str, Any] = {name: f.first.text(name) for name in ("path", "element")}
                row |= {"page": f.first.page, "is_bot": bot, "evidence": dict(f.measured)}
                rows.append(((site, f.signal, visitor, span.session_id, moment(f.first.at)), row))
    return numbered(rows)


def numbered(
    rows: Iterable[tuple[tuple[str, str, str, str, datetime], dict[str, Any]]],
) -> dict[SignalKey, dict[str, Any]]:
    """Rows by their key and a number that tells apart those with the same key, in the order of their content."""
    found: dict[SignalKey, dict[str, Any]] = {}
    for key, row in sorted(rows, key=lambda entry: (entry[0], json.dumps(entry[1], sort_keys=True))):
        n = 0
        while (*key, n) in found:
            n += 1
        found[(*key, n)] = row
    return found


def _rage(session: Sequence[Happening], limits: Mapping[str, float]) -> Iterable[Friction]:
    clicks = [h for h in session if h.type == "click"]
    breaks = [n for n in range(1, len(clicks)) if not _one_spot(clicks[n - 1], clicks[n], limits)]
    for start, end in zip([0, *breaks], [*breaks, len(clicks)], strict=True):
        chain = clicks[start:end]
        if len(chain) >= limits["clicks"]:
            measured = {"clicks": len(chain), "span_ms": chain[-1].at - chain[0].at}
            yield Friction("rage_click", chain[0], chain[int(limits["clicks"]) - 1], measured)


def _one_spot(a: Happening, b: Happening, limits: Mapping[str, float]) -> bool:
    """Whether click `b` goes on where click `a` was: soon, on the same path and near by (or on the same element)."""
    if b.at - a.at >= limits["gap_ms"] or a.text("path") != b.text("path"):
        return False
    ax, ay, bx, by = a.number("x"), a.number("y"), b.number("x"), b.number("y")
    if ax is None or ay is None or bx is None or by is None:
        return a.text("element") == b.text("element") != ""
    return abs(ax - bx) + abs(ay - by) < limits["distance_px"]


def _error_clicks(session: Sequence[Happening], delay_ms: float) -> Iterable[Friction]:
    for n, click in enumerate(session):
        if click.type != "click":
            continue
        rest = session[n + 1 :]
        until = next((m for m, h in enumerate(rest) if h.type == "click"), len(rest))
        errors = [h for h in rest[:until] if h.kind == "error" and h.text("path") == click.text("path")]
        if errors and errors[0].at - click.at <= delay_ms:
            error = errors[0]
            measured = {name: error.text(name) for name in ("error_class", "fingerprint", "message")}
            yield Friction("error_click", click, click, {"delay_ms": error.at - click.at, **measured})


def _quick_backs(session: Sequence[Happening], dwell_ms: float) -> Iterable[Friction]:
    visits: list[Happening] = []
    for h in session:
        if h.type == "page_view" and (not visits or visits[-1].page != h.page):
            visits.append(h)
    for a, b, c in zip(visits, visits[1:], visits[2:], strict=False):
        if a.page == c.page and c.at - b.at < dwell_ms:
            yield Friction("quick_back", b, c, {"dwell_ms": c.at - b.at, "left": b.page, "back_to": c.page})
