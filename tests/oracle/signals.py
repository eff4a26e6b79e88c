"""Friction signals of raw events, by the published rules with their thresholds as plain numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.oracle import friction_checkout, friction_clicks, friction_forms, friction_pages
from tests.oracle.events import Happening, by_visitor, moment
from tests.oracle.friction import Friction, Limits, Session, compounds
from tests.oracle.spans import spans

Thresholds = Mapping[str, Limits]

DEFAULT_THRESHOLDS: Thresholds = {
    "rage_click": {"clicks": 3, "gap_ms": 1000, "distance_px": 30},
    "dead_click": {"effect_ms": 2500, "same_ms": 1000},
    "error_click": {"delay_ms": 1000, "early_ms": 50},
    "thrashed_cursor": {"turns": 4, "acceleration": 0.008, "merge_ms": 5000},
    "quick_back": {"dwell_ms": 5000},
    "page_loop": {"views": 4, "refreshes": 3, "span_ms": 300_000, "repeat_ms": 1000},
    "form_retry": {"attempts": 2, "gap_ms": 1000},
    "repeated_field_error": {"errors": 2, "gap_ms": 1000},
    "form_abandonment": {"fields": 0},
    "slow_page": {"lcp_ms": 4000},
    "slow_interaction": {"inp_ms": 500},
    "layout_shift": {"cls": 0.25},
    "slow_step": {"step_ms": 300_000},
    "coupon_denied": {},
    "surprise_cost": {"share": 0.1, "least": 1},
    "forced_registration": {},
    "payment_failed_soft": {},
    "payment_failed_hard": {},
    "help_sought": {"merge_ms": 30_000},
    "search_without_result": {"typing_ms": 2000},
    "stuck_login": {"failures": 2},
    "excessive_scroll": {"turns": 6, "least_percent": 20},
}
_RESTATED: Mapping[str, Callable[[Session, Limits], Iterable[Friction]]] = {
    "rage_click": friction_clicks.rage_clicks,
    "dead_click": friction_clicks.dead_clicks,
    "error_click": friction_clicks.error_clicks,
    "thrashed_cursor": friction_clicks.thrashed_cursors,
    "quick_back": friction_pages.quick_backs,
    "page_loop": friction_pages.page_loops,
    "form_retry": friction_forms.form_retries,
    "repeated_field_error": friction_forms.repeated_field_errors,
    "form_abandonment": friction_forms.form_abandonments,
    "slow_page": friction_pages.slow_pages,
    "slow_interaction": friction_pages.slow_interactions,
    "layout_shift": friction_pages.layout_shifts,
    "slow_step": friction_checkout.slow_steps,
    "coupon_denied": friction_checkout.denied_coupons,
    "surprise_cost": friction_checkout.surprise_costs,
    "forced_registration": friction_checkout.forced_registrations,
    "payment_failed_soft": friction_checkout.soft_refusals,
    "payment_failed_hard": friction_checkout.hard_refusals,
    "help_sought": friction_checkout.help_sought,
    "search_without_result": friction_pages.searches_without_result,
    "stuck_login": friction_pages.stuck_logins,
    "excessive_scroll": friction_clicks.excessive_scrolls,
}
_MADE_TO_BE_CLICKED = (".carousel", ".swiper", ".slick-arrow", ".datepicker", ".calendar", ".stepper")
_IGNORED: Mapping[str, tuple[str, ...]] = {
    "rage_click": (".snag-no-rage", ".ph-no-rageclick", *_MADE_TO_BE_CLICKED, "[role=spinbutton]"),
    "dead_click": (".snag-no-dead",),
    "help_sought": (".snag-no-help",),
}
_POINTS_AND_CAP = {
    "rage_click": (12, 3),
    "dead_click": (6, 4),
    "error_click": (15, 3),
    "thrashed_cursor": (4, 2),
    "quick_back": (6, 3),
    "page_loop": (8, 2),
    "form_retry": (10, 3),
    "repeated_field_error": (10, 3),
    "form_abandonment": (8, 2),
    "slow_page": (6, 3),
    "slow_interaction": (5, 3),
    "layout_shift": (3, 2),
    "slow_step": (5, 2),
    "coupon_denied": (8, 2),
    "surprise_cost": (15, 1),
    "forced_registration": (12, 1),
    "payment_failed_soft": (20, 3),
    "payment_failed_hard": (30, 2),
    "help_sought": (8, 2),
    "search_without_result": (4, 3),
    "stuck_login": (20, 1),
    "excessive_scroll": (3, 2),
}

SignalKey = tuple[str, str, str, str, datetime, int]


def points(friction: Iterable[Friction]) -> dict[str, float]:
    """Points times occurrences by signal, each capped."""
    names = [f.signal for f in friction]
    return {name: float(_POINTS_AND_CAP[name][0] * min(names.count(name), _POINTS_AND_CAP[name][1])) for name in names}


def score(friction: Iterable[Friction]) -> float:
    """The points together, 100 at most."""
    return float(min(100, sum(points(friction).values())))


def last_step_score(session: Sequence[Happening], friction: Iterable[Friction]) -> float:
    """The score of what was certain since the last page view, or of all where no page was viewed."""
    views = [(h.at, h.id) for h in session if h.type == "page_view"]
    return score([f for f in friction if not views or (f.at.at, f.at.id) >= views[-1]])


def found_in(session: Sequence[Happening], thresholds: Thresholds = DEFAULT_THRESHOLDS) -> list[Friction]:
    """All signals of one session's happenings, which are in order."""
    found: list[Friction] = []
    for name, restated in _RESTATED.items():
        wanted = [compounds(entry)[0] for entry in _IGNORED.get(name, ())]
        looked_at = [h for h in session if not any(w <= part for w in wanted for part in compounds(h.text("element")))]
        found += restated(looked_at, thresholds[name])
    return found


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
