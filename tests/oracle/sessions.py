"""Session rows of raw events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.oracle.events import Happening, by_visitor, moment
from tests.oracle.signals import DEFAULT_THRESHOLDS, Thresholds, found_in, last_step_score, points, score
from tests.oracle.spans import spans

_TRAITS = ("referrer", "device", "browser", "os", "country", "release", "user_id")

SessionKey = tuple[str, str, str, datetime]


def sessions(
    events: Iterable[Mapping[str, Any]],
    idle_s: float,
    max_s: float,
    *,
    frontier: int | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> dict[SessionKey, dict[str, Any]]:
    """Session rows by (site, visitor_id, session_id, started_at), without `version`.

    `frontier`: Unix ms up to which everything received has been seen; with it `state` is told too.
    """
    found: dict[SessionKey, dict[str, Any]] = {}
    for (site, visitor, session), happenings in by_visitor(events).items():
        if not visitor and not session:
            continue
        for span in spans(visitor or session, happenings, idle_s, max_s):
            row = {"is_bot": any(h.is_bot for h in span.happenings), **_row(span.happenings, thresholds)}
            if frontier is not None:
                silent = frontier - span.last_received >= idle_s * 1000
                row["state"] = "closed" if span.followed or silent else "open"
            found[site, visitor, span.session_id, moment(span.happenings[0].at)] = row
    return found


def traits(happenings: Iterable[Happening]) -> dict[str, str]:
    """Of each describing field the first that is not empty."""
    return {name: next((h.text(name) for h in happenings if h.text(name)), "") for name in _TRAITS}


def _row(happenings: Sequence[Happening], thresholds: Thresholds) -> dict[str, Any]:
    views = [h for h in happenings if h.type == "page_view"]
    orders = [h for h in happenings if h.type == "order_completed"]
    errors = [h.text("error_class") for h in happenings if h.kind == "error"]
    pages = [h.page for h in views] or [h.page for h in happenings if h.page] or [""]
    friction = found_in(happenings, thresholds)
    counts = {name: sum(1 for f in friction if f.signal == name) for name in {f.signal for f in friction}}
    engaged = happenings[-1].at - happenings[0].at > 10_000 or bool(orders) or len(views) >= 2
    return {
        "ended_at": moment(happenings[-1].at),
        "events": len(happenings),
        "page_views": len(views),
        "clicks": sum(1 for h in happenings if h.type == "click"),
        "errors": len(errors),
        "checkout_events": sum(1 for h in happenings if h.kind == "checkout"),
        "orders": len(orders),
        "value": sum(h.numbers.get("value", 0.0) for h in orders),
        "entry_page": pages[0],
        "exit_page": pages[-1],
        **traits(happenings),
        "engaged": engaged,
        "bounced": not engaged,
        "friction_score": score(friction),
        "friction_points": points(friction),
        "last_step_score": last_step_score(happenings, friction),
        "score_version": 2,
        "friction": counts,
        "errors_by_class": {name: errors.count(name) for name in set(errors)},
    }
