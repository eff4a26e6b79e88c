"""Session rows of raw events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.oracle.attempts import Try, tries
from tests.oracle.events import Happening, by_visitor, moment
from tests.oracle.funnel import Definition
from tests.oracle.signals import DEFAULT_THRESHOLDS, Thresholds, found_in, last_step_score, points, score
from tests.oracle.spans import Span, spans
from tests.oracle.traits import campaign, traits

SessionKey = tuple[str, str, str, datetime]


def sessions(
    events: Iterable[Mapping[str, Any]],
    idle_s: float,
    max_s: float,
    *,
    frontier: int | None = None,
    checkout: Definition | None = None,
    abandon_s: float = 1800,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> dict[SessionKey, dict[str, Any]]:
    """Session rows by (site, visitor_id, session_id, started_at), without `version`.

    `frontier`: Unix ms up to which everything received has been seen; with it `state` is told too, and with `checkout`,
    the definition of that funnel, what became of it.
    """
    found: dict[SessionKey, dict[str, Any]] = {}
    for (site, visitor, session), happenings in by_visitor(events).items():
        if not visitor and not session:
            continue
        attempts = tries(happenings, checkout, abandon_s * 1000) if checkout else []
        for span in spans(visitor or session, happenings, idle_s, max_s):
            row = {"is_bot": any(h.is_bot for h in span.happenings), **_row(span.happenings, thresholds)}
            if frontier is not None:
                silent = frontier - span.last_received >= idle_s * 1000
                row["state"] = "closed" if span.followed or silent else "open"
                if checkout:
                    row |= _checkout(span, attempts, checkout, frontier, abandon_s * 1000)
            found[site, visitor, span.session_id, moment(span.happenings[0].at)] = row
    return found


def _checkout(
    span: Span, attempts: Sequence[Try], checkout: Definition, frontier: int, abandon_ms: float
) -> dict[str, Any]:
    """The last attempt with a step in the session; one that was taken out of the funnel is none."""
    for attempt in reversed(attempts):
        if attempt.excluded or not any(h in span.happenings for _, h in attempt.reached):
            continue
        state = attempt.state(frontier, abandon_ms)
        return {
            "checkout": "open" if state == "stalled" else state,
            "checkout_step": checkout["steps"][attempt.reached[-1][0]]["name"],
            "checkout_value": attempt.money or 0.0,
            "checkout_currency": attempt.currency,
        }
    return {"checkout": "", "checkout_step": "", "checkout_value": 0.0, "checkout_currency": ""}


def _first(h: Happening, *names: str) -> float:
    return next((h.numbers[name] for name in names if name in h.numbers), 0.0)


def _row(happenings: Sequence[Happening], thresholds: Thresholds) -> dict[str, Any]:
    views = [h for h in happenings if h.type == "page_view"]
    orders = [h for h in happenings if h.type == "order_completed"]
    scrolls = [h for h in happenings if h.type in {"scroll", "page_leave"} and h.kind == "clickstream"]
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
        "value": sum(_first(h, "value", "total", "revenue") for h in orders),
        "entry_page": pages[0],
        "exit_page": pages[-1],
        "scroll_depth": min(100.0, max([0.0, *(_first(h, "depth") for h in scrolls)])),
        "time_on_page_s": (happenings[-1].at - views[0].at) / len(views) / 1000 if views else 0.0,
        **traits(happenings),
        **campaign(happenings),
        "engaged": engaged,
        "bounced": not engaged,
        "friction_score": score(friction),
        "friction_points": points(friction),
        "last_step_score": last_step_score(happenings, friction),
        "score_version": 2,
        "friction": counts,
        "errors_by_class": {name: errors.count(name) for name in set(errors)},
    }
