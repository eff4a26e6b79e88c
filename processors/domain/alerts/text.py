"""What people read in an alert: the summary line, the paragraph, and the SQL that shows the evidence. Times are UTC."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from schemas.rows import AlertRow

Reason = Literal["recovered", "silent", "accepted", "rule_changed"]
"""Why an alert is resolved."""

_MINUTE: Final = timedelta(minutes=1)


def firing_summary(alert: AlertRow) -> str:
    """One line, for example "Checkout: payment converts 31 % (usual 82 %) since 14:05 UTC, 240 attempts"."""
    return f"{_finding(alert)} (usual {_percent(alert.baseline)}) since {_clock(alert.starts_at)}, {_trials(alert)}"


def resolved_summary(alert: AlertRow, reason: Reason) -> str:
    """One line that says why it is over; `alert` already carries what was observed at the end."""
    usual = f"(usual {_percent(alert.baseline)})"
    ended = _clock(alert.ends_at or alert.updated_at)
    match reason:
        case "recovered":
            return f"{_finding(alert)} again {usual} since {ended}, {_trials(alert)}"
        case "silent":
            return f"{_subject(alert)}: no {_unit(alert)} since {ended}, nothing left to judge"
        case "accepted":
            return f"{_finding(alert)} since {_date(alert.starts_at)}: taken as the new usual level {usual}"
        case "rule_changed":
            return f"{_subject(alert)}: resolved because rule {alert.rule} was changed or removed"


def description(alert: AlertRow, since: datetime) -> str:
    """The numbers behind the summary, counted from `since` on, and what they are worth."""
    successes = round(alert.observed * alert.n)
    if alert.funnel:
        what = f"passed step {alert.step} ({alert.step_name}) of funnel {alert.funnel} in time"
    else:
        what = "ran into an error"
    return (
        f"Site {alert.site}: {successes} of {_trials(alert)} {what} since {_date(since)} "
        f"({_percent(alert.observed)}, usual {_percent(alert.baseline)}). "
        f"Rule {alert.rule} version {alert.rule_version}, {alert.test} at {alert.statistic:.1f} "
        f"(threshold {alert.threshold:g}); by measurement it gives {alert.expected_false_alerts_per_week:g} "
        f"false alerts a week."
    )


def query(alert: AlertRow) -> str:
    """SQL over the public views, from the start of the alert to its newest judged minute."""
    begin, end = _sql_time(alert.starts_at), _sql_time(alert.updated_at + _MINUTE)
    site = _sql_text(alert.site)
    if alert.funnel:
        return f"SELECT * FROM v_funnel(funnel={_sql_text(alert.funnel)}, from={begin}, to={end}) WHERE site = {site}"  # noqa: S608  values are escaped; it is shown, not run
    return (
        "SELECT class, fingerprint, any(message) AS message, sum(errors) AS errors "  # noqa: S608  as above
        f"FROM v_error_rate WHERE site = {site} AND class != '' AND minute >= {begin} AND minute < {end} "
        "GROUP BY class, fingerprint ORDER BY errors DESC"
    )


def _subject(alert: AlertRow) -> str:
    return f"{alert.funnel.capitalize()}: {alert.step_name}" if alert.funnel else alert.site


def _finding(alert: AlertRow) -> str:
    if alert.funnel:
        return f"{_subject(alert)} converts {_percent(alert.observed)}"
    return f"{_subject(alert)}: {_percent(alert.observed)} of sessions run into an error"


def _trials(alert: AlertRow) -> str:
    return f"{alert.n} {_unit(alert)}"


def _unit(alert: AlertRow) -> str:
    return "attempts" if alert.funnel else "sessions"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC"


def _date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _sql_time(moment: datetime) -> str:
    return f"'{moment:%Y-%m-%d %H:%M:%S}'"


def _sql_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
