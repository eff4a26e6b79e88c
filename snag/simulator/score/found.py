"""What the running stack made of a run: its sessions, checkout attempts, friction and alerts, as its tables say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from snag.clickhouse import ClickHouse
from snag.simulator.score.told import Told

_MARGIN: Final = timedelta(hours=1)  # wrong clocks, visits that go on
_LATEST: Final = timedelta(days=2)  # alerts of the last incident

_SESSIONS: Final = (
    "SELECT session_id, orders FROM sessions FINAL "
    "WHERE site = {site:String} AND started_at >= {from:DateTime64(3)} AND started_at < {to:DateTime64(3)}"
)
_SIGNALS: Final = (
    "SELECT session_id, groupUniqArray(signal) AS signals FROM friction_signals FINAL "
    "WHERE site = {site:String} AND ts >= {from:DateTime64(3)} AND ts < {to:DateTime64(3)} GROUP BY session_id"
)
_ATTEMPTS: Final = (
    "SELECT session_id, state IN ('converted', 'recovered') AS converted, step_reached "
    "FROM funnel_attempts FINAL WHERE site = {site:String} AND funnel = 'checkout' "
    "AND started_at >= {from:DateTime64(3)} AND started_at < {to:DateTime64(3)}"
)
_ALERTS: Final = (
    "SELECT rule, step, step_name, starts_at, fired_at, summary "
    "FROM alerts FINAL WHERE site = {site:String} AND status = 'firing' AND fired_at IS NOT NULL "
    "AND starts_at >= {from:DateTime64(3)} AND starts_at < {to:DateTime64(3)} ORDER BY fired_at, step"
)


@dataclass(frozen=True)
class Alert:
    """One alert that fired: `step` 0 is a site's sessions. `starts_at`: of the change, `fired_at`: decided."""

    rule: str
    step: int
    step_name: str
    starts_at: datetime
    fired_at: datetime
    summary: str


@dataclass(frozen=True)
class Found:
    """`orders` and kinds of `signals` by session id; `attempts`: (session id, converted) of the funnel checkout."""

    orders: dict[str, int]
    signals: dict[str, set[str]]
    attempts: list[tuple[str, bool]]
    alerts: list[Alert]


def ask(engine: ClickHouse, told: Told) -> Found:
    """What `engine` holds of the run. Raises ClickHouseError, ClickHouseUnreachable."""
    starts = [session.starts_at for session in told.sessions.values()] or [told.run.starts_at]
    within = {
        "site": told.run.site,
        "from": _text(min(starts) - _MARGIN),
        "to": _text(max(starts) + _LATEST),
    }
    return Found(
        orders={row["session_id"]: row["orders"] for row in engine.rows(_SESSIONS, within)},
        signals={row["session_id"]: set(row["signals"]) for row in engine.rows(_SIGNALS, within)},
        attempts=[(row["session_id"], bool(row["converted"])) for row in engine.rows(_ATTEMPTS, within)],
        alerts=[_alert(row) for row in engine.rows(_ALERTS, within)],
    )


def _alert(row: dict[str, Any]) -> Alert:
    return Alert(
        rule=row["rule"],
        step=row["step"],
        step_name=row["step_name"],
        starts_at=_moment(row["starts_at"]),
        fired_at=_moment(row["fired_at"]),
        summary=row["summary"],
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
