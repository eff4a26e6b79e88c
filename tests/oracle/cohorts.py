"""Live cohorts of raw events: attempts by the minute in which they entered a step, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.oracle.attempts import stays, tries
from tests.oracle.events import by_visitor, moment
from tests.oracle.funnel import Definition
from tests.oracle.spans import spans

CohortKey = tuple[str, str, int, datetime, int]

_MINUTE_MS = 60_000
_SUMS = ("entered", "passed", "stalled", "abandoned", "open", "value", "value_lost")


def cohorts(
    events: Iterable[Mapping[str, Any]],
    funnels: Sequence[Definition],
    *,
    frontier: int,
    abandon_s: float = 1800,
    idle_s: float = 1800,
    max_s: float = 86_400,
) -> dict[CohortKey, dict[str, Any]]:
    """Cohort rows by (site, funnel, version, minute, step number), summed over source partitions."""
    found: dict[CohortKey, dict[str, Any]] = {}
    for (site, visitor, session), happenings in by_visitor(events).items():
        who = visitor or session
        visits = spans(who, happenings, idle_s, max_s) if who else []
        for funnel in funnels if who else ():
            for attempt in tries(happenings, funnel, abandon_s * 1000):
                began_in = next(span for span in visits if attempt.reached[0][1] in span.happenings)
                state = attempt.state(frontier, abandon_s * 1000)
                if state == "excluded" or any(h.is_bot for h in began_in.happenings):
                    continue
                standing = [step for step, _, _ in stays(attempt)][-1] if not attempt.complete else None
                for step, h in attempt.reached:
                    minute = h.at // _MINUTE_MS * _MINUTE_MS
                    key = (site, funnel["name"], funnel.get("version", 1), moment(minute), step + 1)
                    row = found.setdefault(key, dict.fromkeys(_SUMS, 0))
                    outcome = state if step == standing else "passed"
                    row["entered"] += 1
                    row[outcome] += 1
                    row["value"] += round(attempt.money or 0.0, 4)
                    row["value_lost"] += round(attempt.money or 0.0, 4) if outcome == "abandoned" else 0
                    ripe_at = minute + _MINUTE_MS + funnel.get("ripe_after_s", 1800) * 1000
                    row |= {"name": funnel["steps"][step]["name"], "ripe": frontier >= ripe_at}
    return found


def sum_cohorts(rows: Iterable[Mapping[str, Any]]) -> dict[CohortKey, dict[str, Any]]:
    """Table rows (the newest of each key and source partition) added up as the view adds them."""
    found: dict[CohortKey, dict[str, Any]] = {}
    for row in rows:
        if not row.get("entered"):
            continue
        key = (row["site"], row["funnel"], row["funnel_version"], row["minute"], row["step"])
        total = found.setdefault(key, {**dict.fromkeys(_SUMS, 0), "name": "", "ripe": True})
        for name in _SUMS:
            total[name] += row.get(name, 0)
        total["name"] = max(total["name"], row.get("name", ""))
        total["ripe"] = total["ripe"] and bool(row.get("ripe"))
    return found
