"""Derived rows read for comparison, and differences told so that a person sees at once what is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.oracle.signals import numbered

Row = Mapping[str, Any]

FINAL_KEYS: dict[str, tuple[str, ...]] = {
    "sessions": ("site", "started_on", "visitor_id", "session_id", "started_at"),
    "funnel_attempts": ("site", "funnel", "started_on", "attempt_id", "started_at"),
    "funnel_cohorts": ("site", "funnel", "minute", "funnel_version", "step", "source_partition"),
    "friction_signals": ("site", "signal", "on", "visitor_id", "signal_id"),
    "error_rates": ("site", "minute", "class", "fingerprint", "page", "release", "browser", "source_partition"),
}
"""What makes two rows one row under FINAL: the tables' sort keys; `.._on` and `on` are the day of that time."""

_TIMES = frozenset(
    {"started_at", "ended_at", "last_step_at", "last_seen_at", "first_cause_at", "ts", "minute", "step_times"}
)
_EMPTY_BUT = {"state": "open", "funnel_version": 1, "rule_version": 1}
_SHOWN = 20


def final_key(table: str, row: Row, keys: Mapping[str, tuple[str, ...]] = FINAL_KEYS) -> tuple[Any, ...]:
    """The key of `row` (as read by `typed`) under FINAL."""
    days = {"started_on": "started_at", "on": "ts"}
    return tuple(
        row[days[name]].date() if name in days else row.get(name, 0 if name == "source_partition" else "")
        for name in keys[table]
    )


def typed(row: Row) -> dict[str, Any]:
    """A row with aware UTC datetimes for times, whether it comes from JSON or from a ClickHouse client."""
    return {name: _time(value) if name in _TIMES else value for name, value in row.items()}


def latest(table: str, rows: Iterable[Row], keys: Mapping[str, tuple[str, ...]] = FINAL_KEYS) -> list[dict[str, Any]]:
    """What FINAL shows of `rows`, given in the order of their insertion: the newest version, retracted ones hidden."""
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for raw in rows:
        row = typed(raw)
        key = final_key(table, row, keys)
        if key not in newest or row["version"] >= newest[key]["version"]:
            newest[key] = row
    return [row for row in newest.values() if not row.get("deleted")]


def tabulate(table: str, rows: Iterable[Row]) -> dict[Any, dict[str, Any]]:
    """Rows that FINAL shows, by the key under which the oracle has them. Not for error_rates: see `sum_partitions`."""
    found = [typed(row) for row in rows]
    if table == "friction_signals":
        return numbered((_signal_key(row), _signal(row)) for row in found)
    names = {
        "sessions": ("site", "visitor_id", "session_id", "started_at"),
        "funnel_attempts": ("site", "funnel", "attempt_id", "started_at"),
    }[table]
    return {tuple(row.get(name, "") for name in names): row for row in found}


def diff(expected: Mapping[Any, Row], got: Mapping[Any, Row]) -> list[str]:
    """The first differences in words; empty when every expected row is there with its fields, and no other."""
    told = [f"missing {_name(key)}: {dict(expected[key])}" for key in expected if key not in got]
    told += [f"unexpected {_name(key)}: {dict(got[key])}" for key in got if key not in expected]
    for key, row in expected.items():
        if key in got:
            told += [
                f"{_name(key)}: {field} is {_field(got[key], field)!r}, expected {value!r}"
                for field, value in row.items()
                if not _same(value, _field(got[key], field))
            ]
    more = len(told) - _SHOWN
    return [*told[:_SHOWN], f".. and {more} more"] if more > 0 else told


def _field(row: Row, name: str) -> Any:
    return row.get(name, _EMPTY_BUT.get(name))


def _same(expected: Any, got: Any) -> bool:
    if got is None or got == "":
        return not expected
    if isinstance(expected, float):
        return math.isclose(expected, got, rel_tol=1e-9, abs_tol=1e-9)
    return bool(expected == got)


def _signal_key(row: Row) -> tuple[str, str, str, str, datetime]:
    return (row["site"], row["signal"], row.get("visitor_id", ""), row.get("session_id", ""), row["ts"])


def _signal(row: Row) -> dict[str, Any]:
    evidence = json.loads(row["evidence"])
    evidence.pop("thresholds")
    told = {name: row.get(name, "") for name in ("path", "element", "page")}
    return {**told, "is_bot": bool(row.get("is_bot")), "evidence": evidence}


def _time(value: Any) -> Any:
    if isinstance(value, list):
        return [_time(item) for item in value]
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def _name(key: Any) -> str:
    parts = key if isinstance(key, tuple) else (key,)
    return "/".join(part.isoformat() if isinstance(part, datetime) else str(part) for part in parts)
